"""Services with a known fault on a real H100 (`bench/gpu_causes`): is the fault named, what mends it, and does the gain that is
said hold what was measured?"""

import json
import lzma
from pathlib import Path
from statistics import geometric_mean

import pytest

from advisor.documents import AdviceDocument
from advisor.finding import Finding, Severity
from agent.played import play
from tests.agent.test_replay import LOADED

RECORDINGS = Path(__file__).parents[1] / "fixtures" / "recordings" / "h100"
MEASURED = json.loads((RECORDINGS / "measured.json").read_text())


def advice_of(name: str, folder: Path) -> AdviceDocument:
    path = folder / f"{name}.db"
    path.write_bytes(lzma.decompress((RECORDINGS / f"{name}.db.xz").read_bytes()))
    return play(LOADED, path).advice


def first(advice: AdviceDocument) -> Finding:
    return min(advice.findings, key=lambda finding: finding.rank)


@pytest.mark.parametrize(
    ("name", "rule", "changes"),
    [
        ("launches", "gpu-launch-bound", [("cuda_graphs", True)]),
        ("preprocessing", "gpu-starved-by-preprocess", [("workers", 16)]),
        ("copies", "pcie-bound", []),
    ],
)
def test_the_fault_is_named_first_and_the_gain_holds_what_was_measured(
    tmp_path: Path, name: str, rule: str, changes: list[tuple[str, object]]
) -> None:
    found = first(advice_of(name, tmp_path))
    assert found.rule == rule
    assert found.severity is Severity.HIGH
    assert [(change.lever, change.proposed) for change in found.changes] == changes
    (gain,) = (gain for gain in found.gains if gain.metric == "throughput_ratio")
    runs = MEASURED[name]
    measured = geometric_mean(runs["after"]) / geometric_mean(runs["before"])
    assert gain.p10 <= measured <= gain.p90


def test_single_requests_on_a_gpu_are_put_together_and_the_process_before_the_worker_bounds_more_of_them(
    tmp_path: Path,
) -> None:
    advice = advice_of("small-batches", tmp_path)
    found = {finding.rule: finding for finding in advice.findings}
    for rule, runs in (("gpu-small-batches", "small-batches"), ("workers-below-cores-saturated", "one-worker")):
        (gain,) = (gain for gain in found[rule].gains if gain.metric == "throughput_ratio")
        measured = geometric_mean(MEASURED[runs]["after"]) / geometric_mean(MEASURED[runs]["before"])
        assert gain.p10 <= measured <= gain.p90, rule
    size, delay = found["gpu-small-batches"].changes
    assert (size.proposed, delay.proposed) == (4, pytest.approx(0.0061, abs=1e-4))


def test_what_is_as_it_should_be_or_cannot_be_mended_by_a_setting_is_no_more_than_worth_knowing(tmp_path: Path) -> None:
    full, memory = advice_of("full-device", tmp_path), advice_of("full-memory", tmp_path)
    assert {(one.rule, one.severity) for one in full.findings} == {("gpu-throttled", Severity.INFO)}
    assert {(one.rule, one.severity) for one in memory.findings} == {("vram-near-full", Severity.INFO)}
    assert "75.3 GiB" in memory.findings[0].title


def test_contexts_that_hold_a_sixteenth_of_a_device_are_not_worth_a_word(tmp_path: Path) -> None:
    """Eight processes with 5.2 GB beside their models of 79 GiB; with two of them nothing was lost either."""
    advice = advice_of("contexts", tmp_path)
    assert {one.rule for one in advice.findings} == {"model-replicated-per-worker"}
    runs = MEASURED["contexts"]
    assert geometric_mean(runs["after"]) / geometric_mean(runs["before"]) == pytest.approx(0.94, abs=0.05)
