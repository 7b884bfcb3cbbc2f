"""The engine: isolation, causes above symptoms, order of action, severity, and what it says without data."""

import math

import msgspec
import pytest

from advisor.catalogue import all_rules, pages, version_of
from advisor.engine import Engine, Judged, rank
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Gain, Severity, Subject
from advisor.rule import Rule, Settings, Verdict
from advisor.severity import severity
from advisor.view import View
from tests.advisor import built
from tests.advisor.built import facts, fighting_pools, judged, view

ENGINE = Engine(all_rules())
TOP = {
    built.fighting_pools: "cpu-oversubscribed-openmp",
    built.too_many_workers: "workers-exceed-cores",
    built.one_saturated_worker: "workers-below-cores-saturated",
    built.narrow_mask: "affinity-too-narrow",
    built.overlapping_pins: "affinity-overlapping-pins",
    built.throttled_bursts: "cgroup-cpu-throttled",
    built.default_pool_under_quota: "thread-default-ignores-quota",
    built.noisy_neighbour: "cpu-noisy-neighbour",
    built.far_below: "below-one-worker-max",
}


@pytest.mark.parametrize("host", TOP, ids=lambda h: h.__name__)
def test_each_built_host_has_one_root_cause_and_the_whole_catalogue_agrees(host):
    seen = host()
    found = ENGINE.judge(seen, facts(seen, environ={})).judged
    assert [j.rule for j in found if j.cause is None] == [TOP[host]]


def test_a_conclusion_carries_the_version_of_its_rule():
    found = judged(all_rules(), fighting_pools()).judged
    by_rule = {rule.id: version_of(rule) for rule in all_rules()}
    assert {j.rule: j.version for j in found} == {j.rule: by_rule[j.rule] for j in found}
    assert found[0].version
    assert len(set(by_rule.values())) == len(by_rule)


def test_a_healthy_host_gives_nothing_above_info():
    seen = built.healthy()
    assert [j.rule for j in ENGINE.judge(seen, facts(seen, environ={})).judged if j.severity != "info"] == []


def test_less_than_fifteen_loaded_seconds_say_how_many_are_missing():
    seen = view(fighting_pools().workers, samples=9)
    judgement = ENGINE.judge(seen, facts(seen))
    assert judgement.judged == ()
    assert {(i.needs.kind, i.needs.text) for i in judgement.inconclusive} == {("time", "6 more seconds of load")}
    judging = [rule for rule in all_rules() if rule.needs_load and not rule.of_devices and not rule.of_orphans]
    assert len(judgement.inconclusive) == len(judging) > 20


def test_a_kernel_without_run_queue_delay_is_inconclusive_not_healthy():
    seen = view(fighting_pools().workers, delay_readable=False)
    judgement = ENGINE.judge(seen, facts(seen))
    assert judgement.judged == ()
    assert judgement.inconclusive[0].needs.kind == "kernel"


class Broken(Rule):
    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        raise ZeroDivisionError("by the rule")


def test_a_rule_that_fails_costs_its_own_verdict_only():
    seen = fighting_pools()
    judgement = Engine([Broken(), *all_rules()]).judge(seen, facts(seen, environ={}))
    assert [j.rule for j in judgement.judged] == ["cpu-oversubscribed-openmp"]
    assert judgement.broken[0][1] == "ZeroDivisionError: by the rule"


class Impossible(Rule):
    """Concludes a gain of which no severity can be computed."""

    proven = ("built",)

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        return conclusion(Gain(metric="memory_ratio", p10=-0.2, p50=-0.1, p90=0.0))


def test_a_conclusion_that_cannot_be_judged_costs_its_rule_only():
    seen = fighting_pools()
    judgement = Engine([Impossible(), *all_rules()]).judge(seen, facts(seen, environ={}))
    assert [j.rule for j in judgement.judged] == ["cpu-oversubscribed-openmp"]
    assert judgement.broken == (("test-engine", "ValueError: memory_ratio of -0.2, -0.1, 0.0"),)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_gain_that_is_no_number_reaches_no_finding(odd):
    class Odd(Broken):
        def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
            return conclusion(Gain(metric="throughput_ratio", p10=odd, p50=odd, p90=odd))

    judgement = Engine([Odd()]).judge(fighting_pools(), facts(fighting_pools()))
    assert judgement.judged == ()
    assert "throughput_ratio of" in judgement.broken[0][1]


def test_threads_come_before_the_mask_that_they_would_spill_over():
    """Widening the mask of an oversubscribed service first can halve its throughput."""
    pools = [
        built.worker(
            k,
            [
                built.thread(k, 0.25, 0.75, allowed=(0,)),
                built.thread(k + 50, 0.25, 0.75, kind="compute", allowed=(0,)),
            ],
        )
        for k in (101, 102)
    ]
    ranked = judged(all_rules(), view(pools)).judged
    assert [j.rule for j in ranked] == ["cpu-oversubscribed-openmp", "affinity-too-narrow"]


def conclusion(gain: Gain, confidence: float = 1.0) -> Conclusion:
    return Conclusion(
        subject=Subject(kind="service", name="s"),
        title="t",
        summary="s",
        confidence=confidence,
        evidence=(Evidence(metric="m", unit="u", observed=1, threshold=None, window_seconds=15, samples=15),),
        gains=(gain,),
    )


class Proven(Broken):
    proven = ("built",)


