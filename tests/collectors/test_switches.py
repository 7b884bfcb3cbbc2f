"""Every spelling of an on/off option."""

import pytest

from collectors.switches import switch, truth


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), None),
        (("--metrics",), True),
        (("--metrics=true",), True),
        (("--metrics=False",), False),
        (("--metrics", "0"), False),
        (("--metrics", "--port=8500"), True),
        (("--metrics", "models"), True),
        (("--metrics", "--metrics=false"), False),
        (("--metrics=perhaps",), None),
        (("--metrics_list=a",), None),
    ],
)
def test_the_last_one_given_counts(arguments: tuple[str, ...], expected: bool | None) -> None:
    assert switch(arguments, "--metrics") is expected


def test_a_value_may_be_a_number_or_a_bool() -> None:
    assert (truth(True), truth(0), truth(" ON "), truth(2), truth(None)) == (True, False, True, None, None)
