"""A service that does what it did is not judged anew; one of which anything has moved is."""

import pytest
from msgspec.structs import replace

from advisor.engine import Judgement
from advisor.history import History
from advisor.steady import LONGEST_SECONDS, Gist, Steady, gist_of
from collectors.reading import Instant
from tests.advisor.built import fighting_pools
from tests.advisor.test_history import Node

VIEW = fighting_pools()
SERVICE = VIEW.service
JUDGEMENT = Judgement((), ())
GIST = Gist((1.0, 0.5, 100.0), (15, True), ())


def at(seconds: float) -> Instant:
    return Instant(int(seconds * 1e9), int(seconds * 1e9))


def carried(now: Gist | None, seconds: float = 2.0) -> bool:
    steady = Steady()
    steady.keep(SERVICE, GIST, VIEW, JUDGEMENT, at(0))
    return steady.carried(SERVICE, now, at(seconds)) is not None


def test_noise_is_carried_on_and_what_moves_is_not():
    assert carried(GIST)
    assert carried(replace(GIST, numbers=(1.03, 0.515, 97.0)))
    assert not carried(replace(GIST, numbers=(1.06, 0.5, 100.0)))
    assert not carried(replace(GIST, exact=(14, True)))
    assert not carried(None)


def test_it_is_not_carried_on_for_long_nor_back_in_time():
    assert carried(GIST, 0.75 * LONGEST_SECONDS - 0.1)
    assert not carried(GIST, LONGEST_SECONDS)
    assert not carried(GIST, -1)


def test_other_facts_or_profiles_are_other_objects():
    first, second = object(), object()
    steady = Steady()
    steady.keep(SERVICE, replace(GIST, same=(first, None)), VIEW, JUDGEMENT, at(0))
    assert steady.carried(SERVICE, replace(GIST, same=(first, None)), at(2)) == (VIEW, JUDGEMENT)
    assert steady.carried(SERVICE, replace(GIST, same=(second, None)), at(2)) is None


def gist(node: Node) -> Gist:
    found = gist_of(node.history.tracks, node.service, 15, (), ())
    assert found is not None
    return found


def test_the_gist_follows_cores_waiting_queue_and_throttling():
    node = Node()
    for _ in range(20):
        node.second(0.4, 0.1)
    before = gist(node)
    for _ in range(15):
        node.second(0.4, 0.1)
    assert gist(node) == before
    for _ in range(15):
        node.second(0.8, 0.5, queue=3)
    moved = gist(node)
    assert moved.numbers[:2] == pytest.approx((1.6, 1.0))
    assert moved.numbers[4] == 3.0


def test_a_mask_that_changes_is_seen_at_once():
    node = Node()
    for _ in range(20):
        node.second(0.4)
    before = gist(node).exact
    track = next(iter(node.history.tracks.threads.values()))
    track.sample = replace(track.sample, allowed_cpus="0")
    node.second(0.4)
    assert gist(node).exact != before


def test_of_a_service_that_was_never_seen_there_is_no_gist():
    assert gist_of(History().tracks, SERVICE, 15, (), ()) is None
