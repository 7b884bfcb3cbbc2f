"""Are the ratios those of the windows, paired within a round?"""

import itertools
import subprocess
import time
from pathlib import Path

import pytest

from advisor.finding import Gain
from agent.demo.measure import Ratio, Window, comparison, measure_pairs, ratio
from agent.demo.serving import Server


def window(rps: float, p50: float = 10.0, p99: float = 20.0, memory_bytes: int | None = 1000) -> Window:
    return Window(requests_per_second=rps, latency_p50_ms=p50, latency_p99_ms=p99, memory_bytes=memory_bytes)


@pytest.fixture
def servers() -> tuple[Server, Server]:
    program = subprocess.Popen(["true"])
    program.wait()
    return (
        Server(program=program, port=1, folder=Path("before")),
        Server(program=program, port=2, folder=Path("after")),
    )


def test_ratios_are_after_over_before_within_a_round() -> None:
    pairs = [(window(20, 100), window(100, 20)), (window(40, 80), window(120, 40)), (window(25), window(100))]
    assert ratio("throughput_ratio", pairs) == Ratio(4.0, 3.0, 5.0)
    assert ratio("latency_p50_ratio", pairs) == Ratio(0.5, 0.2, 1.0)
    assert ratio("memory_ratio", pairs) == Ratio(1.0, 1.0, 1.0)
    assert ratio("cost_ratio", pairs) is None


def test_memory_that_could_not_be_read_gives_no_ratio() -> None:
    assert ratio("memory_ratio", [(window(1, memory_bytes=None), window(1, memory_bytes=None))]) is None


def test_more_throughput_is_better_and_less_of_everything_else() -> None:
    assert Ratio(1.2, 1, 2).improved("throughput_ratio")
    assert not Ratio(0.9, 1, 2).improved("throughput_ratio")
    assert Ratio(0.9, 1, 2).improved("memory_ratio")
    assert not Ratio(1.2, 1, 2).improved("latency_p99_ratio")


def test_both_servers_are_measured_in_turn_with_the_order_swapped(servers: tuple[Server, Server]) -> None:
    order: list[str] = []

    def measure(server: Server) -> Window:
        order.append(server.folder.name)
        return window(10.0 if server.port == 1 else 30.0)

    said: list[str] = []
    pairs = measure_pairs(measure, *servers, rounds=3, deadline=time.monotonic() + 100, say=said.append)
    assert order == ["before", "after", "after", "before", "before", "after"]
    assert [pair[1].requests_per_second / pair[0].requests_per_second for pair in pairs] == [3.0] * 3
    assert len(said) == 3


def test_at_least_two_rounds_are_measured_even_when_time_is_over(servers: tuple[Server, Server]) -> None:
    count = itertools.count(1)
    pairs = measure_pairs(lambda _: window(next(count)), *servers, rounds=6, deadline=0.0, say=lambda _: None)
    assert len(pairs) == 2


def test_a_line_says_whether_the_measured_ratio_lies_in_the_predicted_interval() -> None:
    gain = Gain(metric="throughput_ratio", p10=2.0, p50=4.0, p90=9.0)
    assert comparison("throughput_ratio", gain, Ratio(4.2, 3.9, 4.4)).endswith(
        "measured 4.2 (3.9 to 4.4), inside the interval"
    )
    assert comparison("throughput_ratio", gain, Ratio(1.2, 1.1, 1.3)).endswith("outside the interval")
    assert "not predicted" in comparison("throughput_ratio", None, Ratio(1.2, 1.1, 1.3))
