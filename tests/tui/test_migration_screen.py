"""Can a person see where a service could run, go to the reasons, and suppose something else, from the keyboard?"""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import ContentSwitcher, Input

from advisor.documents import Problem, Snapshot
from advisor.migration.result import MigrationEstimate
from tests.fakes_tui import REFUSED, FakeSource, press
from tests.snapshots import LOADED, empty_snapshot, example_snapshot
from tests.snapshots_migration import LLM, blind_migration, example_migrations, loaded_migration
from tests.tui.sizes import SIZES
from tui.app import TopApp
from tui.screens.migration import MigrationScreen
from tui.screens.what_if import WhatIfScreen
from tui.widgets.alternative_list import AlternativeAxis, AlternativeList
from tui.widgets.alternative_page import AlternativePage
from tui.widgets.migration_head import MigrationHead
from tui.widgets.migration_list import MigrationList
from tui.widgets.notice import Notice

OLDER = Problem("not-found", "there is nothing at /v1/migration", "the agent is older than this version")


def source_with(found: tuple[MigrationEstimate, ...] | Problem, *answers: Snapshot | Problem) -> FakeSource:
    return FakeSource(answers or (example_snapshot(),), known={"migration": found})


def app_over(source: FakeSource) -> TopApp:
    return TopApp(source, interval_seconds=3600.0)


async def settled(pilot: Pilot[None], *keys: str) -> None:
    """Press `keys`, and wait for what is worked out beside the screens."""
    await press(pilot, *keys)
    running = [one for one in pilot.app.workers if one.group in ("migration", "what-if")]
    if running:
        await pilot.app.workers.wait_for_complete(running)
    await pilot.pause()


def screen_of(app: TopApp) -> MigrationScreen:
    assert isinstance(app.screen, MigrationScreen)
    return app.screen


def shown(app: TopApp) -> str:
    head = screen_of(app).query_one(MigrationHead).render().plain
    options = (option.prompt.plain for option in screen_of(app).query_one(AlternativeList).options)  # type: ignore[union-attr]
    return "\n".join((head, *options))


async def test_services_alternatives_and_the_page_follow_the_highlights() -> None:
    app = app_over(source_with(example_migrations()))
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot, "c")
        screen = screen_of(app)
        assert [one.id for one in screen.query_one(MigrationList).options] == [
            one.service for one in example_migrations()
        ]
        assert screen.query_one(AlternativeList).chosen == "L4", "the best verdict, not the first line"
        page = screen.query_one(AlternativePage)
        assert "● L4  candidate" in page.query_one("_Details").render().plain  # type: ignore[union-attr]
        await settled(pilot, "enter", "j")
        assert "○ H100  candidate" in page.query_one("_Details").render().plain  # type: ignore[union-attr]
        await settled(pilot, "left", "j")
        assert screen.query_one(MigrationHead).estimate == example_migrations()[1]
        await settled(pilot, "j")
        assert "cannot tell, needs a profile" in shown(app)
        assert screen.query_one(AlternativeList).option_count == 0
        assert screen.query_one(AlternativeAxis).render().plain == ""


async def test_on_a_small_screen_the_page_takes_the_place_of_the_list_and_gives_it_back() -> None:
    app = app_over(source_with(example_migrations()))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, "c")
        page, alternatives = app.screen.query_one(AlternativePage), app.screen.query_one(AlternativeList)
        assert (page.size.height, alternatives.size.height > 5) == (0, True)
        await settled(pilot, "enter", "enter")
        assert (page.size.height, alternatives.size.height) == (21, 0)
        assert page.has_focus
        await settled(pilot, "escape")
        assert alternatives.has_focus
        assert alternatives.size.height > 5
        await settled(pilot, "left")
        assert app.screen.query_one(MigrationList).has_focus


