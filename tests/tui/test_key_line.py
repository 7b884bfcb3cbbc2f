"""Does the line of keys tell what the focus can do, and do what is clicked?"""

from msgspec.structs import replace

from tests.fakes_tui import app_with, press, until
from tests.flames import busy, source
from tests.snapshots import example_snapshot
from tests.tui.test_profile_screen import app_over, opened
from tui.screens.help import HelpScreen
from tui.widgets.key_line import KeyLine


async def test_a_click_on_a_key_does_what_the_key_does() -> None:
    app = app_with(example_snapshot())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "a")
        told = app.screen.query_one(KeyLine).render().plain
        await pilot.click(KeyLine, offset=(told.index("Help"), 0))
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await press(pilot, "escape")
        await pilot.click(KeyLine, offset=(79, 0))
        await pilot.pause()
        assert not isinstance(app.screen, HelpScreen)


async def test_the_keys_are_those_of_what_has_the_focus() -> None:
    app = app_over(source(busy()))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        line = app.screen.query_one(KeyLine)
        assert " t Take " in line.render().plain
        await press(pilot, "enter", "slash")
        assert line.render().plain.startswith(" enter Stay, then n: next  esc All again ")
        assert " t Take " not in line.render().plain
        await press(pilot, "escape")
        assert " t Take " in line.render().plain


async def test_where_the_servers_are_gone_nothing_is_offered_to_be_done_with_them() -> None:
    there = example_snapshot()
    gone = replace(there, services=(), workers=(), advice=replace(there.advice, findings=()))
    app = app_with(there, gone)
    async with app.run_test(size=(80, 24)) as pilot:
        line = app.screen.query_one(KeyLine)
        await until(pilot, lambda: app.state.picture is not None and bool(app.state.picture.services))
        await press(pilot, "j")
        assert line.render().plain.startswith(" enter Advice  w Processes ")
        await press(pilot, "r")
        await until(pilot, lambda: app.state.picture is not None and not app.state.picture.services)
        await pilot.pause()
        assert line.render().plain == " r Refresh  ? Help  q Quit "
        await press(pilot, "2", "1")
        assert line.render().plain == " r Refresh  ? Help  q Quit "
