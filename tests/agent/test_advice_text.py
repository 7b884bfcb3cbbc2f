"""Does the advice as text say what is found on devices, beside what is found on services?"""

import msgspec

from advisor.documents import AdviceDocument
from advisor.finding import Inconclusive, Need, Subject
from agent.advice_text import render
from agent.advise import only
from tests.snapshots import example_snapshot

DEVICE = Subject(kind="device", name="GPU 0 (NVIDIA H100 80GB HBM3)", pids=(101,))


def advice() -> AdviceDocument:
    """The example's first finding once more, of a device."""
    document = example_snapshot().advice
    first = document.findings[0]
    on_device = msgspec.structs.replace(
        first, id="d1", rule="gpu-throttled", subject=DEVICE, title="the GPU is too hot"
    )
    asking = Inconclusive(
        rule="gpu-util-misleading", subject=DEVICE, needs=Need(kind="metrics", text="counters of activity")
    )
    return msgspec.structs.replace(document, findings=(first, on_device), inconclusive=(*document.inconclusive, asking))


def test_a_device_has_a_part_of_its_own_after_the_services() -> None:
    text = render(advice(), "text")
    before, _, of_device = text.partition(f"\n{DEVICE.name}\n")
    assert "gpu-throttled" not in before
    assert "the GPU is too hot" in of_device
    assert "? gpu-util-misleading: needs counters of activity" in of_device


def test_markdown_has_a_table_for_it() -> None:
    text = render(advice(), "markdown")
    assert f"## {DEVICE.name}" in text
    assert text.count("| # | severity |") == 2
    assert "the GPU is too hot" in text


def test_annotations_name_it() -> None:
    assert any(DEVICE.name in line and "gpu-throttled" in line for line in render(advice(), "github").splitlines())


def test_a_service_asked_for_alone_brings_the_devices_that_it_is_on() -> None:
    document = advice()
    name = document.findings[0].subject.name
    assert 101 in document.findings[0].subject.pids
    kept = only(document, name)
    assert [f.rule for f in kept.findings] == [document.findings[0].rule, "gpu-throttled"]
    elsewhere = msgspec.structs.replace(DEVICE, pids=(999,))
    away = [msgspec.structs.replace(f, subject=elsewhere) if f.subject == DEVICE else f for f in document.findings]
    others = msgspec.structs.replace(document, findings=tuple(away))
    assert "gpu-throttled" not in {f.rule for f in only(others, name).findings}
