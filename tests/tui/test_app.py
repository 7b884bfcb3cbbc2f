"""Do the screens react to keys, and to what the source says?"""

import msgspec
import pytest
from textual.widgets import ContentSwitcher

from advisor.documents import AdviceDocument, Snapshot
from tests.fakes_tui import REFUSED, FakeSource, app_with, press
from tests.snapshots import HEALTHY, LOADED, empty_snapshot, example_snapshot
from tui.app import TopApp
from tui.screens.advice import AdviceScreen
from tui.screens.help import HelpScreen
from tui.screens.overview import OverviewScreen
from tui.widgets.change_list import ChangeList
from tui.widgets.core_strip import CoreStrip
from tui.widgets.finding_head import FindingHead
from tui.widgets.finding_list import FindingList
from tui.widgets.finding_page import FindingPage
from tui.widgets.need_page import NeedPage
from tui.widgets.notice import Notice
from tui.widgets.service_list import ServiceList
from tui.widgets.status_line import StatusLine
from tui.widgets.unreadable_list import UnreadableList
from tui.widgets.worker_table import WorkerTable


async def test_the_overview_opens_with_every_service_and_core() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await pilot.pause()
        assert isinstance(app.screen, OverviewScreen)
        assert app.screen.query_one(ServiceList).option_count == 2
        assert len(app.screen.query_one(CoreStrip).cores) == 4
        assert app.screen.query_one(ContentSwitcher).current == "body"


@pytest.mark.parametrize("key", ["3", "a"])
async def test_three_or_a_shows_the_advice_and_one_or_o_goes_back(key: str) -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, key)
        assert isinstance(app.screen, AdviceScreen)
        await press(pilot, {"3": "1", "a": "o"}[key])
        assert isinstance(app.screen, OverviewScreen)


async def test_findings_are_ranked_open_ones_first_and_the_page_follows_the_highlight() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "a")
        titles = []
        for _ in range(5):
            finding = app.screen.query_one(FindingHead).finding
            assert finding is not None
            titles.append(finding.title)
            await press(pilot, "j")
        assert titles == [
            "Tasks stall on memory",
            "More compute threads than cores",
            "Threads preempt each other",
            "Two of four workers are never needed",
            "Pool sized by the host",
        ]


async def test_the_page_names_the_cause_of_a_symptom_and_shows_exact_places() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "a", "j")
        changes = app.screen.query_one(ChangeList).render().plain
        assert "OMP_NUM_THREADS=1" in changes
        assert "takes effect: no code sets the thread count" in " ".join(changes.split())
        await press(pilot, "j")
        assert app.screen.query_one(FindingHead).cause == "More compute threads than cores"


async def test_a_rule_without_a_conclusion_says_what_it_needs() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "a", "k")  # up from the first line is the last
        page = app.screen.query_one(NeedPage)
        assert page.display
        assert "CAP_SYS_PTRACE for pid 101" in page.render().plain
        assert not app.screen.query_one(FindingHead).display


async def test_enter_on_a_service_goes_to_its_first_finding() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "j", "enter")
        assert isinstance(app.screen, AdviceScreen)
        finding = app.screen.query_one(FindingHead).finding
        assert finding is not None
        assert finding.subject.name == HEALTHY
        await press(pilot, "1", "k", "enter")
        finding = app.screen.query_one(FindingHead).finding
        assert finding is not None
        assert finding.subject.name == LOADED


async def test_the_highlight_stays_on_its_finding_when_another_comes_before_it() -> None:
    first = example_snapshot()
    less = msgspec.structs.replace(first.advice, findings=first.advice.findings[:1])
    app = app_with(msgspec.structs.replace(first, advice=less), first)
    async with app.run_test() as pilot:
        await press(pilot, "a")
        findings = app.screen.query_one(FindingList)
        chosen = findings.chosen
        await press(pilot, "r")
        assert findings.option_count == 6
        assert findings.chosen == chosen
        assert findings.highlighted == 1


async def test_the_processes_of_the_highlighted_service_are_shown() -> None:
    app = app_with(example_snapshot())
    async with app.run_test(size=(160, 48)) as pilot:
        await press(pilot, "j")
        table = app.screen.query_one(WorkerTable)
        assert [worker.pid for worker in table.processes] == [201]
        assert "--token=[redacted]" in table.render().plain


