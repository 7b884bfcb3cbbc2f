"""R22 on built hosts."""

import pytest
from msgspec.structs import replace

from advisor.finding import Need
from advisor.rules.memory_pressure import MemoryPressure
from advisor.rules.swap_or_major_faults import SwapOrMajorFaults
from tests.advisor.built import concluded, gains, healthy, judged, numbers, verdict
from tests.advisor.memory_built import GIB, MIB, swapping, wanting, with_model

RULE = MemoryPressure()


def test_a_mapped_model_twice_its_limit_is_told_with_the_limit_that_it_needs():
    found = concluded(RULE, with_model(wanting(), 256 * MIB))
    assert "the files that it maps do not fit into its memory limit of 128 MiB" in found.title
    assert numbers(found)["major_faults_per_second"] == 28
    assert numbers(found)["stalled_ratio"] == pytest.approx(0.27)
    needed = 1.1 * (256 + 20)  # the file and what is the process's own, in MiB
    (change,) = found.changes
    assert (change.lever, change.current) == ("memory_limit", 128 * MIB)
    assert change.proposed == 304 * MIB
    assert 0 <= change.proposed / MIB - needed < 16


def test_the_gain_lies_between_the_stalls_alone_and_the_kernels_time_as_well():
    ratio = gains(concluded(RULE, wanting()))["throughput_ratio"]
    most = (0.4 + 0.27) / (0.4 - 0.36)
    assert ratio[0] == pytest.approx(1 / (1 - 0.14), abs=0.001)
    assert ratio[1] == pytest.approx(most / 2, abs=0.001)
    assert ratio[2] == pytest.approx(most, abs=0.001)


def test_workers_whose_requests_wait_could_use_all_of_their_time():
    ratio = gains(concluded(RULE, replace(wanting(), accept_queue=(2.0,) * 15)))["throughput_ratio"]
    assert ratio[2] == pytest.approx(1 / (0.4 - 0.36), abs=0.001)


def test_more_stalls_promise_more():
    worse = wanting(some_ratio=0.5, full_ratio=0.4, io_some_ratio=0.6)
    assert (
        gains(concluded(RULE, worse))["throughput_ratio"][0] > gains(concluded(RULE, wanting()))["throughput_ratio"][0]
    )


def test_its_own_cgroup_is_believed_before_the_node():
    found = concluded(RULE, wanting(cgroup_some_ratio=0.5, cgroup_full_ratio=0.3, io_some_ratio=0.0))
    assert numbers(found)["stalled_ratio"] == 0.5
    assert gains(found)["throughput_ratio"][0] == pytest.approx(1 / 0.7, abs=0.001)
    assert found.confidence == 0.9


def test_swap_and_pages_that_are_nobodys_are_told_apart():
    assert "swaps" in concluded(RULE, swapping()).title
    anonymous = wanting(faults=0.0, cgroup_some_ratio=0.3, cgroup_full_ratio=0.1, node_major_faults_per_second=0.0)
    found = concluded(RULE, anonymous)
    assert "it waits for memory 30% of the time" in found.title
    assert {one.cause for one in found.rejected} >= {"swapping", "a mapped model that does not fit"}


def test_what_swap_holds_is_what_is_missing():
    (change,) = concluded(RULE, swapping()).changes
    assert change.proposed == pytest.approx(1.1 * (126 + 90) * MIB, abs=16 * MIB)


def test_a_node_without_memory_is_told_without_a_limit():
    found = concluded(RULE, wanting(limit=None, available=2 * GIB))
    assert "the node's memory" in found.title
    assert found.changes == ()
    assert verdict(RULE, wanting(limit=None, available=3 * GIB)) is None


def test_a_limit_that_the_node_cannot_give_is_not_proposed():
    found = concluded(RULE, with_model(wanting(available=100 * MIB), 256 * MIB))
    assert found.changes == ()
    assert "raise the limit" in found.summary


def test_page_cache_that_fills_a_limit_without_waits_is_no_want():
    assert verdict(RULE, wanting(faults=2.0, some_ratio=0.01, full_ratio=0.0, io_some_ratio=0.02)) is None


def test_a_tenth_of_the_time_is_where_it_begins_and_a_twentieth_where_it_ends():
    just_under = wanting(some_ratio=0.09, full_ratio=0.04, io_some_ratio=0.09)
    assert verdict(RULE, just_under) is None
    assert verdict(RULE, just_under, standing=True) is not None


def test_waits_of_others_are_left_to_them():
    mixed = wanting(faults=2.0, node_major_faults_per_second=200.0)
    assert verdict(RULE, mixed) is None


def test_without_faults_of_its_own_the_nodes_waits_may_be_anybodys():
    need = verdict(RULE, wanting(faults=0.0))
    assert isinstance(need, Need)
    assert need.kind == "kernel"
    assert "its own cgroup" in need.text


def test_without_pressure_stalls_it_asks_for_them():
    unknown = wanting(some_ratio=None, full_ratio=None, io_some_ratio=None)
    need = verdict(RULE, unknown)
    assert isinstance(need, Need)
    assert "psi=1" in need.text
    assert verdict(RULE, replace(unknown, cgroup=None)) is None


def test_it_is_the_cause_of_the_faults_and_comes_first():
    found = judged([SwapOrMajorFaults(), RULE], with_model(wanting(), 256 * MIB)).judged
    assert [(one.rule, one.cause) for one in found] == [
        ("memory-pressure", None),
        ("swap-or-major-faults", "memory-pressure"),
    ]
    assert found[0].severity == "high"


def test_a_healthy_service_does_not_want():
    assert verdict(RULE, healthy()) is None
