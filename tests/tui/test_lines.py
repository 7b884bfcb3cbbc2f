"""Do bars, columns and intervals draw what they are given?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from advisor.documents import CoreStatus
from advisor.finding import Gain
from tui.lines import bar, clipped, columns, dotted, hanging, indented, packed
from tui.widgets.core_strip import mark, summary
from tui.widgets.gain_chart import axis, interval, scale_reach


def test_a_bar_fills_its_share_and_stays_within_its_width() -> None:
    assert bar(0.5, 8).plain == "████░░░░"
    assert bar(None, 4).plain == "░░░░"
    assert bar(7.0, 4).plain == "████"


def test_columns_are_as_wide_as_their_cells() -> None:
    table = columns(("name", "n"), [("a", "10"), ("long name", "5")], right=frozenset({1}))
    assert table.plain == "name        n\na          10\nlong name   5"


def test_the_first_column_gives_way_where_the_screen_is_narrow() -> None:
    table = columns(("", "n"), [("a rather long name", "10")], right=frozenset({1}), width=14)
    assert table.plain.split("\n")[1] == "a rather…   10"


def test_another_column_may_give_way() -> None:
    table = columns(("n", "name"), [("10", "a rather long name")], width=14, yielding=1)
    assert table.plain.split("\n")[1] == "10  a rather…"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (11, "12 workers…"),
        (17, "12 workers use…"),
        (20, "12 workers use…"),
        (22, "12 workers use 1024.5…"),
        (26, "12 workers use 1024.5…"),
        (28, "12 workers use 1024.5 cores"),
    ],
)
def test_a_line_is_cut_at_the_end_of_a_word(width: int, expected: str) -> None:
    assert clipped(Content("12 workers use 1024.5 cores"), width).plain == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("gunicorn/app:80001234", 18, "gunicorn/app…"),
        ("/srv/models/bert-large", 18, "/srv/models/bert-…"),
        ("123456789", 5, "…"),
        ("長" * 8, 8, "長長長…"),
        ("p99 latency ×0.113 (×0.008", 24, "p99 latency ×0.113…"),
    ],
)
def test_a_long_word_is_cut_and_a_number_never(text: str, width: int, expected: str) -> None:
    assert clipped(Content(text), width).plain == expected


@given(st.text(alphabet="ab 12.,×長·", max_size=40), st.integers(2, 30))
def test_no_number_is_cut_anywhere(text: str, width: int) -> None:
    found = clipped(Content(text), width)
    assert found.cell_length <= width
    if found.plain != text:
        kept = found.plain.removesuffix("…")
        assert text.startswith(kept)
        assert not (kept[-1:].isdecimal() and text[len(kept)].isdecimal())


def test_facts_are_broken_between_two_of_them_and_never_within() -> None:
    assert [line.plain for line in packed(["8 of 16 lanes", "", "a b", "c d"], 20)] == ["8 of 16 lanes · a b", "c d"]
    assert [line.plain for line in packed(["longer than wide"], 4)] == ["longer than wide"]
    assert packed([], 20) == []


def test_a_label_stands_before_the_first_of_its_lines_only() -> None:
    assert [line.plain for line in hanging("PCIe ", packed(["sent", "received"], 9))] == ["PCIe sent", "     received"]


def test_wrapped_lines_keep_their_indent() -> None:
    assert indented(Content("one two three four"), 2, 12).plain == "  one two\n  three four"


def test_markup_in_foreign_text_is_text() -> None:
    assert dotted(["[red]x[/red]", "", "y"]).plain == "[red]x[/red] · y"


def test_a_core_is_as_high_as_it_is_busy_and_a_dot_where_unreadable() -> None:
    assert [mark(ratio, 1).plain for ratio in (None, 0.0, 0.5, 1.0)] == ["·", "▁", "▅", "█"]


def test_steal_is_told_only_where_there_is_any() -> None:
    def core(steal: float | None) -> CoreStatus:
        busy = None if steal is None else 0.5
        return CoreStatus(cpu=0, node=0, sibling_of=0, busy_ratio=busy, steal_ratio=steal, iowait_ratio=0.0)

    assert summary((core(0.0), core(0.0))).plain == "1.00 of 2 busy"
    assert summary((core(None), core(None))).plain == "not known yet"
    assert summary((core(0.2), core(None))).plain == "0.50 of 1 busy · steal 0.20 · 1 not readable"


def test_an_interval_stands_on_its_side_of_unchanged() -> None:
    gain = Gain(metric="throughput_ratio", p10=2.0, p50=4.0, p90=8.0)
    drawn = interval(gain, scale_reach((gain,)), 13).plain
    assert drawn == "······│·├─●─┤"
    loss = Gain(metric="latency_p99_ratio", p10=0.125, p50=0.25, p90=0.5)
    assert interval(loss, scale_reach((loss,)), 13).plain == "├─●─┤·│······"


def test_a_scale_reaches_at_least_to_half_and_double() -> None:
    tiny = Gain(metric="memory_ratio", p10=0.99, p50=1.0, p90=1.01)
    assert axis(scale_reach((tiny,)), 21).plain.split() == ["×0.5", "×1", "×2"]
