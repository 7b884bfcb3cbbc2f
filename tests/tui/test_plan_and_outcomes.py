"""Does the advice show the plan and what came of changes with the agent's numbers, and can it be copied and verified?"""

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input

from advisor.documents import OutcomesDocument, Problem
from advisor.finding import Evidence
from tests.fakes_tui import FakeSource, press
from tests.snapshots import LOADED, example_snapshot
from tests.snapshots_advice import BATCHING, example_outcomes, planned_snapshot
from tests.tui.sizes import SIZES
from tui.app import TopApp
from tui.copied import counted, finding_copy, plan_copy
from tui.http_source import NO_TOKEN
from tui.ratios import told
from tui.screens.advice import AdviceScreen
from tui.screens.verify import VerifyScreen, since_problem
from tui.widgets.evidence_table import evidence_lines, row, threshold_bar
from tui.widgets.finding_head import FindingHead
from tui.widgets.finding_list import FindingList
from tui.widgets.need_page import NeedPage
from tui.widgets.outcome_list import OutcomeList, outcome_lines, score_lines
from tui.widgets.plan_page import PlanPage, place_in, plan_lines
from tui.widgets.status_line import StatusLine

SHOWN = planned_snapshot()
PLAN = SHOWN.advice.plans[0]
CAUSE = SHOWN.advice.findings[0]
WAITING, REFUTED, VERIFIED = example_outcomes().outcomes
WIDTHS = pytest.mark.parametrize("width", [46, 70, 140])
TO_CAUSE = ("a", "j", "j")


def plain(rows: object) -> str:
    return "\n".join(row.plain for row in rows)  # type: ignore[attr-defined]


def one_line(rows: object) -> str:
    return " ".join(plain(rows).split())


def app_over(source: FakeSource) -> TopApp:
    return TopApp(source, interval_seconds=3600.0)


def planned(outcomes: OutcomesDocument | None = None, **more: object) -> FakeSource:
    return FakeSource([SHOWN], known={"outcomes": outcomes or example_outcomes()}, **more)  # type: ignore[arg-type]


async def settled(pilot: Pilot[None], *keys: str) -> None:
    await press(pilot, *keys)
    running = [one for one in pilot.app.workers if one.group in ("act", "history", "outcomes")]
    if running:
        await pilot.app.workers.wait_for_complete(running)
    await pilot.pause()


def status(app: TopApp) -> str:
    return app.screen.query_one(StatusLine).render().plain


@WIDTHS
def test_the_plan_has_its_steps_in_order_with_what_each_brings_and_all_together(width: int) -> None:
    rows = list(plan_lines(PLAN, {}, width))
    text = one_line(rows)
    assert (
        text.index("1 More compute threads") < text.index("2 Requests are computed") < text.index("all steps together")
    )
    for number, step in enumerate(PLAN.steps, 1):
        assert f"{number} {step.title}" in text
        for gain in step.gains:
            assert told(gain) in text
    for gain in PLAN.total:
        assert told(gain) in text
    assert "environment of gunicorn" in text
    assert "OMP_NUM_THREADS=1" in text
    assert PLAN.assumes in text
    assert max(len(line) for row in rows for line in row.wrap(width) for line in [line.plain]) <= width


def test_a_finding_says_which_step_it_is_and_what_it_brings_after_those_before() -> None:
    assert place_in(PLAN, CAUSE.id) == "step 1 of 2 of the plan"
    (gain,) = PLAN.steps[1].gains
    assert place_in(PLAN, BATCHING) == f"step 2 of 2 of the plan; after those before it throughput ×{gain.p50:.3g}"
    assert place_in(PLAN, "another") == ""
    assert place_in(replace(PLAN, steps=PLAN.steps[:1]), CAUSE.id) == ""


def test_what_will_not_help_is_named() -> None:
    told_of = replace(PLAN, will_not_help=(CAUSE.id, "gone"))
    text = plain(plan_lines(told_of, {CAUSE.id: "More workers"}, 70))
    assert "will not help\nMore workers\n" in text


