"""Is what was seen kept whole, once, and in bounded memory?"""

import msgspec

from tests.tui.pictures import START_SECONDS, moment
from tui.past import Past, instant
from tui.source import Picture


def picture(second: float) -> Picture:
    return Picture.of(moment(second))


def test_a_picture_comes_back_as_it_was() -> None:
    past = Past()
    for second in range(5):
        past.take(picture(second))
    assert past.times == [START_SECONDS + second for second in range(5)]
    assert past.at(START_SECONDS + 3) == picture(3)
    assert past.at(START_SECONDS + 3.9) == picture(3)
    assert past.at(START_SECONDS - 1) is None


def test_the_same_moment_is_kept_once_as_it_came_last() -> None:
    past, first = Past(), picture(0)
    past.take(first)
    again = msgspec.structs.replace(first, services=())
    past.take(again)
    assert past.times == [START_SECONDS]
    assert past.at(START_SECONDS) == again


def test_a_clock_that_is_set_back_drops_what_would_be_of_later() -> None:
    past = Past()
    for second in (0, 10, 20, 5):
        past.take(picture(second))
    assert past.times == [START_SECONDS, START_SECONDS + 5]


def test_an_hour_of_pictures_stays_below_the_cap_and_the_newest_stay() -> None:
    past = Past(cap_bytes=100_000)
    for second in range(3600):
        past.take(picture(second))
    assert past.size_bytes <= 100_000
    assert past.size_bytes == sum(map(len, past._packed))
    assert past.times[-1] == START_SECONDS + 3599
    assert past.at(past.times[0]) == picture(past.times[0] - START_SECONDS)


def test_a_picture_larger_than_the_cap_is_kept_alone() -> None:
    past = Past(cap_bytes=10)
    for second in range(3):
        past.take(picture(second))
    assert past.times == [START_SECONDS + 2]


def test_what_cannot_be_packed_or_placed_in_time_is_left_out() -> None:
    past, one = Past(), picture(0)
    past.take(msgspec.structs.replace(one, node=msgspec.structs.replace(one.node, at="now")))
    past.take(msgspec.structs.replace(one, node=msgspec.structs.replace(one.node, node="\udcff")))
    assert past.times == []


def test_an_instant_is_read_with_its_zone() -> None:
    assert instant("2026-11-20T10:00:00Z") == instant("2026-11-20T11:00:00+01:00") == START_SECONDS
    assert instant("yesterday") is None
