"""Do the charts of the evidence say where the threshold is, where it was reached, what was observed and what was judged?"""

import pytest
from msgspec.structs import replace

from advisor.finding import Evidence
from advisor.series import EvidenceSeries
from tui.ascii import plain_text
from tui.evidence_chart import evidence_charts, plots

WAITING = Evidence(
    metric="waiting_cores", unit="cores", observed=1.5, threshold=0.5, window_seconds=8.0, samples=8
)  # fmt: skip
SHARE = replace(WAITING, metric="run_delay_share", unit="ratio", observed=0.6, threshold=None)
GROWN = EvidenceSeries(
    metric="waiting_cores", start=1795168780.0, step_seconds=2.0, judged_from=1795168790.0, judged_to=1795168798.0,
    values=(0.0, 0.25, None, 0.5, 1.0, 1.5, 2.0, 2.0, 1.5, 1.0),
)  # fmt: skip
EVEN = replace(GROWN, metric="run_delay_share", values=(0.6,) * 10)


def drawn(*evidence: Evidence, width: int = 44, rows: int = 4, series: tuple[EvidenceSeries, ...] = (GROWN, EVEN)):  # type: ignore[no-untyped-def]
    return [line.plain.rstrip() for line in evidence_charts(plots(evidence, series), width, rows)]


def test_the_threshold_is_a_line_that_says_where_it_was_reached_and_what_was_observed_is_marked() -> None:
    assert drawn(WAITING) == [
        "─ threshold, ┿ reached · ◂ observed",
        "waiting cores",
        "  2                   ██████",
        "                   ████████████    ◂ 1.5",
        "0.5 ─────────┿┿┿┿┿┿┿┿┿┿┿┿┿┿┿┿┿┿┿┿┿",
        "  0 ▁▁▁▄▄▄   █████████████████████",
        "    20 s           ├── judged ───┤",
    ]


def test_figures_of_the_same_time_share_their_axis_and_their_numbers_are_in_their_units() -> None:
    lines = drawn(WAITING, SHARE, width=60, rows=3)
    assert [line for line in lines if "judged" in line] == [lines[-1]]
    assert lines[-1].endswith("─┤ 09:59:58 UTC")
    assert lines[6].split() == ["60", "%", "█" * 30, "◂", "60", "%"]
    later = replace(EVEN, start=EVEN.start + 2)
    assert sum("├" in line for line in drawn(WAITING, SHARE, series=(GROWN, later))) == 2


def test_without_a_threshold_no_line_is_drawn_and_without_a_series_nothing() -> None:
    assert not any(sign in line for line in drawn(SHARE)[:-1] for sign in "─┿")
    assert drawn(replace(WAITING, metric="active_compute_threads")) == []


def test_a_unit_that_is_not_in_the_name_stands_beside_it() -> None:
    queue = replace(WAITING, metric="accept_queue_p50", unit="connections")
    assert drawn(queue, series=(replace(GROWN, metric="accept_queue_p50"),))[1] == "accept queue p50 (connections)"


@pytest.mark.parametrize("width", [24, 44, 78, 110])
@pytest.mark.parametrize("steps", [1, 6, 10, 30, 200])
def test_no_line_is_wider_than_the_page_and_the_bracket_stands_below_the_last_step(width: int, steps: int) -> None:
    values = tuple(float(step) for step in range(steps))
    series = replace(GROWN, values=values, judged_from=GROWN.start, judged_to=GROWN.start + 2 * steps - 1)
    lines = drawn(WAITING, width=width, series=(series,))
    assert max(map(len, lines)) <= max(width, len(lines[0]))
    assert lines[-1].split(" ")[-1 if "UTC" not in lines[-1] else -3].endswith("┤")
    assert lines[-1].index("┤") == max(len(line.partition(" ◂")[0].rstrip()) for line in lines[2:-1]) - 1


def test_what_is_nowhere_known_or_always_zero_is_drawn_as_such() -> None:
    nothing = replace(WAITING, observed=0.0, threshold=None)
    assert drawn(nothing, rows=2, series=(replace(GROWN, values=(0.0, None, 0.0)),))[2:4] == ["0", "0 ▁▁▁   ▁▁▁ ◂ 0"]


def test_with_ascii_alone_it_says_the_same() -> None:
    lines = [plain_text(line) for line in drawn(WAITING)]
    assert lines[0] == "- threshold, + reached · < observed".replace("·", ".")
    assert lines[4] == "0.5 ---------+++++++++++++++++++++"
    assert all(line.isascii() for line in lines)
