"""How promises are scored against what came of them, and what later promises learn from it."""

from math import log

import pytest
from msgspec.structs import replace

from advisor.finding import Gain
from advisor.ledger.baseline import constant
from advisor.ledger.calibration import Calibration, calibrated, distance, factors
from advisor.ledger.outcome import Measured, Outcome, Promise
from advisor.ledger.scores import interval_score, scored, scores
from advisor.ledger.verdict import verdict

GAIN = Gain(metric="throughput_ratio", p10=2.0, p50=4.0, p90=8.0)


def ratio(value: float, low: float | None = None, high: float | None = None, matched: bool = True) -> Measured:
    return Measured(
        metric="throughput_ratio", ratio=value, low=low or value * 0.95, high=high or value * 1.05, what="requests",
        before=10.0, after=10.0 * value, samples_before=12, samples_after=12, matched=matched,
    )  # fmt: skip


def promise(gain: Gain = GAIN, factor: float = 1.0) -> Promise:
    return Promise(
        finding="f", rule="cpu-oversubscribed-openmp", rule_version="1", title="t", confidence=0.8, gains=(gain,),
        as_proposed=True, factors={gain.metric: factor},
    )  # fmt: skip


def outcome(value: float, **other: object) -> Outcome:
    found = Outcome(
        id="o", service="s", service_id="1", state="verified", changes=(), promises=(promise(),), changed_at="t",
        measured=(ratio(value),), final=True,
    )  # fmt: skip
    return replace(found, **other)


@pytest.mark.parametrize(
    ("value", "low", "high", "state"),
    [
        (4.0, 3.5, 4.5, "verified"),
        (1.3, 1.2, 1.4, "refuted"),  # less than half, in logarithms, of the least that was promised
        (1.6, 1.5, 1.7, "verified"),
        (0.5, 0.45, 0.55, "refuted"),
        (1.6, 0.9, 3.0, "unclear"),
        (9.0, 8.0, 10.0, "verified"),
    ],
)
def test_verdicts(value, low, high, state):
    assert verdict([promise()], [GAIN], [ratio(value, low, high)])[0] == state


def test_what_could_not_be_compared_is_unclear_and_says_so():
    state, because = verdict([promise()], [GAIN], [ratio(1.0, matched=False)])
    assert state == "unclear"
    assert "could be compared" in because
    assert verdict([], [], [ratio(2.0)])[1].startswith("nobody had advised it")


def test_advice_that_something_is_in_vain_is_verified_where_it_was_in_vain():
    vain = Gain(metric="throughput_ratio", p10=0.98, p50=1.0, p90=1.02)
    assert verdict([promise(vain)], [vain], [ratio(1.01, 0.97, 1.05)])[0] == "verified"
    assert verdict([promise(vain)], [vain], [ratio(1.5, 1.4, 1.6)])[0] == "refuted"


def test_interval_score_is_the_width_and_ten_times_the_miss():
    assert interval_score(GAIN, 5.0) == pytest.approx(log(4))
    assert interval_score(GAIN, 16.0) == pytest.approx(log(4) + 10 * log(2))
    assert interval_score(GAIN, 1.0) == pytest.approx(log(4) + 10 * log(2))


def test_scores_against_constants_of_a_table():
    found = scored([outcome(4.0), outcome(5.0), outcome(16.0)])
    overall, only = scores(found, factors(found))
    assert overall.outcomes == only.outcomes == 3
    assert overall.coverage == pytest.approx(2 / 3)
    assert overall.width == pytest.approx(log(4))
    assert constant("cpu-oversubscribed-openmp", "throughput_ratio").p90 == 10.0
    assert overall.constant_coverage == pytest.approx(2 / 3)
    assert overall.constant_score == pytest.approx(log(10 / 1.3) + 10 / 3 * log(1.6))


def test_only_final_outcomes_of_one_promise_that_was_kept_count():
    two = (promise(), promise())
    half = (replace(promise(), as_proposed=False),)
    others = [
        outcome(4.0, final=False),
        outcome(4.0, promises=two),
        outcome(4.0, promises=half),
        outcome(4.0, promises=()),
    ]
    assert scored(others) == []
    assert len(scored([outcome(4.0, promises=half, by_hand=True)])) == 1


def test_misses_widen_and_hits_in_the_middle_narrow():
    assert calibrated(scored([outcome(16.0)] * 2)).factors == {}, "two outcomes teach nothing"
    missed = calibrated(scored([outcome(16.0)] * 6)).factor("cpu-oversubscribed-openmp", "throughput_ratio")
    hit = calibrated(scored([outcome(4.1)] * 6)).factor("cpu-oversubscribed-openmp", "throughput_ratio")
    assert missed == pytest.approx(2 ** (6 / 14), abs=1e-3)
    assert hit == pytest.approx(0.4 ** (6 / 14), abs=1e-3)
    wide = Calibration({"cpu-oversubscribed-openmp/throughput_ratio": 2.0})
    (gain,) = wide.gains("cpu-oversubscribed-openmp", [GAIN])
    assert (gain.p10, gain.p50, gain.p90) == pytest.approx((1.0, 4.0, 16.0))


def test_what_was_widened_already_is_not_widened_again():
    (wide,) = Calibration({"cpu-oversubscribed-openmp/throughput_ratio": 2.0}).gains(
        "cpu-oversubscribed-openmp", [GAIN]
    )
    assert distance(wide, 16.0) == pytest.approx(1.0)
    late = outcome(16.0, promises=(promise(wide, factor=2.0),))
    assert factors(scored([late] * 6)) == factors(scored([outcome(16.0)] * 6))
