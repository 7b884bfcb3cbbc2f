"""At which sizes of the terminal are screens looked at? `make test-live` looks at all of them."""

import pytest

SIZES = pytest.mark.parametrize(
    "size",
    [
        pytest.param((80, 24), id="80x24"),
        pytest.param((120, 40), id="120x40", marks=pytest.mark.heavy),
        pytest.param((160, 48), id="160x48", marks=pytest.mark.heavy),
        pytest.param((200, 50), id="200x50", marks=pytest.mark.heavy),
    ],
)
