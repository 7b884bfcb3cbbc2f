"""Counters of composed recordings go on where pieces are joined, and grow as they did in the piece."""

from bench.day import Counters
from tests.agent.store.builders import core


def ticks(counters: Counters, *values: int) -> list[int]:
    return [counters.next(core(value)).user_ticks for value in values]


def test_counters_grow_as_in_their_source():
    assert ticks(Counters(), 1000, 1010, 1025) == [1000, 1010, 1025]


def test_where_a_piece_begins_again_a_counter_grows_as_it_did_before():
    counters = Counters()
    assert ticks(counters, 1000, 1010, 1025) == [1000, 1010, 1025]
    counters.stretch += 1
    assert ticks(counters, 1000, 1010) == [1040, 1050]


def test_a_counter_that_was_reset_in_its_source_stands_still():
    assert ticks(Counters(), 1000, 1010, 3) == [1000, 1010, 1010]


def test_what_is_not_a_counter_stays_as_it_was_and_none_stays_none():
    counters = Counters()
    counters.next(core(5))
    assert counters.next(core(None)).user_ticks is None
