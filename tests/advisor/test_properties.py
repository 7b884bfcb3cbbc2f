"""What holds for all rules on any host: none raises, numbers are numbers, worse is never told as better, noise opens and
closes nothing again and again."""

from collections.abc import Callable
from math import isfinite

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.board import Board
from advisor.catalogue import all_rules
from advisor.engine import Engine, Judgement
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion
from advisor.gpu.devices import device_views
from advisor.gpu.window import HORIZON_SECONDS
from advisor.view import View
from collectors.reading import Instant
from tests.advisor.built import facts, fighting_pools, noisy_neighbour, quota, thread, throttled_bursts, view, worker
from tests.advisor.cores_built import clocked, noded
from tests.advisor.every_host import every_host
from tests.advisor.mutations import changed, choices, picked

ENGINE = Engine(all_rules())
ALL = frozenset(rule.id for rule in all_rules())
HOSTS = every_host()
BOUNDED = settings(derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
SECOND = 1_000_000_000


class Case(msgspec.Struct, frozen=True):
    view: View
    facts: ServiceFacts


steps = st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 10)), max_size=12)
"""Which part of the host is changed, and into which of the things that it may be."""


def altered(case: Case, numbers: list[tuple[int, int]]) -> Case:
    """The host with these parts changed; facts stay those of the service that the view shows."""
    for which, what in numbers:
        part = picked(case, Case, which)
        offered = choices(part.name, part.kind, part.now)
        case = changed(case, part.path, offered[what % len(offered)])
    return changed(case, ("facts", "service"), case.view.service)


def whole(found: Conclusion) -> None:
    assert found.evidence
    for one in found.evidence:
        assert isfinite(one.observed), one
        assert one.threshold is None or isfinite(one.threshold), one
    for gain in found.gains:
        assert 0 < gain.p10 <= gain.p50 <= gain.p90 < float("inf"), gain
    for change in found.changes:
        assert change.proposed != change.current, change


@settings(BOUNDED, max_examples=500)
@given(host=st.sampled_from(HOSTS), numbers=steps, standing=st.booleans())
def test_no_rule_raises_and_every_number_is_one(host, numbers, standing: bool) -> None:
    """Also where anything is None, zero, huge, empty, on 300 CPUs, on none, or bound to CPUs that are not there."""
    _, (seen, known) = host
    case = altered(Case(seen, known), numbers)
    devices = device_views(case.view.node_gpus, HORIZON_SECONDS)
    for each in (case, *(Case(one, ServiceFacts(service=one.service)) for one in devices)):
        judgement = ENGINE.judge(each.view, each.facts, ALL if standing else frozenset())
        assert judgement.broken == ()
        for one in judgement.judged:
            whole(one.conclusion)


# ---- worse is never told as better -----------------------------------------------------------------------------------

TOLD = {rule.id for rule in all_rules() if rule.recovers not in ("memory", "nothing")}
"""Rules on what costs time: advice on memory that nobody needs is withdrawn where requests queue."""
EXPLAINED = {"workers-below-cores-saturated", "event-loop-blocked"}
"""What threads that wait for a CPU explain by themselves: these two say so and are silent beyond a limit."""


def more_waiting(seen: View, factor: float) -> View:
    """Each thread waits so many times longer for a CPU, as far as a second has room for it."""

    def longer(used: float, waiting: float) -> float:
        return max(waiting, min(waiting * factor, 1 - used))

    workers = []
    for one in seen.workers:
        own = tuple(replace(t, waiting_cores=longer(t.cores_used, t.waiting_cores)) for t in one.threads)
        total = sum(t.waiting_cores for t in own)
        waited = None if one.waiting_cores is None else max(one.waiting_cores, total)
        workers.append(replace(one, threads=own, waiting_cores=waited))
    return replace(seen, workers=tuple(workers))


def more_throttling(seen: View, factor: float) -> View:
    cgroup = seen.cgroup
    if cgroup is None or not cgroup.throttled_periods:
        return seen
    periods = min(cgroup.periods, round(cgroup.throttled_periods * factor))
    stopped = cgroup.throttled_seconds * periods / cgroup.throttled_periods
    return replace(seen, cgroup=replace(cgroup, throttled_periods=periods, throttled_seconds=stopped))


def deeper_queue(seen: View, factor: float) -> View:
    inside = None if seen.server_queue is None else seen.server_queue * factor
    return replace(seen, accept_queue=tuple(q + 5 * (factor - 1) for q in seen.accept_queue), server_queue=inside)


def more_stall(seen: View, factor: float) -> View:
    ratios = (name for name in msgspec.structs.asdict(seen.memory) if name.endswith("_ratio"))
    known = {name: value for name in ratios if (value := getattr(seen.memory, name)) is not None}
    return replace(seen, memory=replace(seen.memory, **{name: min(1.0, v * factor) for name, v in known.items()}))


def highest(judgement: Judgement, rules: set[str]) -> int:
    """The level of the worst finding of these rules; 0 where there is none above `info`."""
    return max((one.severity.level for one in judgement.judged if one.rule in rules), default=0)


factors = st.floats(1, 6)


@pytest.mark.parametrize("worse", [more_waiting, more_throttling, deeper_queue, more_stall])
@settings(BOUNDED, max_examples=100)
@given(data=st.data())
def test_more_of_one_trouble_never_lowers_the_highest_severity(worse: Callable[[View, float], View], data) -> None:
    _, (seen, known) = data.draw(st.sampled_from([host for host in HOSTS if worse(host[1][0], 2.0) != host[1][0]]))
    pair = sorted(data.draw(st.tuples(factors, factors)))
    rules = TOLD - EXPLAINED if worse is more_waiting else TOLD
    less, more = (highest(ENGINE.judge(worse(seen, factor), known), rules) for factor in pair)
    assert more >= less


