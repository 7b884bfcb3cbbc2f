"""How rules get at profiles, and that none is asked for which could tell no more than the one that is there."""

import pytest

from advisor.finding import Need
from advisor.profiling.asking import FRESH_SECONDS, LEAST_SAMPLES, profile_of
from collectors.profiles.profile import Missing
from tests.advisor import built
from tests.advisor.built import facts
from tests.advisor.profiles_built import profiled, worker_profile

SEEN = built.one_saturated_worker()


def asked(*workers, part: str = "python", **more) -> Need | None:
    """What is missing; None where the profiles were given out."""
    found = profile_of(profiled(SEEN, *workers, **more), "why", part)
    return found if isinstance(found, Need) else None


def test_no_profile_and_an_old_one_are_asked_for():
    none = profile_of(facts(SEEN), "why")
    assert isinstance(none, Need)
    assert none.kind == "profile"
    one = worker_profile(101, 0.9, {})
    old = asked(one, age=FRESH_SECONDS + 1)
    assert old is not None
    assert old.kind == "profile"
    assert asked(one, age=FRESH_SECONDS) is None


@pytest.mark.parametrize(
    ("cores", "seconds", "samples", "kind"),
    [
        (0.9, 4.0, LEAST_SAMPLES, None),
        (0.1, 4.0, 20, "profile"),  # it had little to do then
        (0.9, 1.0, 20, "profile"),  # ended early
        (0.9, 4.0, 18, "privilege"),  # five looks a second are all that there are
    ],
)
def test_too_few_samples_are_asked_for_again_only_where_more_can_come(cores, seconds, samples, kind):
    need = asked(worker_profile(101, cores, {}, seconds=seconds, samples=samples))
    assert (need.kind if need else None) == kind


def test_states_need_no_samples_and_a_missing_part_is_named():
    few = worker_profile(101, 0.02, {}, samples=3)
    assert asked(few, part="states") is None
    need = asked(few, part="states", missing=(Missing("states", "not readable", "CAP_SYS_PTRACE"),))
    assert need == Need(kind="privilege", text="not readable: CAP_SYS_PTRACE")
    none = asked(part="states")
    assert none is not None
    assert none.kind == "profile"