async def test_left_and_right_move_between_list_and_page() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "a", "right")
        assert app.screen.focused is app.screen.query_one(FindingPage)
        await press(pilot, "h")
        assert app.screen.focused is app.screen.query_one(FindingList)


async def test_a_node_without_services_says_what_is_looked_for() -> None:
    app = app_with(empty_snapshot())
    async with app.run_test() as pilot:
        for key in ("1", "2", "3"):
            await press(pilot, key)
            notice = app.screen.query_one("#notice", Notice)
            assert notice.headline == "No model server runs on node-1"
            assert notice.sentences[0].startswith("Looked for:")


async def test_no_advice_is_told_as_such_with_every_verdict() -> None:
    example = example_snapshot()
    quiet = msgspec.structs.replace(example.advice, findings=(), inconclusive=())
    app = app_with(msgspec.structs.replace(example, advice=quiet))
    async with app.run_test() as pilot:
        await press(pilot, "a")
        notice = app.screen.query_one("#quiet", Notice)
        assert notice.headline == "Nothing to change"
        assert notice.sentences[1] == f"{HEALTHY}: nothing holds it back"


async def test_without_a_connection_the_address_the_reason_and_the_remedy_are_shown() -> None:
    app = app_with(REFUSED)
    async with app.run_test() as pilot:
        await press(pilot, "r")
        notice = app.screen.query_one("#notice", Notice)
        assert notice.headline == "No connection to http://127.0.0.1:9753"
        assert notice.sentences[:2] == ("Reason: nothing listens there.", "What helps: start the agent: nodewright run")
        assert app.state.failures == 2


async def test_it_keeps_asking_and_recovers_by_itself() -> None:
    source = FakeSource([REFUSED, REFUSED, example_snapshot()])
    app = TopApp(source, interval_seconds=0.001)
    async with app.run_test() as pilot:
        while app.state.picture is None:
            await pilot.pause()
        assert source.asked >= 3
        assert app.state.problem is None
        assert app.screen.query_one(ContentSwitcher).current == "body"


async def test_a_lost_connection_keeps_the_last_numbers_and_says_so() -> None:
    app = app_with(example_snapshot(), REFUSED)
    async with app.run_test() as pilot:
        await press(pilot, "r")
        assert app.screen.query_one(ContentSwitcher).current == "body"
        assert "✗ nothing listens there, attempt 1" in app.screen.query_one(StatusLine).render().plain


async def test_what_this_node_cannot_tell_is_listed_with_its_hint() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await pilot.pause()
        told = app.screen.query_one(UnreadableList).render().plain
        assert "no PSI: boot with psi=1" in told
        assert "cpu" not in told


async def test_nothing_is_said_to_be_unreadable_where_everything_reads() -> None:
    example = example_snapshot()
    node = msgspec.structs.replace(example.node, collectors=example.node.collectors[:1])
    app = app_with(msgspec.structs.replace(example, node=node))
    async with app.run_test() as pilot:
        await pilot.pause()
        assert not app.screen.query_one(UnreadableList).display


async def test_help_opens_over_either_screen_and_closes() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "a", "question_mark")
        assert isinstance(app.screen, HelpScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, AdviceScreen)


async def test_q_quits() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "q")
    assert app.return_code == 0


async def test_hostile_names_and_a_thousand_services_are_shown_as_text() -> None:
    example = example_snapshot()
    evil = "\x1b[31m[bold]evil[/]\n" * 50
    many = tuple(msgspec.structs.replace(example.services[0], id=str(n), name=evil, verdict=evil) for n in range(1000))
    advice: AdviceDocument = msgspec.structs.replace(
        example.advice, findings=tuple(msgspec.structs.replace(f, title=evil) for f in example.advice.findings)
    )
    snapshot: Snapshot = msgspec.structs.replace(example, services=many, advice=advice)
    app = app_with(snapshot)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "a")
        assert "\x1b" not in app.screen.query_one(FindingHead).render().plain
        await press(pilot, "1")
        assert app.screen.query_one(ServiceList).option_count == 1000