@pytest.mark.parametrize(
    ("p50", "confidence", "expected"),
    [(2.1, 1.0, "high"), (2.1, 0.5, "medium"), (1.5, 1.0, "medium"), (1.1, 1.0, "low"), (1.0, 1.0, "info")],
)
def test_severity_is_impact_times_confidence(p50, confidence, expected):
    gain = Gain(metric="throughput_ratio", p10=1, p50=p50, p90=9)
    known = ServiceFacts(service=fighting_pools().service)
    assert severity(Proven(), conclusion(gain, confidence), known, None) == expected


def test_an_unproven_rule_never_speaks_above_info():
    gain = Gain(metric="throughput_ratio", p10=1, p50=9, p90=9)
    assert severity(Broken(), conclusion(gain), ServiceFacts(service=fighting_pools().service), None) == "info"


def test_an_objective_of_cost_weighs_memory_more():
    gain = Gain(metric="memory_ratio", p10=0.3, p50=0.4, p90=0.5)
    service = fighting_pools().service
    plain = severity(Proven(), conclusion(gain), ServiceFacts(service=service), None)
    cost = severity(Proven(), conclusion(gain), ServiceFacts(service=service, objective="cost"), None)
    assert (plain, cost) == ("medium", "high")


def test_critical_needs_a_missed_objective():
    gain = Gain(metric="latency_p99_ratio", p10=0.1, p50=0.2, p90=0.3)
    known = ServiceFacts(service=fighting_pools().service, slo_p99_seconds=0.1)
    assert severity(Proven(), conclusion(gain), known, 0.15) == "high"
    assert severity(Proven(), conclusion(gain), known, 0.25) == "critical"


def test_a_symptom_ranks_below_its_cause_and_is_at_most_as_severe():
    gain = Gain(metric="throughput_ratio", p10=1, p50=2, p90=3)

    def one(rule: str, level: Severity, cause: str | None) -> Judged:
        return Judged(rule=rule, conclusion=conclusion(gain), severity=level, score=1.0, cause=cause, after=(),
                      yields_to=(), hold_seconds=1)  # fmt: skip

    ranked = rank([one("symptom", Severity.HIGH, "cause"), one("cause", Severity.LOW, None)])
    assert [(j.rule, j.severity) for j in ranked] == [("cause", "low"), ("symptom", "low")]


def test_what_must_come_first_is_as_severe_as_what_it_makes_possible():
    first, *_ = judged(all_rules(), fighting_pools()).judged
    little = msgspec.structs.replace(first, rule="mask", severity=Severity.INFO, after=())
    much = msgspec.structs.replace(first, rule="workers", severity=Severity.HIGH, after=("mask",))
    assert [(j.rule, j.severity) for j in rank([much, little])] == [("mask", "high"), ("workers", "high")]
    for other in (
        msgspec.structs.replace(little, weighs=False),
        msgspec.structs.replace(little, conclusion=msgspec.structs.replace(little.conclusion, changes=())),
    ):
        assert {j.rule: j.severity for j in rank([much, other])} == {"mask": "info", "workers": "high"}


def test_a_symptom_of_a_symptom_is_no_more_severe_than_the_cause_of_both():
    first, *_ = judged(all_rules(), fighting_pools()).judged
    low, high = Severity.LOW, Severity.HIGH
    chain = [
        msgspec.structs.replace(first, rule=rule, cause=cause, severity=level)
        for rule, cause, level in (("a", None, low), ("b", "a", high), ("c", "b", high))
    ]
    assert [(j.rule, j.severity) for j in rank(chain)] == [("a", low), ("b", low), ("c", low)]
    ring = [msgspec.structs.replace(first, rule=rule, cause=cause) for rule, cause in (("a", "b"), ("b", "a"))]
    assert sorted(j.rule for j in rank(ring)) == ["a", "b"]


def test_a_conclusion_without_evidence_cannot_be_made():
    with pytest.raises(ValueError, match="without evidence"):
        Conclusion(subject=Subject(kind="node", name="n"), title="", summary="", confidence=1, evidence=())


def test_every_rule_has_a_whole_page():
    found = {page.id: page for page in pages()}
    assert len(found) == len(all_rules())
    assert all(p.looks_for and p.why_it_matters and p.what_to_do and p.when_it_is_wrong for p in found.values())
    assert [p.id for p in found.values() if p.experimental] == ["input-larger-than-needed", "vram-fragmented"]


def test_a_framework_known_from_documentation_only_gives_low_confidence_and_says_so():
    seen = fighting_pools()
    live = judged(all_rules(), seen).judged[0]
    other = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="triton"))
    documented = judged(all_rules(), other).judged[0]
    assert live.rule == documented.rule == "cpu-oversubscribed-openmp"
    assert live.conclusion.confidence > 0.5
    assert documented.conclusion.confidence == 0.3
    assert documented.severity.level < live.severity.level
    known = "triton is known here from documentation only (tritonserver 2.71)."
    assert documented.conclusion.summary == f"{live.conclusion.summary} {known}"


def test_relations_name_rules_that_exist_and_never_both_ways():
    """Two rules that yield to each other would both be silent; two that cause each other have no first."""
    rules = {rule.id: rule for rule in all_rules()}
    for name, rule in rules.items():
        for other in (*rule.yields_to, *rule.caused_by, *rule.after):
            assert other in rules, (name, other)
        for other in rule.yields_to:
            assert name not in (*rules[other].yields_to, *rules[other].caused_by), (name, other)
        for other in rule.caused_by:
            assert name not in rules[other].caused_by, (name, other)
            assert other not in rule.yields_to, (name, other)