@pytest.mark.parametrize("threads", range(2, 9))
def test_a_narrower_mask_never_lowers_the_highest_severity(threads: int) -> None:
    """So many threads of one worker on eight CPUs, inside a mask of eight, of seven, and so on down to one."""
    levels = []
    for cpus in range(8, 0, -1):
        part = min(1.0, cpus / threads)
        mask = range(cpus)
        own = [
            thread(101 + k, 0.97 * part, 0.97 * (1 - part), kind="compute" if k else "main", allowed=mask)
            for k in range(threads)
        ]
        seen = view([worker(101, own)], cores=8)
        levels.append(highest(ENGINE.judge(seen, facts(seen, environ={})), TOLD))
    assert levels == sorted(levels)
    assert levels[0] < levels[-1]


# ---- noise opens and closes nothing again and again ------------------------------------------------------------------


def pools(factor: float) -> View:
    """At 1: a run-queue delay of 40 % of the runnable time."""
    waiting = factor * 0.5 * 0.4 / 0.6
    return view(
        [worker(k, [thread(k, 0.5, waiting), thread(k + 50, 0.5, waiting, kind="compute")]) for k in (101, 102)]
    )


def narrow(factor: float) -> View:
    """At 1: a run-queue delay of 30 %, and 0.86 threads of two wait inside a mask of two of eight CPUs."""
    waiting = factor * 0.66 * 0.3 / 0.7
    own = [thread(101 + k, 0.66, waiting, kind="compute" if k else "main", allowed=(0, 1)) for k in range(3)]
    return view([worker(101, own)], cores=8)


def spread_over_nodes(factor: float) -> View:
    """At 1: a fifth of the CPU time on the other node."""
    away = 0.2 * factor
    one = thread(101, 0.9, 0.02, allowed=range(8), seen={0: 1 - away, 4: away})
    return noded(view([worker(101, [one])], cores=8), range(4), range(4, 8))


def slow_cores(factor: float) -> View:
    """At 1: 80 % of the base clock, by a limit."""
    ghz = 0.8 * 2.4 / factor
    return clocked(view([worker(101, [thread(101, 0.97, 0.02, seen={0: 1.0})])]), ghz, limit=ghz)


AT_THRESHOLD: dict[str, Callable[[float], View]] = {
    "cpu-oversubscribed-openmp": pools,
    "affinity-too-narrow": narrow,
    "cgroup-cpu-throttled": lambda factor: view(
        throttled_bursts().workers, cgroup=quota(0.5, throttled=round(250 * factor), periods=1000, seconds=4)
    ),
    "cpu-noisy-neighbour": lambda factor: view(noisy_neighbour().workers, others=0.4 * factor),
    "affinity-cross-numa": spread_over_nodes,
    "cpu-power-or-thermal-capped": slow_cores,
}
"""Rule -> its host by a factor: below 1 it says nothing, above 1 it speaks."""


def at(seconds: float) -> Instant:
    return Instant(int(seconds * SECOND), 1_700_000_000 * SECOND + int(seconds * SECOND))


def say(board: Board, engine: Engine, seen: View, seconds: float) -> None:
    board.update(
        seen.service, engine.judge(seen, facts(seen, environ={}), board.standing(seen.service)), seen, at(seconds)
    )


def only(rule: str) -> Engine:
    return Engine([one for one in all_rules() if one.id == rule])


@pytest.mark.parametrize("rule", AT_THRESHOLD)
def test_the_hosts_lie_at_the_thresholds(rule: str) -> None:
    speaks = [
        bool(only(rule).judge(seen, facts(seen, environ={})).judged) for seen in map(AT_THRESHOLD[rule], (0.97, 1.03))
    ]
    assert speaks == [False, True]


@settings(BOUNDED, max_examples=25)
@given(rule=st.sampled_from(list(AT_THRESHOLD)), noise=st.lists(st.floats(0.96, 1.04), min_size=4, max_size=40))
def test_noise_around_a_threshold_opens_a_finding_once_at_most_and_does_not_close_it(
    rule: str, noise: list[float]
) -> None:
    """Ten minutes of a window that jitters by four percent, judged every two seconds; it need not be told for a minute."""
    board, engine, opened, before = Board(longest_hold_seconds=30), only(rule), 0, False
    for tick in range(300):
        say(board, engine, AT_THRESHOLD[rule](noise[tick % len(noise)]), 2.0 * tick)
        now = bool(board.findings(at(2.0 * tick)))
        opened += now and not before
        before = now
    assert opened <= 1
    assert board.ended == []


@pytest.mark.parametrize("rule", AT_THRESHOLD)
def test_a_trouble_that_ends_closes_its_finding_once_and_a_changed_lever_at_once(rule: str) -> None:
    for supersede in (False, True):
        board, engine, seen = Board(longest_hold_seconds=30), only(rule), AT_THRESHOLD[rule](1.04)
        for tick in range(40):
            say(board, engine, seen, 2.0 * tick)
        assert [f.rule for f in board.findings(at(80))] == [rule]
        if supersede:
            board.supersede(seen.service)
            assert board.findings(at(80)) == ()
        for tick in range(40, 100):
            say(board, engine, AT_THRESHOLD[rule](0.3), 2.0 * tick)
        assert [how for _, how in board.ended] == ["superseded" if supersede else "resolved"]


def test_the_hosts_make_most_rules_speak() -> None:
    """Properties of rules that never speak would say little."""
    told = {one.rule for _, (seen, known) in HOSTS for one in ENGINE.judge(seen, known).judged}
    assert len(told) >= 0.6 * len(ALL)
    assert fighting_pools.__name__ in "".join(name for name, _ in HOSTS)
