"""R09 on built hosts."""

import pytest

from advisor.rules.affinity_overlapping_pins import AffinityOverlappingPins
from tests.advisor.built import (
    concluded,
    facts,
    fighting_pools,
    gains,
    narrow_mask,
    numbers,
    overlapping_pins,
    thread,
    verdict,
    view,
    worker,
)

RULE = AffinityOverlappingPins()


def test_two_workers_that_pinned_themselves_to_one_cpu_are_spread():
    found = concluded(RULE, overlapping_pins())
    assert numbers(found)["shared_cpus"] == 1
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("affinity", "0", "0-1")]
    assert "worker 0: 0, worker 1: 1" in found.summary
    assert gains(found)["throughput_ratio"][2] == pytest.approx(2.0, abs=0.05)


def test_disjoint_pins_just_miss():
    apart = [worker(101, [thread(101, 0.9, 0.5, allowed=(0,))]), worker(102, [thread(102, 0.9, 0.5, allowed=(1,))])]
    assert verdict(RULE, view(apart, cores=4)) is None


def test_shared_pins_without_an_idle_cpu_just_miss():
    assert verdict(RULE, view(overlapping_pins().workers, busy=(1.0, 0.5))) is None


def test_a_mask_inherited_from_the_parent_is_a_narrow_mask():
    assert verdict(RULE, narrow_mask()) is None


def test_an_openmp_binding_variable_means_colliding_thread_pins():
    seen = overlapping_pins()
    assert verdict(RULE, seen, facts(seen, environ={"OMP_PROC_BIND": "true"})) is None
    assert verdict(RULE, seen, facts(seen, environ={"OMP_PROC_BIND": "false"})) is not None


def test_with_an_unreadable_environment_mixed_masks_are_left_to_the_other_rule():
    seen = overlapping_pins(mixed=True)
    assert verdict(RULE, seen, facts(seen, environ=None)) is None


def test_oversubscription_without_masks_is_not_its_case():
    assert verdict(RULE, fighting_pools()) is None
