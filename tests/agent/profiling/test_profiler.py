"""The profiler as a whole: who is profiled when, what rules get, and how it stops."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from advisor.profiling.stored import StoredProfile
from agent.profiling.profiler import Busy, Profiler, ProfilingLimits, Take
from collectors.profiles.profile import Missing, Profile, ProfileCost, ProfileSpec
from tests.agent.profiling.profiles import profile_of
from tests.agent.profiling.scenes import key, scene, service
from tests.agent.sidecar.targets_of_tests import until

BURSTS_ONLY = ProfilingLimits(probe=False)
DENIED = Missing("python", "no permission to read its memory", "run the sidecar with CAP_SYS_PTRACE")


class Recorded:
    """What was asked of the taker, and what was kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []
        self.kept: list[StoredProfile] = []

    def take(self, who, spec: ProfileSpec, end: threading.Event) -> Profile | Missing:
        self.asked.append((who.pid, spec.kind))
        return profile_of(who, spec)

    def bursts(self) -> list[int]:
        return sorted(pid for pid, kind in self.asked if kind == "burst")


@contextmanager
def profiler(take: Take, keep: Callable[[StoredProfile], None], limits: ProfilingLimits) -> Iterator[Profiler]:
    running = Profiler(take, keep, limits)
    running.start()
    try:
        yield running
    finally:
        running.stop(10.0)


def test_a_loaded_service_is_looked_into_and_rules_get_what_was_seen():
    seen = Recorded()
    with profiler(seen.take, seen.kept.append, BURSTS_ONLY) as running:
        running.update([scene()])
        until(lambda: len(seen.kept) == 2)
        view = running.view(service(), 0)
        assert running.view(service(), 1) is None  # another configuration
        assert running.view(service("other", (301,)), 0) is None
    assert seen.bursts() == [101, 102]
    assert view is not None
    assert [worker.key for worker in view.workers] == [key(101), key(102)]
    assert view.workers[0].classes["python"].value == 1.0
    assert view.workers[0].gil_held.value == 1.0
    assert {kept.reason for kept in seen.kept} == {"the first look at a loaded service"}
    assert {stack.frames for kept in seen.kept for stack in kept.stacks} == {("predict (/srv/app.py:3)",)}


def test_the_second_look_waits_for_its_minute_whatever_rules_ask():
    seen = Recorded()
    with profiler(seen.take, seen.kept.append, BURSTS_ONLY) as running:
        running.update([scene(asking=("gil-bound-worker",))])
        until(lambda: len(seen.kept) == 2)
        threading.Event().wait(1.0)
        assert len(seen.asked) == 2
        status = running.status()
    assert (status.bursts, status.failed) == (2, 0)
    assert status.cpu_seconds >= 0.6
    assert status.steady_ratio == 0.0


def test_a_changed_configuration_need_not_wait_for_its_minute():
    seen = Recorded()
    limits = ProfilingLimits(probe=False, worker_ratio=0.5)
    with profiler(seen.take, seen.kept.append, limits) as running:
        running.update([scene()])
        until(lambda: len(seen.kept) == 2)
        running.update([scene(generation=1)])
        until(lambda: len(seen.kept) == 4)
        assert running.view(service(), 1) is not None
    assert seen.bursts() == [101, 101, 102, 102]


def test_a_refusal_is_a_reason_that_rules_can_name():
    seen = Recorded()
    with profiler(lambda *_: DENIED, seen.kept.append, BURSTS_ONLY) as running:
        running.update([scene()])
        until(lambda: running.status().failed == 2)
        view = running.view(service(), 0)
        status = running.status()
    assert seen.kept == []
    assert view is not None
    assert view.workers == ()
    assert {missing.part for missing in view.missing} == {"python", "gil", "native", "states"}
    assert {missing.hint for missing in view.missing} == {DENIED.hint}
    assert status.problem == "no permission to read its memory (run the sidecar with CAP_SYS_PTRACE)"


def test_a_service_that_gets_slower_meanwhile_is_let_go_and_says_so():
    seen = Recorded()
    begun = threading.Event()

    def slow(who, spec, end):
        begun.set()
        assert end.wait(30)
        return profile_of(who, spec)

    with profiler(slow, seen.kept.append, BURSTS_ONLY) as running:
        running.update([scene(latency=0.02)])
        assert begun.wait(30)
        running.update([scene(latency=0.2)])
        until(lambda: len(seen.kept) == 2)
        status = running.status()
    assert status.stopped_early == 1
    assert status.resting == {"gunicorn/app:8000": "its latency rose from 20.0 to 200.0 ms while it was profiled"}
    assert all("ended early: its latency rose" in kept.notes[-1] for kept in seen.kept)


