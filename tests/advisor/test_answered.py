"""Which number tells how much a service answers, and when two times may be compared."""

import msgspec
import pytest

from advisor.answered import Answered, Seen, answered_per_second, comparable, seen_in, seen_of, tokens_per_second
from advisor.trend import Stretches
from advisor.view import ConnectionRates
from tests.advisor.built import healthy
from tests.advisor.trends_built import NOW, trend

SHORT = Seen(opened_per_second=80.0, established=8.0)
"""A connection a request: each lives for 0.1 s."""
KEPT = Seen(opened_per_second=0.1, established=8.0, received_segments_per_second=300.0, sent_bytes_per_second=60_000.0)


def changed(seen: Seen, **fields: float | None) -> Seen:
    return msgspec.structs.replace(seen, **fields)


def named(seen: Seen) -> tuple[str, float, bool] | None:
    found = answered_per_second(seen)
    return None if found is None else (found.what, found.value, found.exact)


def test_requests_that_the_server_counts_come_first_also_where_there_are_none() -> None:
    assert named(changed(SHORT, requests_per_second=75.0)) == ("requests", 75.0, True)
    assert named(changed(KEPT, requests_per_second=0.0)) == ("requests", 0.0, True)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (SHORT, ("connections", 80.0, False)),
        (changed(SHORT, established=399.0), ("connections", 80.0, False)),
        (changed(SHORT, established=400.0), None),  # they live for 5 s: many requests may come over each
        (changed(SHORT, established=None), None),
        (changed(SHORT, opened_per_second=0.0, established=0.0), None),
        (KEPT, ("segments", 300.0, False)),
        (changed(KEPT, received_segments_per_second=None), ("bytes", 60_000.0, False)),
        (Seen(), None),
    ],
)
def test_connections_tell_where_each_is_a_request_and_else_what_goes_over_them(
    seen: Seen, expected: tuple[str, float, bool] | None
) -> None:
    assert named(seen) == expected


def test_tokens_are_asked_for_by_themselves() -> None:
    seen = Seen(requests_per_second=2.0, tokens_out_per_second=900.0)
    assert named(seen) == ("requests", 2.0, True)
    assert tokens_per_second(seen) == Answered(value=900.0, what="tokens", field="tokens_out_per_second", exact=True)
    assert tokens_per_second(KEPT) is None


def compared(before: Seen, after: Seen) -> tuple[str, float] | None:
    pair = comparable(before, after)
    assert pair is None or pair[0].what == pair[1].what
    return None if pair is None else (pair[0].what, pair[1].value / pair[0].value)


def test_both_sides_are_told_by_the_same_measure() -> None:
    assert compared(SHORT, changed(SHORT, opened_per_second=240.0)) == ("connections", 3.0)
    thrice = changed(KEPT, received_segments_per_second=900.0, sent_bytes_per_second=180_000.0)
    assert compared(KEPT, thrice) == ("segments", 3.0)
    counted = changed(thrice, requests_per_second=450.0)
    assert compared(KEPT, counted) == ("segments", 3.0)
    assert compared(changed(KEPT, requests_per_second=150.0), counted) == ("requests", 3.0)


def test_clients_that_begin_to_keep_their_connections_make_it_incomparable() -> None:
    assert compared(SHORT, KEPT) is None
    assert compared(KEPT, SHORT) is None
    both = changed(SHORT, received_segments_per_second=80.0, sent_bytes_per_second=16_000.0)
    assert compared(both, KEPT) == ("segments", 3.75)


def test_what_a_request_alone_on_its_connection_came_in_tells_of_connections_that_are_kept() -> None:
    alone = changed(SHORT, segments_each=1.5)
    for before, after, what, ratio in (
        (alone, KEPT, ("connections", "segments"), 200 / 80),
        (KEPT, alone, ("segments", "connections"), 80 / 200),
    ):
        pair = comparable(before, after)
        assert pair is not None
        assert tuple(one.what for one in pair) == what
        assert pair[1].value / pair[0].value == pytest.approx(ratio)
    assert comparable(changed(SHORT, segments_each=4.0), KEPT) is None
    assert comparable(alone, changed(KEPT, received_segments_per_second=None)) is None
    assert comparable(alone, changed(KEPT, received_segments_per_second=0.0)) is None


def test_another_payload_makes_it_incomparable() -> None:
    assert compared(KEPT, changed(KEPT, sent_bytes_per_second=75_000.0)) == ("segments", 1.0)
    assert compared(KEPT, changed(KEPT, sent_bytes_per_second=76_000.0)) is None
    assert compared(KEPT, changed(KEPT, received_segments_per_second=200.0)) is None
    unchecked = changed(KEPT, sent_bytes_per_second=None)
    assert compared(unchecked, unchecked) is None


def test_a_view_tells_its_own_window() -> None:
    rates = ConnectionRates(opened_per_second=80.0, received_segments_per_second=None, sent_bytes_per_second=None)
    view = msgspec.structs.replace(healthy(), connections=rates, established=8.0, requests_per_second=None)
    assert seen_of(view) == SHORT
    served = msgspec.structs.replace(view, requests_per_second=75.0, tokens_out_per_second=9.0)
    assert seen_of(served) == changed(SHORT, requests_per_second=75.0, tokens_out_per_second=9.0)


def past(*opened: float | None) -> Stretches:
    slices = [{"opened_per_second": n, "established": 8.0} for n in opened]
    return trend(slices).slices


def test_stretches_are_taken_by_their_length_and_only_those_asked_for() -> None:
    assert seen_in(past(60.0, 100.0)) == SHORT
    assert seen_in(past(60.0, 100.0), since=NOW) == changed(SHORT, opened_per_second=100.0)
    assert seen_in(past(60.0, 100.0), until=NOW - 5) == changed(SHORT, opened_per_second=60.0)
    slices = [{"seconds": 15.0, "opened_per_second": 20.0}, {"seconds": 5.0, "opened_per_second": 100.0}]
    assert seen_in(trend(slices).slices) == Seen(opened_per_second=40.0)


def test_what_is_known_for_less_than_half_of_the_time_is_not_known() -> None:
    assert seen_in(past(80.0, None)).opened_per_second == 80.0
    assert seen_in(past(80.0, None, None)).opened_per_second is None
    assert seen_in(Stretches(10)) == Seen()
