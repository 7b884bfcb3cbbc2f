"""R06 on built hosts."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.rules.openmp_spin_wait import OpenmpSpinWait
from collectors.profiles.profile import Missing
from tests.advisor import built, profiled_hosts
from tests.advisor.built import concluded, facts, fighting_pools, gains, numbers, threads_set, verdict
from tests.advisor.profiled_hosts import spinning
from tests.advisor.profiles_built import profiled, worker_profile

RULE = OpenmpSpinWait()


def test_spinning_threads_go_to_sleep_where_others_wait_for_their_cores():
    found = concluded(RULE, *spinning())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("thread_waiting", "active", "passive")]
    shown = numbers(found)
    assert (shown["spin_share"], shown["spinning_cores"], shown["waiting_cores"]) == pytest.approx((0.4, 1.52, 0.8))
    assert "libgomp" in found.title


def test_the_gain_is_what_those_that_wait_can_use_of_the_freed_cores():
    useful = 3.8 * 0.6
    low, likely, high = gains(concluded(RULE, *spinning()))["throughput_ratio"]
    assert (low, likely, high) == pytest.approx((0.9, 1 + 0.4 / useful, 1 + 0.8 / useful), abs=0.001)


def test_it_says_so_and_promises_nothing_where_nobody_waits():
    found = concluded(RULE, *spinning(waiting=0.05))
    assert (found.gains, found.changes) == ((), ())
    assert "nobody waits for" in found.title
    judged = Engine(all_rules()).judge(*spinning(waiting=0.05)).judged
    assert [(j.rule, j.severity) for j in judged] == [("openmp-spin-wait", "info")]


def test_a_share_that_its_error_may_explain_just_misses():
    assert verdict(RULE, *spinning(spin=0.26)) is None
    assert verdict(RULE, *spinning(spin=0.28)) is not None


def test_it_asks_only_where_somebody_waits_and_names_the_right_that_is_missing():
    seen, _ = spinning()
    assert isinstance(verdict(RULE, seen, facts(seen, environ={})), Need)
    calm, _ = spinning(waiting=0.05)
    assert verdict(RULE, calm, facts(calm, environ={})) is None
    blind = profiled(
        seen, worker_profile(101, 1.9, {"kernel": 0.9}), missing=(Missing("native", "no perf events", "do"),)
    )
    need = verdict(RULE, seen, blind)
    assert isinstance(need, Need)
    assert (need.kind, need.text) == ("privilege", "no perf events: do")
    calm_blind = msgspec.structs.replace(blind, service=calm.service)
    assert verdict(RULE, calm, calm_blind) is None


def test_pools_that_sleep_already_have_nothing_to_change():
    seen, known = spinning()
    told = msgspec.structs.replace(facts(seen, environ={"OMP_WAIT_POLICY": "PASSIVE"}), profile=known.profile)
    assert verdict(RULE, seen, told) is None
    overruled = facts(seen, environ={"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "30000"})
    assert verdict(RULE, seen, msgspec.structs.replace(overruled, profile=known.profile)) is not None


def test_it_yields_to_too_many_threads():
    seen = fighting_pools()
    known = profiled(seen, *(worker_profile(k, 0.99, {"spin": 0.5, "kernel": 0.4}) for k in (101, 102)))
    assert [j.rule for j in Engine(all_rules()).judge(seen, known).judged] == ["cpu-oversubscribed-openmp"]
    one = msgspec.structs.replace(known, threads=threads_set(1))
    assert "openmp-spin-wait" in [j.rule for j in Engine(all_rules()).judge(seen, one).judged]


def test_look_alikes_are_listed_with_their_numbers():
    listed = {r.cause: r.because for r in concluded(RULE, *spinning()).rejected}
    assert listed["cpu-oversubscribed-openmp"].startswith("4 active compute threads on 4 cores")


@pytest.mark.parametrize("host", [h for h in profiled_hosts.ALL if h is not spinning], ids=lambda h: h.__name__)
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, *host()) is None


@pytest.mark.parametrize(
    "host", [built.healthy, built.too_many_workers, built.noisy_neighbour, built.one_saturated_worker]
)
def test_single_threaded_workers_give_it_no_reason_to_ask(host):
    assert verdict(RULE, host()) is None
