"""A large node's `/metrics` stays within its bound, keeps what is of most use, and says what it left out."""

from collections import Counter

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agent.http.deps import MOST_SERIES
from agent.http.exposition import Exposition
from agent.http.page import Pages
from bench.large_node import CORES, GPUS, SERVICES, WORKERS, LargeNode
from bench.metrics import ACCEPT

ALWAYS = {
    "nodewright_service_used_cores": SERVICES,
    "nodewright_service_capacity_per_second": SERVICES,
    "nodewright_service_node_share_ratio": SERVICES,
    "nodewright_serving_requests": SERVICES,
    "nodewright_cgroup_throttled_periods": SERVICES,
    "nodewright_core_user_seconds": CORES,
    "nodewright_gpu_sm_active_ratio": GPUS,
    "nodewright_worker_user_seconds": SERVICES * WORKERS,
    "nodewright_worker_resident_bytes": SERVICES * WORKERS,
    "nodewright_node_price_per_hour": 1,
}


@pytest.fixture(scope="module")
def node() -> LargeNode:
    return LargeNode()


def test_a_large_node_has_at_most_2000_series_and_those_of_use_are_among_them(node: LargeNode) -> None:
    found = _series(node, MOST_SERIES)
    assert found.total() <= MOST_SERIES == 2000
    assert {name: found[name] for name in ALWAYS} == ALWAYS
    assert found["nodewright_finding"] > 0


def test_what_is_left_out_is_counted_by_kind(node: LargeNode) -> None:
    some, every = Exposition(node.snapshot, node.second(), node.cgroups), _series(node, 1_000_000)
    left_out = {
        labels: value
        for f in some.families()
        if f.name == "nodewright_left_out_series"
        for labels, value in f.values.items()
    }
    assert left_out[(("kind", "worker_memory"),)] == 5 * SERVICES * WORKERS
    held = sum(len(f.values) for f in some.families())
    assert every.total() == held - len(left_out) + sum(left_out.values())
    assert every["nodewright_left_out_series"] == 0


def test_a_page_within_its_bound_parses_whole(node: LargeNode) -> None:
    body, _ = Pages().written(Exposition(node.snapshot, node.second(), node.cgroups).families(), ACCEPT)
    assert sum(len(one.samples) for one in text_string_to_metric_families(body.decode())) == body.count(
        b"\n"
    ) - body.count(b"#")


def _series(node: LargeNode, most: int) -> Counter[str]:
    families = Exposition(node.snapshot, node.second(), node.cgroups, most).families()
    return Counter({family.name: len(family.values) for family in families})