def test_probes_of_a_worker_are_kept_together_when_the_agent_ends():
    seen = Recorded()
    limits = ProfilingLimits(node_ratio=0.5, worker_ratio=0.5)
    with profiler(seen.take, seen.kept.append, limits) as running:
        running.update([scene(pids=(101,))])
        until(lambda: running.status().probes >= 2)
    window = next(kept for kept in seen.kept if kept.kind == "continuous")
    assert (window.pid, window.samples) == (101, running.status().probes)
    assert window.cost.cpu_seconds > 0
    assert {(stack.side, stack.count) for stack in window.stacks} == {("cpu", window.samples), ("gil", window.samples)}


def test_what_is_switched_off_takes_nothing():
    seen = Recorded()
    with profiler(seen.take, seen.kept.append, ProfilingLimits(enabled=False)) as running:
        running.update([scene()])
        threading.Event().wait(0.8)
        assert running.status().state == "off"
    assert seen.asked == []


def test_an_idle_service_is_never_touched():
    seen = Recorded()
    with profiler(seen.take, seen.kept.append, ProfilingLimits()) as running:
        running.update([scene(loaded=0, asking=("io-bound-workers",))])
        threading.Event().wait(1.0)
    assert seen.asked == []


def test_a_fault_of_ours_costs_one_profile_only():
    seen = Recorded()
    calls = []

    def broken(who, spec, end):
        calls.append(who.pid)
        if who.pid == 101:
            raise RuntimeError("planted")
        return profile_of(who, spec)

    with profiler(broken, seen.kept.append, BURSTS_ONLY) as running:
        running.update([scene()])
        until(lambda: len(seen.kept) == 1 and len(calls) == 2)
        assert running.status().state in ("ready", "profiling")
    assert seen.kept[0].pid == 102


def test_a_burst_that_runs_when_the_agent_ends_is_kept_as_far_as_it_came():
    seen = Recorded()
    begun = threading.Event()

    def until_the_end(who, spec, end):
        begun.set()
        assert end.wait(30)
        return profile_of(who, spec)

    with profiler(until_the_end, seen.kept.append, BURSTS_ONLY) as running:
        running.update([scene()])
        assert begun.wait(30)
    assert sorted(kept.pid for kept in seen.kept) == [101, 102]


def test_that_others_are_profiled_just_now_is_no_reason_for_a_rule():
    asked = threading.Event()

    def busy(who, spec, end):
        asked.set()
        return Busy("python", "2 profiles are being taken", "ask again in a few seconds")

    with profiler(busy, Recorded().kept.append, BURSTS_ONLY) as running:
        running.update([scene()])
        assert asked.wait(30)
        until(lambda: running.status().state == "ready")
        assert running.view(service(), 0) is None
        assert (running.status().failed, running.status().problem) == (0, None)


def test_a_service_that_can_afford_no_burst_does_not_hold_up_the_others():
    seen = Recorded()
    with profiler(seen.take, seen.kept.append, BURSTS_ONLY) as running:
        spent = profile_of(key(101), ProfileSpec(kind="burst", seconds=4.0))
        costly = msgspec.structs.replace(spent, cost=ProfileCost(cpu_seconds=0.6))
        running.spend(costly, asked=True)
        running.update([scene(pids=(101,), asking=("gil-convoy",)), scene("other", pids=(201,))])
        until(lambda: len(seen.kept) == 1)
    assert seen.bursts() == [201]


def test_a_service_that_started_up_when_it_was_looked_into_is_looked_into_again_once_it_has_clients():
    seen = Recorded()
    with profiler(seen.take, seen.kept.append, BURSTS_ONLY) as running:
        running.update([scene(pids=(101,), clients=False)])
        until(lambda: len(seen.kept) == 1)
        running.update([scene(pids=(101,))])
        until(lambda: len(seen.kept) == 2)
        running.update([scene(pids=(101,), clients=False)])
        threading.Event().wait(0.8)
    assert seen.bursts() == [101, 101]
