"""The newest digests of a service's workers, as rules get them."""

from advisor.profiling.asking import FRESH_SECONDS
from agent.profiling.digests import Digest, Digests
from tests.advisor.profiles_built import worker_profile
from tests.agent.profiling.scenes import key, service


def kept(**taken: float) -> Digests:
    """Digests of the workers p101, p102, … taken at these times."""
    digests = Digests()
    for name, at in taken.items():
        worker = worker_profile(int(name[1:]), 0.5, {})
        digests.put(Digest(service="id-app", generation=0, at=at, worker=worker, missing=()))
    return digests


def test_a_worker_that_is_no_longer_looked_into_does_not_make_the_others_old():
    seen = kept(p101=10.0, p102=10.0 + FRESH_SECONDS).view(service(), 0, 20.0 + FRESH_SECONDS)
    assert seen is not None
    assert [w.key for w in seen.workers] == [key(102)]
    assert seen.age_seconds == 10.0


def test_where_all_are_old_the_newest_says_how_old():
    seen = kept(p101=10.0, p102=40.0).view(service(), 0, 100.0 + FRESH_SECONDS)
    assert seen is not None
    assert [w.key for w in seen.workers] == [key(102)]
    assert seen.age_seconds == 60.0 + FRESH_SECONDS


def test_fresh_ones_count_together_with_the_age_of_the_oldest():
    seen = kept(p101=10.0, p102=40.0).view(service(), 0, 50.0)
    assert seen is not None
    assert (len(seen.workers), seen.age_seconds) == (2, 40.0)
    assert kept(p101=10.0).view(service(), 1, 50.0) is None