async def test_the_load_is_supposed_and_taken_back() -> None:
    app = app_over(source_with(example_migrations()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, "c", "i")
        assert isinstance(app.screen, WhatIfScreen)
        assert app.screen.query_one("#load", Input).placeholder == "78.4 now"
        await settled(pilot, "tab", "5", "enter")
        assert "what if load=5" in shown(app)
        assert "5 requests/s" in shown(app)
        assert "if so, candidate: L4" in screen_of(app).query_one(MigrationList).options[0].prompt.plain  # type: ignore[union-attr]
        assert "cost ×1.5" in shown(app), "two nodes are paid for now, and one is enough"
        await settled(pilot, "x")
        assert "what if" not in shown(app)
        assert "78.4 requests/s" in shown(app)


async def test_another_device_is_looked_at_beside_the_others() -> None:
    app = app_over(source_with(example_migrations()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, "c", "j", "i", *"l4", "enter")
        assert [one.id for one in screen_of(app).query_one(AlternativeList).options] == [
            "here/batches",
            "T4",
            "H100",
            "L4",
        ]
        assert screen_of(app).query_one(MigrationHead).estimate.service == LLM  # type: ignore[union-attr]
        await settled(pilot, "k")
        assert "what if" not in shown(app), "of one service alone"


@pytest.mark.parametrize(
    ("field", "text", "problem"),
    [
        ("device", "a100", "may be A100 40GB or A100 80GB"),
        ("load", "many", "could not convert"),
        ("slo", "100", "has no unit"),
        ("part", "2", "above 1"),
    ],
)
async def test_nonsense_is_told_in_the_form(field: str, text: str, problem: str) -> None:
    app = app_over(source_with(example_migrations()))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, "c", "i")
        app.screen.query_one(f"#{field}", Input).value = text
        await settled(pilot, "enter")
        assert isinstance(app.screen, WhatIfScreen)
        assert problem in str(app.screen.query_one("#problem").render())
        assert app.focused is app.screen.query_one(f"#{field}")
        await settled(pilot, "escape")
        assert isinstance(app.screen, MigrationScreen)
        assert "what if" not in shown(app)


async def test_nothing_can_be_supposed_of_what_nobody_knows() -> None:
    app = app_over(source_with((blind_migration(),)))
    async with app.run_test() as pilot:
        await settled(pilot, "c", "i")
        assert isinstance(app.screen, MigrationScreen)


async def test_a_new_answer_keeps_the_place_and_what_is_supposed() -> None:
    source = source_with(example_migrations())
    app = app_over(source)
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot, "c", "i", "tab", "5", "enter")
        await settled(pilot, "enter", "j")
        source.known = {"migration": (blind_migration_of("new/one:1"), *example_migrations())}
        await settled(pilot, "r")
        await settled(pilot)
        screen = screen_of(app)
        assert screen.query_one(MigrationList).chosen == LOADED
        assert screen.query_one(AlternativeList).chosen == "H100"
        assert "what if load=5" in shown(app)


def blind_migration_of(service: str) -> MigrationEstimate:
    return replace(blind_migration(), service=service)


async def test_two_services_of_one_name_are_two() -> None:
    app = app_over(source_with((loaded_migration(), loaded_migration())))
    async with app.run_test() as pilot:
        await settled(pilot, "c")
        assert [one.id for one in screen_of(app).query_one(MigrationList).options] == [LOADED, f"{LOADED} #2"]


@pytest.mark.parametrize(
    ("found", "answer", "headline"),
    [
        ((), example_snapshot(), "No service on CPUs"),
        (OLDER, example_snapshot(), "What could move to a device is not known"),
        ((), empty_snapshot(), "No model server runs on node-1"),
        ((), REFUSED, "No connection to http://127.0.0.1:9753"),
    ],
    ids=["none on CPUs", "older agent", "nothing is served", "disconnected"],
)
async def test_what_is_missing_is_said_with_what_helps(
    found: object, answer: Snapshot | Problem, headline: str
) -> None:
    app = app_over(source_with(found, answer))  # type: ignore[arg-type]
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, "c")
        assert app.screen.query_one(ContentSwitcher).current == "notice"
        assert app.screen.query_one("#notice", Notice).headline == headline


async def test_the_agent_is_not_asked_again_for_each_picture() -> None:
    source = source_with(example_migrations())
    app = app_over(source)
    async with app.run_test() as pilot:
        await settled(pilot)
        assert "migration" not in source.got, "nobody looks at it"
        await settled(pilot, "c")
        for _ in range(3):
            app.action_ask()
            await settled(pilot)
        assert source.got.count("migration") == 1
        await settled(pilot, "r")
        await settled(pilot)
        assert source.got.count("migration") == 2


STATES: dict[str, tuple[tuple[MigrationEstimate, ...] | Problem, Snapshot | Problem]] = {
    "live": (example_migrations(), example_snapshot()),
    "empty": ((), example_snapshot()),
    "unsupported": ((blind_migration(),), example_snapshot()),
    "disconnected": ((), REFUSED),
}


@SIZES
@pytest.mark.parametrize("state", STATES)
def test_the_screen_looks_as_accepted(
    snap_compare: Callable[..., bool], state: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    found, answer = STATES[state]

    async def settle(pilot: Pilot[None]) -> None:
        await settled(pilot, "c")

    assert snap_compare(app_over(source_with(found, answer)), terminal_size=size, run_before=settle)


@SIZES
@pytest.mark.parametrize(
    "keys", [("c", "j", "enter", "enter"), ("c", "i"), ("c", "i", "tab", "5", "enter")], ids=["page", "form", "what-if"]
)
def test_page_and_form_look_as_accepted(
    snap_compare: Callable[..., bool], keys: tuple[str, ...], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    async def settle(pilot: Pilot[None]) -> None:
        for key in keys:
            await settled(pilot, key)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False

    assert snap_compare(app_over(source_with(example_migrations())), terminal_size=size, run_before=settle)