async def test_a_plan_of_several_steps_comes_first_and_one_of_none_has_no_line() -> None:
    app = app_over(planned())
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, "a")
        findings = app.screen.query_one(FindingList)
        ids = [option.id for option in findings.options]
        assert ids[0] == f"plan/{LOADED}"
        assert sum(str(one).startswith("plan/") for one in ids) == 1
        page = app.screen.query_one(PlanPage)
        assert page.display
        assert page.plan == PLAN
        await settled(pilot, "j", "j")
        assert not page.display
        assert app.screen.query_one(FindingHead).place == "step 1 of 2 of the plan"


async def test_what_came_of_a_finding_stands_on_its_page_and_changes_at_the_end_of_the_list() -> None:
    app = app_over(planned())
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, *TO_CAUSE)
        shown = app.screen.query_one(OutcomeList)
        assert shown.display
        assert shown.outcomes == (REFUTED, VERIFIED)
        assert [one.rule for one in shown.scores] == [CAUSE.rule] * 2
        ids = [option.id for option in app.screen.query_one(FindingList).options]
        assert ids[-3:] == ["outcome/a3", "outcome/a2", "outcome/a1"]
        await settled(pilot, "k", "k", "k")  # from the first line up is the last
        assert app.screen.query_one(OutcomeList).outcomes == (VERIFIED,)
        assert not app.screen.query_one(FindingHead).display
        assert not app.screen.query_one(NeedPage).display


@WIDTHS
def test_what_was_said_and_what_was_measured_are_on_one_scale(width: int) -> None:
    rows = list(outcome_lines(VERIFIED, CAUSE.id, width))
    text = one_line(rows)
    promise = VERIFIED.promises[0]
    throughput, latency = VERIFIED.measured
    for gain in promise.gains:
        assert told(gain) in text
    assert "measured" in text
    assert "✓ verified 2026-11-18 17:20 UTC compute threads: 2 → 1" in text
    assert "×3.2 (2.9–3.6)" in text
    assert "inside what was said · requests a second, as clients saw them, 41.5 /s → 133 /s" in text
    assert "×0.52 (0.45–0.6)" in text
    assert "outside what was said · p99 of the server's own histogram, 620 ms → 320 ms" in text
    assert (throughput.ratio, latency.ratio) == (3.2, 0.52)
    names = [
        line.split()[0] for line in plain(rows).split("\n") if line.startswith(("throughput  ", "p99", "measured"))
    ]
    assert names == ["throughput", "measured", "p99", "measured"]
    drawn = [line for line in plain(rows).split("\n") if "●" in line]
    assert drawn[0].index("├") <= drawn[1].index("●") <= drawn[0].index("┤"), "3.2 lies in 2.1 to 9"
    assert drawn[3].index("●") >= drawn[2].index("┤"), "0.52 is beyond 0.4"


def test_a_refuted_change_says_how_to_undo_it_and_one_that_waits_says_for_what() -> None:
    assert "to undo it: workers: 4 → 2" in plain(outcome_lines(REFUTED, None, 70))
    text = plain(outcome_lines(WAITING, None, 70))
    assert text.startswith(
        "… waiting so far  2026-11-20 09:59 UTC\nmodel iris: v1 → v2\nwaits for as much load as before"
    )
    assert "●" not in text


def test_what_could_not_be_compared_says_why() -> None:
    seen = replace(VERIFIED.measured[0], matched=False, because="the load was twice as high")
    other = replace(VERIFIED, measured=(seen,), covered={})
    assert "not compared: the load was twice as high" in one_line(outcome_lines(other, None, 70))


def test_scores_are_told_in_numbers_of_outcomes() -> None:
    text = plain(score_lines(example_outcomes().scores))
    assert "cpu-oversubscribed-openmp of throughput: 1 of 2 measured inside what was said" in text
    assert text.startswith("all: 1 of 3 ")


