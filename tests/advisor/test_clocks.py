"""Do clocks that were read become the clocks of a view, over its loaded seconds alone?"""

from advisor.history import History
from collectors.reading import Instant, Ok, Reading
from collectors.sources.frequency import FrequencySample
from collectors.topology import Cpu, Topology
from tests.advisor.test_history import SECOND, Node


def clock(history: History, second: int, khz: int | None, events: int, cpu: int = 0) -> None:
    sample = FrequencySample(
        entity=f"core:{cpu}", current_khz=khz, base_khz=2_400_000, limit_khz=3_900_000, maximum_khz=3_900_000,
        throttle_events=events, governor="powersave",
    )  # fmt: skip
    at = Instant(second * SECOND, second * SECOND)
    history.add(Reading(collector="frequency", at=at, duration_ns=0, cpu_ns=0, late_ns=0, outcome=Ok((sample,))))


def test_a_clock_is_the_mean_of_the_loaded_seconds_and_heat_what_was_added_in_them() -> None:
    node = Node()
    for second in range(1, 31):
        idle = second <= 10
        if second % 5 == 0:
            clock(node.history, second, 800_000 if idle else 2_000_000 if second < 25 else 2_400_000, events=second)
        node.second(0.0 if idle else 0.9)
    seen = node.history.view(node.service).cores[0].frequency
    assert seen is not None
    assert seen.hertz == (2.0e9 + 2.4e9 + 2.4e9) / 3  # of the seconds 20, 25 and 30: 15 is before the window
    assert seen.throttle_events == 15
    assert (seen.base_hertz, seen.limit_hertz, seen.governor) == (2.4e9, 3.9e9, "powersave")


def test_a_core_that_tells_nothing_has_none_and_one_without_a_clock_tells_the_rest() -> None:
    node = Node()
    for second in range(1, 17):
        clock(node.history, second, None, events=7)
        node.second(0.9)
    first, other = node.history.view(node.service).cores
    assert first.frequency is not None
    assert (first.frequency.hertz, first.frequency.throttle_events) == (None, 0)
    assert other.frequency is None


def test_cores_know_their_memory_node_and_their_hardware_threads() -> None:
    node = Node()
    cpus = (Cpu(cpu=cpu, online=True, node=cpu, core_id=0, package=0, siblings=(0, 1), cache=()) for cpu in (0, 1))
    node.history.know_cpus(Topology(tuple(cpus)))
    node.second(0.9)
    node.second(0.9)
    assert [(core.node, core.siblings) for core in node.history.view(node.service).cores] == [
        (0, frozenset((0, 1))),
        (1, frozenset((0, 1))),
    ]
