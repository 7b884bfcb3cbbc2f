"""Does a row fill its width exactly, whatever the frames are called?"""

import pytest
from rich.cells import cell_len

from tests.flames import profile, sample
from tui.flame.boxes import Drawing, label, row_strip, short
from tui.flame.graph import WorkGraph
from tui.flame.layout import Layout
from tui.flame.packed_profile import PackedProfile
from tui.flame.selection import Filters
from tui.palette import FLAME_CURSOR

HOSTILE = (
    "\x1b[2J\x1b[31mred (app.py:1)",
    "[bold red]markup[/] (app.py:2)",
    "\u202egnp.exe (app.py:3)",
    "名前はとても長い関数です (app.py:4)",
    "a\u0301\u0302\u0303 zalgo (app.py:5)",
    "new\nline\ttab (app.py:6)",
    "👩‍👩‍👧‍👦 family (app.py:7)",
    "عربى (app.py:8)",
    "",
    "x" * 5000 + " (app.py:9)",
    "\x00\x07 ()",
)


@pytest.mark.parametrize("width", [1, 2, 3, 5, 9, 40, 80, 250])
@pytest.mark.parametrize("lines", [True, False])
def test_no_name_breaks_a_row(width: int, lines: bool) -> None:
    stacks = [sample(("root (a.py:1)", name, f"{name}leaf"), 10 + n) for n, name in enumerate(HOSTILE)]
    graph = WorkGraph(PackedProfile(profile(*stacks)), Filters())
    graph.flame.search("a")
    layout = Layout(graph.flame, graph.flame.root, width, fold=True)
    for row in layout.rows:
        strip = row_strip(row, width, Drawing(graph, row[0], True, lines))
        assert strip.cell_length == width
        assert sum(cell_len(segment.text) for segment in strip) == width
        assert all(c.isprintable() for c in strip.text)
        assert all(segment.style is not None for segment in strip)


def test_names_are_one_line_without_their_place() -> None:
    assert short("predict (app.py:42)") == "predict"
    assert short(HOSTILE[0]) == "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}[31mred"
    assert short(HOSTILE[1]) == "[bold red]markup[/]"
    assert short("") == "?"


def test_folded_frames_are_told_as_far_as_there_is_room() -> None:
    one = sample(("outer (a.py:1)", "middle (a.py:2)", "inner (a.py:3)"), 1)
    graph = WorkGraph(PackedProfile(profile(one)), Filters())
    (cell,) = Layout(graph.flame, graph.flame.root, 80, fold=True).rows[0]
    assert label(cell.nodes, 40) == "all › outer › middle › inner"
    assert label(cell.nodes, 20) == "… › middle › inner"
    assert label(cell.nodes, 5) == "inner"


def test_cursor_and_match_are_told_without_colour_too() -> None:
    graph = WorkGraph(PackedProfile(profile(sample(("a (x.py:1)",), 50), sample(("b (x.py:2)",), 50))), Filters())
    graph.flame.search("b")
    row = Layout(graph.flame, graph.flame.root, 40, fold=True).rows[1]
    strip = row_strip(row, 40, Drawing(graph, row[0], True, True))
    assert strip.text == "p▸a ─────────────── p*b ─────────────── "
    first, match = strip._segments[0].style, strip._segments[2].style
    assert first is not None
    assert match is not None
    assert first.bgcolor is not None
    assert first.bgcolor.name == FLAME_CURSOR
    assert match.underline