def test_a_threshold_is_a_mark_in_the_bar_of_what_was_observed() -> None:
    def drawn(observed: float, threshold: float | None) -> str:
        one = Evidence(metric="m", unit="cores", observed=observed, threshold=threshold, window_seconds=15, samples=15)
        return threshold_bar(one, 20).plain

    assert drawn(1.9, 0.5) == "█████┃███████████░░░"
    assert drawn(0.5, 1.9) == "█████░░░░░░░░░░░░┃░░"
    assert drawn(1.0, None) == ""
    assert {len(drawn(a, b)) for a in (-2, 0, 1e-9, 1, 1e9) for b in (-1, 0, 1, 1e12)} == {20}
    assert all(drawn(a, b).count("┃") == 1 for a in (-2, 0, 1, 1e9) for b in (-1, 0, 1, 1e12))


@WIDTHS
def test_evidence_keeps_its_names_and_numbers_at_every_width(width: int) -> None:
    rows = evidence_lines(CAUSE.evidence, width)
    text = one_line(rows)
    assert "waiting cores 1.9 cores" in text
    assert "0.5 cores" in text
    assert "usable cores 2 cores" in text
    assert text.count("15 s, n=15") == 2
    assert text.count("┃") == 1
    assert max(row.cell_length for row in rows) <= width


def test_a_copy_has_every_place_with_what_is_to_be_written_alone_on_its_line() -> None:
    text = finding_copy(CAUSE).split("\n")
    assert text == [
        f"# More compute threads than cores ({LOADED})",
        "# compute threads: 2 → 1, after a restart",
        "# environment of gunicorn: takes effect: no code sets the thread count",
        "OMP_NUM_THREADS=1",
        "# systemctl edit app.service: takes effect",
        "Environment=OMP_NUM_THREADS=1",
        "",
    ]
    assert counted(CAUSE.changes) == "1 change, 2 places"
    whole = plan_copy(PLAN)
    assert whole.index("# step 1: More") < whole.index("OMP_NUM_THREADS=1") < whole.index("# step 2: Requests")
    assert '"max_batch_size": 8' in whole.split("\n")


def test_nothing_in_a_copy_is_obeyed_by_a_terminal_that_it_is_pasted_into() -> None:
    (change,) = CAUSE.changes
    place = replace(change.how[0], target="x\x1b[201~\nrm -rf /\r", key="A\x00B", because="\x9b31m")
    evil = replace(CAUSE, title="t\nreboot\n", changes=(replace(change, how=(place,)),))
    text = finding_copy(evil)
    assert [line for line in text.split("\n") if not line.startswith("#")] == ["A\N{REPLACEMENT CHARACTER}B=1", ""]
    assert all(char.isprintable() or char == "\n" for char in text)


async def test_y_gives_the_change_or_the_whole_plan_to_the_clipboard() -> None:
    app = app_over(planned())
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, "a", "y")
        assert app.clipboard == plan_copy(PLAN)
        assert status(app) == "✓ given to the terminal's clipboard: 2 changes, 3 places"
        await settled(pilot, "j", "j", "y")
        assert app.clipboard == finding_copy(CAUSE)
        await settled(pilot, "k", "y")  # nothing is to be changed
        assert app.clipboard == finding_copy(CAUSE)
        assert "y" not in app.screen.active_bindings


@pytest.mark.parametrize(("typed", "since"), [("", None), ("5min", "5min")])
async def test_v_has_the_agent_measure_what_came_of_it(typed: str, since: str | None) -> None:
    source = planned()
    app = app_over(source)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, *TO_CAUSE, "v")
        assert isinstance(app.screen, VerifyScreen)
        asked = source.got.count("outcomes")
        await settled(pilot, *typed, "enter")
        await settled(pilot)
        assert source.verified == [(CAUSE.id, since)]
        assert status(app) == f"✓ waiting: what came of {CAUSE.title} is measured"
        assert source.got.count("outcomes") == asked + 1


