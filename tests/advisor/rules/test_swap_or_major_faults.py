"""R23 on built hosts."""

import pytest

from advisor.finding import Need
from advisor.rules.swap_or_major_faults import SwapOrMajorFaults
from tests.advisor.built import concluded, gains, healthy, numbers, verdict
from tests.advisor.memory_built import GIB, MIB, swapping, wanting

RULE = SwapOrMajorFaults()
BLIND = {"some_ratio": None, "full_ratio": None, "io_some_ratio": None}


def test_pages_of_a_mapped_file_that_are_read_again_are_told_from_swap():
    found = concluded(RULE, wanting())
    assert found.title.startswith("28 times a second it waits for pages of mapped files")
    assert numbers(found)["memory_limit_hits_per_second"] == 37000
    assert ("swapping", "0.0 MiB per second come back from swap") in [(r.cause, r.because) for r in found.rejected]


def test_swap_is_told_without_a_limit_and_without_a_node_that_is_full():
    found = concluded(RULE, swapping(limit=None))
    assert "comes back from swap" in found.title
    assert "Neither a limit nor the node wants memory" in found.summary
    assert found.changes == ()


def test_swap_of_others_is_not_its_own():
    """Its own pages are none of those that come back: what it waits for is files, and nobody took those from it."""
    assert verdict(RULE, swapping(limit=None, swapped=0)) is None


def test_a_model_that_is_touched_for_the_first_time_is_left_out():
    assert verdict(RULE, wanting(faults=400.0, limit=None)) is None
    assert verdict(RULE, wanting(faults=400.0, limit=10 * GIB, limit_hits_per_second=0.0)) is None


def test_nine_faults_a_second_just_miss_and_stay_while_it_stands():
    assert verdict(RULE, wanting(faults=9.0)) is None
    assert verdict(RULE, wanting(faults=9.0), standing=True) is not None


def test_faults_that_cost_nothing_are_no_finding():
    assert verdict(RULE, wanting(some_ratio=0.01, full_ratio=0.0, io_some_ratio=0.03)) is None


def test_without_pressure_stalls_few_faults_are_not_judged_and_very_many_are():
    need = verdict(RULE, wanting(**BLIND))
    assert isinstance(need, Need)
    assert need.kind == "kernel"
    found = concluded(RULE, wanting(faults=800.0, **BLIND))
    assert found.confidence == 0.5
    assert gains(found)["throughput_ratio"][0] == pytest.approx(1 / (1 - 800 * 1e-4), abs=0.001)


def test_a_healthy_service_does_not_fault():
    assert verdict(RULE, healthy()) is None


def test_the_change_is_that_of_the_limit():
    (change,) = concluded(RULE, swapping()).changes
    assert change.proposed == pytest.approx(1.1 * (126 + 90) * MIB, abs=16 * MIB)
