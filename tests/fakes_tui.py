"""A source for the screens that answers what a test tells it to."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.pilot import Pilot

from advisor.documents import Problem, Snapshot
from tui.app import TopApp
from tui.source import Picture, Unreachable

REFUSED = Problem("connection-refused", "nothing listens there", "start the agent: nodewright run")


@dataclass
class FakeSource:
    """Gives `answers` one after the other, then the last one again and again."""

    answers: Sequence[Snapshot | Problem]
    origin: str = "http://127.0.0.1:9753"
    asked: int = 0
    closed: bool = False

    async def picture(self) -> Picture:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Problem):
            raise Unreachable(answer)
        return Picture.of(answer)

    def close(self) -> None:
        self.closed = True


def app_with(*answers: Snapshot | Problem) -> TopApp:
    """The app over a source with these answers; it asks again by key, never by clock."""
    return TopApp(FakeSource(answers), interval_seconds=3600.0)


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press `keys` and wait until the screens have followed."""
    await pilot.press(*keys)
    await pilot.pause()
