"""What is said of a fleet is right in numbers, and what cannot be told is not guessed."""

import random

import pytest

from advisor.finding import Severity
from advisor.fleet.findings import gpu_candidates, same_findings
from advisor.fleet.items import FleetInconclusive, FleetItem
from advisor.fleet.judge import judged
from advisor.fleet.outliers import outliers
from advisor.fleet.packing import packing
from advisor.fleet.totals import cost, headroom
from tests.advisor.fleet_built import SERVICE, findings, fleet, node


def number(item: FleetItem, name: str) -> float:
    return next(one.value for one in item.numbers if one.name == name)


def test_a_slow_node_stands_out_and_a_fast_one_is_no_fault() -> None:
    [slow] = outliers(fleet(8, latency_p99={3: 0.9}))
    assert isinstance(slow, FleetItem)
    assert (slow.severity, slow.nodes, slow.node_count) == (Severity.LOW, (node(3),), 1)
    assert number(slow, "median") == 0.2
    assert [one.value for one in slow.numbers if one.node == node(3)] == [0.9]
    assert "avg_over_time(nodewright_service_latency_p99_seconds[3600s])" in slow.promql[0]
    [fast] = outliers(fleet(8, latency_p99={3: 0.01}))
    assert isinstance(fast, FleetItem)
    assert fast.severity == Severity.INFO


def test_a_request_that_costs_more_cpu_stands_out_where_the_rate_differs_too() -> None:
    told = [one for one in outliers(fleet(8, used_cores={3: 6.0}, requests={3: 50.0})) if isinstance(one, FleetItem)]
    assert {one.title.partition(" of 1")[0] for one in told} == {"CPU time of a request", "requests"}
    assert [n.value for one in told for n in one.numbers if n.node and one.severity == Severity.LOW] == [0.12]


def test_two_kinds_of_nodes_are_no_outliers_of_each_other() -> None:
    [told] = outliers(fleet(10, latency_p99=dict.fromkeys(range(4), 0.9)))
    assert isinstance(told, FleetItem)
    assert told.severity == Severity.INFO
    assert "two kinds" in told.summary


def test_other_hardware_of_an_outlier_is_told() -> None:
    [told] = outliers(fleet(8, latency_p99={3: 0.9}, cores={3: 8}))
    assert isinstance(told, FleetItem)
    assert told.limits == (f"{node(3)}: 8 cores, where the others have 16",)


def test_too_few_replicas_and_too_few_samples_are_not_judged() -> None:
    for few in (fleet(4, latency_p99={3: 0.9}), fleet(8, samples=dict.fromkeys(range(4), 9.0), latency_p99={7: 0.9})):
        [told] = outliers(few)
        assert isinstance(told, FleetInconclusive)
        assert "5 nodes" in told.needs
    assert list(outliers(fleet(1))) == []


def test_a_large_fleet_that_scatters_has_no_outlier_by_chance() -> None:
    for seed in range(5):
        draw = random.Random(seed)
        spread = {name: {n: draw.gauss(level, 0.2 * level) for n in range(1000)} for name, level in
                  (("latency_p99", 0.2), ("requests", 100.0), ("resident_peak", 8e9), ("used_cores", 4.0))}  # fmt: skip
        told = list(outliers(fleet(1000, **spread)))
        assert all(one.title.startswith("CPU") for one in told if isinstance(one, FleetItem)), (
            "a ratio has a heavier tail"
        )


def test_a_finding_of_several_nodes_is_said_once_with_its_gravest() -> None:
    stand = findings("cpu-oversubscribed-openmp", {0: "medium", 2: "high", 5: "medium"}) + findings(
        "io-bound", {1: "low"}
    )
    [told] = same_findings(fleet(6, {"finding": stand}))
    assert isinstance(told, FleetItem)
    assert (told.severity, told.node_count, told.title) == (
        Severity.HIGH,
        3,
        "cpu-oversubscribed-openmp on 3 of 6 nodes",
    )
    assert [(one.name, one.value) for one in told.numbers] == [("nodes at high", 1), ("nodes at medium", 2)]


