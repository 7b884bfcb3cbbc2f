"""Does the advice as text say what is found on devices, beside what is found on services?"""

import msgspec

from advisor.documents import AdviceDocument
from advisor.finding import Acknowledgement, Inconclusive, Need, Subject
from advisor.plan import Plan, Step
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


def muted_advice(**changes: str) -> AdviceDocument:
    document = example_snapshot().advice
    entry = Acknowledgement(
        state="acknowledged", reason="new node", owner="ada", at="2026-11-20T09:00:00Z", until="2026-11-27T10:00:00Z"
    )
    first = msgspec.structs.replace(document.findings[0], state="acknowledged", acknowledgement=entry, **changes)
    return msgspec.structs.replace(document, findings=(first,), inconclusive=())


NOTE = "acknowledged by ada until 2026-11-27T10:00:00Z: new node"


def test_what_is_acknowledged_is_told_in_two_lines_with_who_why_and_until_when() -> None:
    document = muted_advice()
    first = document.findings[0]
    lines = render(document, "text").splitlines()
    at = next(number for number, line in enumerate(lines) if first.rule in line)
    assert lines[at : at + 2] == [f"  1. [high] {first.rule} {first.id[:8]}: {first.title}", f"     {NOTE}"]
    assert "OMP_NUM_THREADS" not in "".join(lines)
    assert "\x1b" not in "".join(lines)
    assert f"\x1b[2m     {NOTE}\x1b[0m" in render(document, "text", dim=True)


def test_an_open_finding_shows_the_beginning_of_its_id() -> None:
    first = example_snapshot().advice.findings[0]
    assert f"  1. [high] {first.rule} {first.id[:8]} (confidence 0.86, open)" in render(advice(), "text")


def test_the_node_and_what_else_is_no_service_has_a_part_too() -> None:
    document = example_snapshot().advice
    assert "\nnode-1\n  1. [critical] memory-pressure" in render(document, "text")
    assert "## node-1\n" in render(document, "markdown")


def test_a_cell_of_markdown_holds_whatever_a_name_is() -> None:
    text = render(muted_advice(title="a | b\\| <script>\nnext"), "markdown")
    (row,) = [line for line in text.splitlines() if line.startswith("| 1 |")]
    assert f"| a \\| b\\\\\\| &lt;script> next ({NOTE}) |" in row


def test_annotations_are_escaped_as_the_runner_asks_and_what_is_acknowledged_is_a_notice() -> None:
    """`:` and `,` end a property, and nothing in the message; see escapeProperty of actions/toolkit."""
    document = example_snapshot().advice
    loud = msgspec.structs.replace(document.findings[0], rule="a:b,c%", title="50 %", summary="one\r\ntwo: x, y")
    assert render(msgspec.structs.replace(document, findings=(loud,)), "github") == (
        f"::error title=a%3Ab%2Cc%25::{loud.subject.name}: 50 %25. one%0D%0Atwo: x, y"
    )
    assert render(muted_advice(), "github").startswith("::notice title=cpu-oversubscribed-openmp::")
    assert render(muted_advice(), "github").endswith(NOTE)


def test_several_steps_are_told_in_their_order_with_what_they_bring_together() -> None:
    document = example_snapshot().advice
    finding = document.findings[0]
    steps = tuple(
        Step(finding=finding.id, rule=rule, title="t", changes=finding.changes[:1], gains=finding.gains)
        for rule in ("first-rule", "second-rule")
    )
    plan = Plan(
        service=finding.subject.name, verdict="v", steps=steps, total=finding.gains, will_not_help=(), assumes="nothing"
    )
    lines = render(msgspec.structs.replace(document, plans=(plan,)), "text").splitlines()
    start = lines.index("  in this order, each gain after the steps before it:")
    change = finding.changes[0]
    made = f"{change.lever} {change.current} → {change.proposed}"
    assert lines[start + 1].startswith(f"    step 1: {made} (first-rule): ")
    assert lines[start + 2].startswith(f"    step 2: {made} (second-rule): ")
    assert lines[start + 3].startswith("    together: ")
    assert "- step 2: " in render(msgspec.structs.replace(document, plans=(plan,)), "markdown")
    assert "in this order" not in render(
        msgspec.structs.replace(document, plans=(msgspec.structs.replace(plan, steps=steps[:1]),)), "text"
    )
