"""Is the time meant that somebody writes?"""

import pytest

from tests.tui.pictures import START_SECONDS
from tui.jump import instant_of

NEWEST = START_SECONDS + 1800.0
SHOWN = START_SECONDS + 600.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("-15min", 600 - 900),
        ("-90s", 600 - 90),
        ("-1.5h", 600 - 5400),
        ("+ 2 m", 600 + 120),
        ("-1d", 600 - 86400),
        ("10:05", 300),
        (" 10:05:07 ", 307),
        ("10:30", 1800),
        ("10:31", 1860 - 86400),
        ("23:59:59", 13 * 3600 + 59 * 60 + 59 - 86400),
        ("2026-11-20T10:10:00Z", 600),
        ("2026-11-20T11:10:00+01:00", 600),
        ("2026-11-20 10:10:00", 600),
    ],
)
def test_a_time_is_understood(text: str, seconds: float) -> None:
    assert instant_of(text, SHOWN, NEWEST) == START_SECONDS + seconds


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "10:60", "15min", "-15", "-15years", "-٣min", "-" + "9" * 99 + "s"]
)
def test_what_is_no_time_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a time|time of the day|no time"):
        instant_of(text, SHOWN, NEWEST)
