"""R39 on built devices and on recorded ones that nobody used."""

import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Need
from advisor.gpu.view import GpuView
from advisor.rule import Verdict
from advisor.rules.gpu_idle_overprovisioned import GpuIdleOverprovisioned
from tests.advisor.built import concluded, numbers
from tests.advisor.built import verdict as said
from tests.advisor.gpus_built import GIB, alone, gpu, hidden, process
from tests.advisor.gpus_replayed import over_hours, replayed

RULE = GpuIdleOverprovisioned()


def idle(hours: float = 24.0, busy: float | None = 0.03, memory: float | None = 0.12, **changed: object) -> GpuView:
    fields = {"processes": [process(101, 9 * GIB)], "hours": hours, "day_busy_p95": busy, "day_memory_p95": memory}
    return gpu(**(fields | changed))


def verdict(one: GpuView, *, standing: bool = False) -> Verdict:
    seen = alone(one)
    return said(RULE, seen, ServiceFacts(service=seen.service), standing=standing)


def found_on(one: GpuView) -> Conclusion:
    seen = alone(one)
    return concluded(RULE, seen, ServiceFacts(service=seen.service))


def test_a_day_of_little_use_is_told_with_its_numbers():
    found = found_on(idle())
    assert found.subject.kind == "device"
    assert "at most 3% of the time and 12% of its memory in 95 of 100 minutes over 24 h" in found.title
    assert "1 process has it now with 9.0 GiB" in found.summary
    assert "9.6 GiB of memory would hold" in found.summary
    assert "cannot be told from here" in found.summary
    assert numbers(found)["gpu_busy_minutes_p95"] == 0.03
    assert numbers(found)["gpu_memory_minutes_p95"] == 0.12
    assert {(e.window_seconds, e.samples) for e in found.evidence if e.metric.endswith("_p95")} == {(86400.0, 1440)}
    assert found.confidence == pytest.approx(0.85)


def test_without_a_price_there_is_no_gain_and_no_severity():
    found = found_on(idle())
    assert (found.gains, found.changes) == ((), ())
    seen = alone(idle())
    (judged,) = Engine([RULE]).judge(seen, ServiceFacts(service=seen.service)).judged
    assert judged.severity == "info"


def test_a_few_hours_are_provisional_and_grow_with_time():
    early, later = found_on(idle(2.0)), found_on(idle(12.0))
    assert "Provisional: seen for 2 h" in early.summary
    assert early.confidence == pytest.approx(0.15 + 0.7 * 2 / 24)
    assert early.confidence < later.confidence < found_on(idle()).confidence
    assert "Provisional" not in found_on(idle()).summary


def test_less_than_an_hour_says_nothing():
    assert verdict(idle(0.9)) is None


@pytest.mark.parametrize(("busy", "memory"), [(0.1, 0.12), (0.03, 0.3)])
def test_a_tenth_of_the_time_or_a_third_of_the_memory_just_misses(busy, memory):
    assert verdict(idle(busy=busy, memory=memory)) is None
    assert verdict(idle(busy=busy, memory=memory), standing=True) is not None


def test_a_model_kept_in_memory_is_use():
    assert verdict(idle(busy=0.0, memory=0.9)) is None


def test_use_that_is_not_readable_is_not_taken_for_none():
    need = verdict(idle(busy=None))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    assert "12% of its memory" in need.text
    assert verdict(idle(busy=None, memory=0.8)) is None
    assert verdict(idle(memory=None)) is None


@pytest.mark.parametrize(
    ("processes", "known", "text"),
    [
        ([], True, "No process has it now"),
        ([], False, "is not told"),
        ([process(101, GIB), hidden(7)], True, "2 processes have it now."),
    ],
)
def test_who_has_it_is_told_as_far_as_it_is_known(processes, known, text):
    one = idle(processes=processes, used=0, processes_known=known)
    assert text in found_on(one).summary


def test_an_instance_of_a_divided_card_counts_by_itself():
    one = idle(uuid="MIG-3", parent="gpu:GPU-7b1c", memory_total_bytes=20 * GIB)
    found = found_on(one)
    assert "instance MIG-3" in found.subject.name
    assert "smaller instance" in found.summary


def test_a_device_that_shares_the_nodes_memory_cannot_be_taken_out():
    assert verdict(idle(unified_memory=True)) is None


@pytest.mark.parametrize("card", ["h100", "h200"])
@pytest.mark.parametrize("phase", ["nothing", "idle"])
def test_a_recorded_card_that_nobody_works_on_is_found(card, phase):
    one = over_hours(replayed(card, phase), 24.0)
    assert numbers(found_on(one))["gpu_busy_minutes_p95"] == 0.0
    assert (found_on(one).summary.startswith("No process")) == (phase == "nothing")


@pytest.mark.parametrize("phase", ["sync", "launch", "pinned", "alloc", "graph", "shared"])
def test_recorded_work_of_any_kind_is_use(phase):
    assert verdict(over_hours(replayed("h100", phase, first=1), 24.0)) is None


def test_it_speaks_without_load():
    seen = alone(idle(samples=0))
    found = Engine(all_rules()).judge(seen, ServiceFacts(service=seen.service))
    assert "gpu-idle-overprovisioned" in [j.rule for j in found.judged]
    assert found.broken == ()
