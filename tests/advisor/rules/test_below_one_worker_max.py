"""R03 on built hosts."""

import pytest

from advisor.rules.below_one_worker_max import BelowOneWorkerMax
from advisor.rules.cgroup_cpu_throttled import CgroupCpuThrottled
from tests.advisor.built import (
    concluded,
    far_below,
    gains,
    healthy,
    judged,
    numbers,
    quota,
    throttled_bursts,
    verdict,
    view,
)

RULE = BelowOneWorkerMax()


def test_a_load_that_one_worker_could_serve_is_said_to_be_one():
    found = concluded(RULE, far_below())
    assert numbers(found)["busy_workers_p90"] == pytest.approx(0.306)
    assert gains(found)["throughput_ratio"] == (0.98, 1.0, 1.02)
    assert found.changes == ()


def test_a_load_just_above_one_workers_share_is_not():
    assert verdict(RULE, healthy()) is None


def test_a_single_worker_has_nothing_to_compare():
    assert verdict(RULE, view(far_below().workers[:1])) is None


def test_somebody_waiting_to_be_accepted_cancels_it():
    assert verdict(RULE, view(far_below().workers, queue=(0.0,) * 10 + (6.0,) * 5)) is None


def test_busy_seconds_between_idle_ones_cancel_it():
    assert verdict(RULE, view(far_below().workers, demand=(0.2,) * 13 + (1.6, 1.6))) is None


def test_throttling_cancels_it():
    assert verdict(RULE, view(far_below().workers, cgroup=quota(1.0, throttled=20))) is None


def test_it_is_dropped_where_a_bottleneck_was_found():
    rules = [j.rule for j in judged([RULE, CgroupCpuThrottled()], throttled_bursts()).judged]
    assert rules == ["cgroup-cpu-throttled"]


def test_without_a_readable_accept_queue_it_is_less_sure():
    assert concluded(RULE, view(far_below().workers, queue=())).confidence < concluded(RULE, far_below()).confidence
