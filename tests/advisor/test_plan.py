"""What is to be done first, what after it, and what all of it is worth."""

import pytest
from msgspec.structs import replace

from advisor.board import Board
from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Change, Finding, Gain, Severity
from advisor.plan import ASSUMED, Plan, plan_of
from advisor.view import View
from collectors.levers import Lever
from collectors.reading import Instant
from tests.advisor.built import facts, far_below, fighting_pools, thread, view, worker
from tests.advisor.every_host import every_host

LONGEST_VERDICT = 200
RECOVERS = {rule.id: rule.recovers for rule in all_rules()}


def findings_of(seen: View) -> tuple[Finding, ...]:
    board = Board()
    for second in (0, 2):
        judgement = Engine(all_rules()).judge(seen, facts(seen, environ={}), board.standing(seen.service))
        board.update(seen.service, judgement, seen, Instant(second * 10**9, second * 10**9))
    return board.findings(Instant(2 * 10**9, 2 * 10**9))


def planned(seen: View, **other: object) -> Plan:
    wanted = {"objective": None, "slo_p99_seconds": None, **other}
    return plan_of("s", seen, findings_of(seen), RECOVERS, otherwise="quiet", **wanted)


def pools_in_a_narrow_mask() -> View:
    """Two workers of two BLAS threads each that may use one CPU of two."""
    threads = [[thread(k, 0.25, 0.75, allowed=(0,)), thread(k + 50, 0.25, 0.75, kind="compute", allowed=(0,))]
               for k in (101, 102)]  # fmt: skip
    return view([worker(k, each) for k, each in zip((101, 102), threads, strict=True)])


def test_threads_come_before_the_mask_and_what_they_end_is_not_promised_twice():
    seen = pools_in_a_narrow_mask()
    plan = planned(seen)
    assert [step.rule for step in plan.steps] == ["cpu-oversubscribed-openmp", "affinity-too-narrow"]
    assert [step.changes[0].lever for step in plan.steps] == [Lever.COMPUTE_THREADS, Lever.AFFINITY]
    alone = {f.rule: next(g for g in f.gains if g.metric == "throughput_ratio") for f in findings_of(seen)}
    total = next(g for g in plan.total if g.metric == "throughput_ratio")
    product = alone["cpu-oversubscribed-openmp"].p90 * alone["affinity-too-narrow"].p90
    assert total.p10 < total.p50 < total.p90 < product
    assert "then 1 more step, together throughput ×" in plan.verdict


def test_one_step_is_its_own_verdict():
    plan = planned(fighting_pools())
    assert plan.verdict == findings_of(fighting_pools())[0].title
    assert plan.total == plan.steps[0].gains
    assert plan.assumes == ASSUMED


def test_what_would_be_done_in_vain_is_no_step():
    plan = planned(far_below())
    assert plan.steps == ()
    assert [f.rule for f in findings_of(far_below()) if f.id in plan.will_not_help] == ["below-one-worker-max"]
    assert "more workers will not help" in plan.verdict


def test_nothing_to_say_leaves_the_sentence_to_others():
    plan = plan_of("s", None, (), RECOVERS, None, None, "idle: nothing to judge")
    assert (plan.verdict, plan.steps, plan.total) == ("idle: nothing to judge", (), ())


def test_a_missed_objective_is_named_first_and_the_assumption_is_the_owners():
    slow = replace(fighting_pools(), latency_p99_seconds=0.35)
    plan = planned(slow, objective="latency", slo_p99_seconds=0.2)
    assert plan.verdict.startswith("p99 350 ms misses 200 ms: ")
    assert plan.assumes.startswith("latency counts most")
    assert not planned(slow, slo_p99_seconds=0.5).verdict.startswith("p99")


def test_a_symptom_is_no_step():
    finding = findings_of(fighting_pools())[0]
    change = Change(lever=Lever.WORKERS, current=1, proposed=2)
    gain = Gain(metric="throughput_ratio", p10=1.1, p50=1.2, p90=1.3)
    symptom = replace(finding, id="x", rule="gil-convoy", because_of=finding.id, changes=(change,), gains=(gain,), rank=2,
                      severity=Severity.MEDIUM)  # fmt: skip
    plan = plan_of("s", fighting_pools(), (finding, symptom), RECOVERS, None, None, "quiet")
    assert [step.finding for step in plan.steps] == [finding.id]


def step(finding: Finding, name: str, lever: Lever, proposed: int, p50: float, *, loss: float = 1.0) -> Finding:
    gains = (Gain(metric="throughput_ratio", p10=p50 * 0.9, p50=p50, p90=p50 * 1.1),
             Gain(metric="latency_p50_ratio", p10=loss * 0.9, p50=loss, p90=loss * 1.1))  # fmt: skip
    change = Change(lever=lever, current=4, proposed=proposed)
    return replace(finding, id=name, rule=name, changes=(change,), gains=gains, severity=Severity.MEDIUM)


def test_two_that_would_turn_the_same_lever_are_one_step():
    """More workers and fewer workers: the second is judged anew after the first."""
    (first, *_) = findings_of(fighting_pools())
    both = (step(first, "a", Lever.WORKERS, 8, 1.5), step(first, "b", Lever.WORKERS, 2, 1.4))
    plan = plan_of("s", None, both, {}, None, None, "quiet")
    assert [s.finding for s in plan.steps] == ["a"]
    assert plan.total == both[0].gains


def test_a_plan_that_costs_throughput_does_not_praise_it():
    (first, *_) = findings_of(fighting_pools())
    both = (step(first, "a", Lever.WORKERS, 8, 0.8, loss=0.5), step(first, "b", Lever.MAX_BATCH_SIZE, 2, 1.1, loss=0.9))
    plan = plan_of("s", None, both, {}, "latency", None, "quiet")
    total = {gain.metric: gain.p50 for gain in plan.total}
    assert total["throughput_ratio"] < 1
    assert total["latency_p50_ratio"] < 0.5
    assert "together" not in plan.verdict


@pytest.mark.parametrize(("seen", "known"), [pytest.param(*host, id=name) for name, host in every_host()])
def test_on_any_host_each_metric_of_a_plan_is_ordered_and_the_verdict_is_a_sentence(seen, known):
    board = Board()
    for second in (0, 2):
        board.update(
            seen.service, Engine(all_rules()).judge(seen, known), seen, Instant(second * 10**9, second * 10**9)
        )
    plan = plan_of("s", seen, board.findings(Instant(2 * 10**9, 2 * 10**9)), RECOVERS, None, 1e-6, "quiet")
    assert len(plan.verdict) <= LONGEST_VERDICT
    assert all(gain.p10 <= gain.p50 <= gain.p90 < float("inf") for gain in plan.total)
