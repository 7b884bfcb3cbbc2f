"""R28 on built hosts."""

import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.rules.input_larger_than_needed import InputLargerThanNeeded
from tests.advisor import profiled_hosts
from tests.advisor.built import concluded, facts, numbers, verdict
from tests.advisor.profiled_hosts import decoding
from tests.advisor.profiles_built import profiled, worker_profile

RULE = InputLargerThanNeeded()


def test_much_decoding_before_a_cheap_resize_is_a_hint_and_no_more():
    found = concluded(RULE, *decoding())
    assert [(c.lever, c.proposed) for c in found.changes] == [("input_size", "as the model takes it")]
    assert numbers(found)["decode_per_resize"] == pytest.approx(0.64 / 0.06, abs=0.01)
    assert found.confidence <= 0.4
    ranked = Engine(all_rules()).judge(*decoding()).judged
    assert [(j.rule, j.severity, j.cause) for j in ranked][1] == (
        "input-larger-than-needed",
        "info",
        "preprocess-heavy",
    )


@pytest.mark.parametrize("resize", [0.0, 0.015, 0.2])
def test_without_a_resize_or_with_a_dear_one_it_says_nothing(resize: float):
    assert verdict(RULE, *decoding(resize)) is None


def test_what_only_ever_shrinks_needs_no_such_ratio():
    seen, _ = decoding()
    classes = {"decode": 0.7, "kernel": 0.2}
    for call, speaks in (("Image.resize", False), ("Image.thumbnail", True)):
        known = profiled(seen, *(worker_profile(k, 0.96, classes, calls={call: 0.2}) for k in (101, 102)))
        assert (verdict(RULE, seen, known) is not None) is speaks


def test_little_decoding_just_misses():
    assert verdict(RULE, *decoding(decode=0.36)) is None


def test_it_never_asks_for_a_profile():
    seen, _ = decoding()
    assert verdict(RULE, seen, facts(seen, environ={})) is None


@pytest.mark.parametrize("host", [h for h in profiled_hosts.ALL if h is not decoding], ids=lambda h: h.__name__)
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, *host()) is None
