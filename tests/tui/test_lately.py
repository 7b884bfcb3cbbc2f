"""Is what changes slowly asked for by the picture's own time?"""

import pytest

from tui.lately import Lately


@pytest.mark.parametrize(
    ("then", "due"),
    [
        ("2026-11-20T10:00:00Z", False),
        ("2026-11-20T10:00:04Z", False),
        ("2026-11-20T10:00:05Z", True),
        ("2026-11-20T09:00:00Z", True),
        ("2026-11-20T10:00:00", True),
        ("no time", True),
    ],
    ids=["same", "soon", "later", "back in time", "without a zone", "unreadable"],
)
def test_it_is_due_after_five_seconds_in_either_direction(then: str, due: bool) -> None:
    lately = Lately()
    assert lately.due("2026-11-20T10:00:00Z")
    assert lately.due(then) is due


def test_what_is_forgotten_is_due() -> None:
    lately = Lately()
    lately.due("2026-11-20T10:00:00Z")
    lately.forget()
    assert lately.due("2026-11-20T10:00:00Z")
