"""A recording of a real run behind the interface that `nodewright replay` serves, for the screens and for whoever asks it the
same questions."""

import asyncio
import dataclasses
import json
import lzma
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from textual.pilot import Pilot

from advisor.documents import OutcomesDocument
from advisor.profiling.stored import StoredProfile
from agent.http.app import build_app
from agent.http.server import serve
from agent.profiling.access import KeptProfiles
from agent.replay import Replayed, deps_of
from agent.store.profiles import append_profile
from agent.store.reader import StoreReader
from tests.agent.pieces import LOADED
from tests.tui.accounted.sheet import Sheet
from tests.tui.accounted.written import age, clock
from tui.app import TopApp
from tui.http_source import HttpSource
from tui.past import instant
from tui.widgets.status_line import StatusLine
from tui.widgets.tab_line import TabLine

_TABS = ("Overview", "Workers", "Advice", "GPUs", "Profile", "CPU/GPU")
RECORDINGS = Path(__file__).parents[2] / "fixtures" / "recordings"


_OF_ALL_TIME = ("series", "profiles", "outcomes", "timeline")


class Agent:
    """What answers at `url`. `get`: the raw JSON of `GET /v1/NAME`, of the moment `at` where one is set (Unix seconds)."""

    at: float | None = None

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    def has_seen(self, at: str) -> bool:
        """Whether that was before the moment."""
        return self.at is None or datetime.fromisoformat(at).timestamp() <= self.at

    async def get(self, name: str) -> Any:
        if self.at is not None and not name.startswith(_OF_ALL_TIME) and not name.endswith("/history"):
            name += f"{'&' if '?' in name else '?'}at={self.at}"
        async with self._session.get(f"http://agent/v1/{name}") as answer:
            assert answer.status == 200, f"{name}: {await answer.text()}"
            return json.loads(await answer.read())["data"]


class Kept(msgspec.Struct):
    """What a running agent keeps and a recording does not."""

    outcomes: OutcomesDocument = OutcomesDocument(outcomes=(), scores=())
    profiles: tuple[StoredProfile, ...] = ()


def kept_beside(name: str) -> Kept:
    path = RECORDINGS / f"{name}.kept.json.xz"
    return msgspec.json.decode(lzma.decompress(path.read_bytes()), type=Kept) if path.exists() else Kept()


@asynccontextmanager
async def played(name: str, folder: Path) -> AsyncIterator[Agent]:
    """The recording RECORDINGS/`name`.db.xz, and what was kept beside it."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32))  # the screens and the agent share it here
    path, state = folder / "recording.db", folder / "state.db"
    path.write_bytes(lzma.decompress((RECORDINGS / f"{name}.db.xz").read_bytes()))
    kept = kept_beside(name)
    for profile in kept.profiles:
        append_profile(state, profile)
    replayed = await asyncio.to_thread(Replayed, LOADED, path)
    deps = dataclasses.replace(
        deps_of(replayed, LOADED, path, ""), profiles=KeptProfiles(StoreReader(state)), outcomes=lambda: kept.outcomes
    )
    runner = await serve(build_app(deps), f"unix:{folder / 'agent.sock'}")
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(folder / "agent.sock"))) as session:
            yield Agent(runner.url, session)
    finally:
        deps.updates.close()
        await runner.close()
        replayed.moments.close()


class Shown:
    """The screens over `agent`."""

    def __init__(self, app: TopApp, pilot: Pilot[None], agent: Agent) -> None:
        self.app, self.pilot, self.agent = app, pilot, agent

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def back(self, minutes: int) -> None:
        """Go back in time, so that what was is shown and asked for."""
        for _ in range(minutes):
            await self.press("left_curly_bracket")
            await self.until(lambda: self.app.state.moment is not None)
            at = self.app.travel.at
            await self.until(
                lambda at=at: self.app.state.picture is not None and instant(self.app.state.picture.node.at) == int(at)
            )
        self.agent.at = self.app.travel.at

    async def until(self, come: Callable[[], bool]) -> None:
        """Wait for what is on its way."""
        async with asyncio.timeout(20):
            while not come():
                await asyncio.sleep(0.01)
        await self.pilot.pause()

    def text(self) -> str:
        return str(Sheet(self.app.screen))

    async def sheet(self) -> Sheet:
        await self.pilot.pause()
        return Sheet(self.app.screen)

    async def closed(self, sheet: Sheet, screen: str) -> None:
        """What every screen has at its top is as `/v1` says, and no number is left over. `screen`: its label."""
        node = await self.agent.get("node")
        if self.agent.at is not None:
            moments = (await self.agent.get("timeline"))["moments"]
            number, before = moments.index(self.agent.at) + 1, age(moments[-1] - self.agent.at)
            said = f"{clock(node['at'])} · {before} before its end · {number}/{len(moments)} · {node['node']}"
            sheet.part(StatusLine).row(f"‖ PAST, paused · {said}", "[ ] step . now")
        elif self.app.state.notice is None:  # else it says that for a while
            sheet.part(StatusLine).row("nodewright", "·", node["node"], "·", clock(node["at"]), "●", self.agent.url)
        tabs = sheet.part(TabLine)
        for number, name in enumerate(_TABS, 1):
            label = f"{number} {name}"
            tabs.says(f"[{label}]" if name == screen else label)
        assert sheet.left() == []


@asynccontextmanager
async def shown(agent: Agent, size: tuple[int, int]) -> AsyncIterator[Shown]:
    """The screens over it, which ask once."""
    source = HttpSource(agent.url)
    app = TopApp(source, interval_seconds=3600.0)
    try:
        async with app.run_test(size=size) as pilot:
            found = Shown(app, pilot, agent)
            await found.until(lambda: app.state.picture is not None)
            yield found
    finally:
        source.close()