async def test_a_time_that_is_none_is_told_and_escape_leaves_it() -> None:
    source = planned()
    app = app_over(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, *TO_CAUSE, "v", *"soon", "enter")
        assert "is not a duration" in str(app.screen.query_one("#problem").render())
        await settled(pilot, "escape")
        assert isinstance(app.screen, AdviceScreen)
        assert source.verified == []


def test_a_time_is_at_most_a_day() -> None:
    assert (since_problem("24h"), since_problem("25h")) == (None, "no more than 24h ago")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"read_only": NO_TOKEN}, "this user may only read"),
        ({"refuses": Problem("finding.unknown", "there is no finding 'x'", "look")}, "there is no finding 'x' (look)"),
    ],
    ids=["no permission", "refused"],
)
async def test_what_cannot_be_verified_says_why(more: dict[str, object], said: str) -> None:
    app = app_over(planned(**more))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, *TO_CAUSE, "v", "enter")
        await settled(pilot)
        assert said in status(app)


async def test_an_agent_without_outcomes_shows_the_advice_all_the_same() -> None:
    app = app_over(FakeSource([SHOWN]))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, *TO_CAUSE)
        assert app.screen.query_one(FindingHead).finding == CAUSE
        assert not app.screen.query_one(OutcomeList).display


async def test_where_nothing_is_found_changes_that_were_made_are_still_shown() -> None:
    quiet = example_snapshot()
    quiet = replace(quiet, advice=replace(quiet.advice, findings=(), inconclusive=()))
    app = app_over(FakeSource([quiet], known={"outcomes": example_outcomes()}))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, "a")
        assert app.screen.query_one("#body").current == "split"  # type: ignore[attr-defined]
        assert app.screen.query_one(OutcomeList).outcomes == (WAITING,)


def test_foreign_texts_of_plans_and_outcomes_are_text() -> None:
    evil = "\x1b[31m[bold]x[/]\u202e"
    change = replace(REFUTED.changes[0], old=evil, new=evil)
    bad = replace(REFUTED, service=evil, because=evil, changes=(change,), rollback=(change,))
    bad = replace(bad, measured=(replace(REFUTED.measured[0], what=evil),))
    plan = replace(PLAN, service=evil, verdict=evil, assumes=evil, steps=(replace(PLAN.steps[0], title=evil),))
    rows: list[Content] = [*outcome_lines(bad, None, 70), *plan_lines(plan, {}, 70)]
    text = plain(rows)
    assert text.count("[bold]x[/]") >= 8
    assert "\x1b" not in text
    assert "\u202e" not in text


@SIZES
@pytest.mark.parametrize(
    "keys",
    [("a",), (*TO_CAUSE, "right", "end"), ("a", "k"), (*TO_CAUSE, "v")],
    ids=["plan", "finding", "outcome", "verify"],
)
def test_plan_and_outcomes_look_as_accepted(
    snap_compare: Callable[..., bool], keys: tuple[str, ...], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    async def settle(pilot: Pilot[None]) -> None:
        for key in keys:
            await settled(pilot, key)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False

    assert snap_compare(app_over(planned()), terminal_size=size, run_before=settle)


def test_a_name_does_not_say_seconds_of_what_stands_there_in_milliseconds() -> None:
    latency = Evidence(
        metric="mean_latency_seconds", unit="seconds", observed=0.0609, threshold=None, window_seconds=15.0, samples=15
    )
    busy = msgspec.structs.replace(latency, metric="cores_unused_ratio", unit="ratio", observed=0.91, threshold=0.2)
    assert row(latency) == ("mean latency", "60.9 ms", "–", "15 s, n=15")
    assert row(busy) == ("cores unused ratio", "91 %", "20 %", "15 s, n=15")