def test_headroom_adds_up_and_says_whether_a_node_can_be_lost() -> None:
    [told] = headroom(fleet(4))
    assert isinstance(told, FleetItem)
    assert (number(told, "capacity"), number(told, "least capacity")) == (1200, 1000)
    assert told.title == "60 % headroom at peak over 4 nodes"
    assert "can be lost" in told.summary
    assert "--since 24h" in told.limits[0]
    [full] = headroom(fleet(4, requests_peak=dict.fromkeys(range(4), 240.0)))
    assert isinstance(full, FleetItem)
    assert full.severity == Severity.LOW
    assert "without its largest node" in full.summary


def test_headroom_without_any_capacity_says_what_is_missing() -> None:
    [told] = headroom(fleet(4, capacity=dict.fromkeys(range(4))))
    assert isinstance(told, FleetInconclusive)
    assert "none of 4 nodes" in told.needs
    [some] = headroom(fleet(4, capacity={0: None}))
    assert isinstance(some, FleetItem)
    assert (number(some, "capacity"), some.node_count) == (900, 3)
    assert any("1 of 4 nodes" in one for one in some.limits)


def test_cost_is_share_times_price_and_never_across_currencies() -> None:
    [told] = cost(fleet(4))
    assert isinstance(told, FleetItem)
    assert number(told, "cost") == 4.0
    assert told.title == "4 EUR an hour on 4 nodes, 0.002778 EUR per 1000 requests"
    prices = [({"instance": node(n), "currency": "EUR" if n else "USD"}, 2.0) for n in range(3)]
    both = [one for one in cost(fleet(4, {"price": prices})) if isinstance(one, FleetItem)]
    assert [number(one, "cost") for one in both] == [2.0, 1.0]
    assert all(one.limits for one in both)
    [none] = cost(fleet(4, {"price": []}))
    assert isinstance(none, FleetInconclusive)
    assert "[prices] on 4 nodes" in none.needs


def test_gpu_candidates_come_from_the_nodes_and_what_is_missing_too() -> None:
    missing = [({"instance": node(1), "service": SERVICE, "needs": "profile"}, 1.0)]
    stand = findings("gpu-migration-candidate", {0: "info"})
    candidate, unclear = gpu_candidates(fleet(4, {"finding": stand, "missing": missing}))
    assert isinstance(candidate, FleetItem)
    assert number(candidate, "cores used") == 4.0
    assert isinstance(unclear, FleetInconclusive)
    assert "profile on 1 nodes" in unclear.needs


def test_packing_is_a_hint_with_room_for_a_lost_node() -> None:
    told = [one for one in packing(fleet(8)) if isinstance(one, FleetItem)]
    assert {one.severity for one in told} == {Severity.INFO}
    assert [number(one, "nodes that would do") for one in told if one.service] == [6]  # 8 × 120 of 250 × 0.7 each
    assert all(one.limits for one in told)
    quiet = [one for one in packing(fleet(8, requests_peak=dict.fromkeys(range(8), 1.0))) if isinstance(one, FleetItem)]
    assert number(quiet[0], "nodes that would do") == 2, "one may be lost"


@pytest.mark.parametrize(
    "changed", [{"capacity_low": {0: None}}, {"requests_peak": {0: None}}, {"capacity_low": {0: 0.0}}]
)
def test_packing_does_not_guess_a_capacity(changed: dict[str, dict[int, float | None]]) -> None:
    told = list(packing(fleet(8, **changed)))  # type: ignore[arg-type]
    assert [one.service for one in told if isinstance(one, FleetInconclusive)] == [SERVICE]


def test_packing_leaves_gpus_alone_and_wants_the_size_of_nodes() -> None:
    assert list(packing(fleet(8, gpu_contexts=dict.fromkeys(range(8), 1.0)))) == []
    unclear = [one for one in packing(fleet(8, memory={2: None})) if isinstance(one, FleetInconclusive)]
    assert [(one.service, one.needs) for one in unclear] == [(None, f"cores and memory of 1 nodes ({node(2)})")]


def test_the_document_starts_with_the_gravest_and_tells_of_mixed_versions() -> None:
    versions = [({"instance": node(n), "version": f"0.{n % 2}"}, 1.0) for n in range(6)]
    made = judged(fleet(6, {"version": versions}, latency_p99={3: 0.9}), "http://x", "now")
    levels = [one.severity.level for one in made.items]
    assert levels == sorted(levels, reverse=True)
    assert len(made.items) > 2
    assert made.notes == (
        "several versions of nodewright (0.0: 3, 0.1: 3): what the older ones do not tell is missing",
    )
