"""A source for the screens that answers what a test tells it to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from textual.pilot import Pilot

from advisor.documents import FindingEvent, Problem, Snapshot
from advisor.finding import Acknowledgement, Finding
from advisor.ledger.outcome import Outcome
from tests.snapshots import NOW
from tui.app import TopApp
from tui.source import Act, Answer, Picture, Unreachable

NOT_FOUND = Problem("not-found", "there is nothing of that name", "look at /openapi.json")
REFUSED = Problem("connection-refused", "nothing listens there", "start the agent: nodewright run")


@dataclass
class FakeSource:
    """Gives `answers` one after the other, then the last one again and again."""

    answers: Sequence[Snapshot | Problem]
    origin: str = "http://127.0.0.1:9753"
    asked: int = 0
    closed: bool = False
    read_only: Problem | None = None
    refuses: Problem | None = None
    """What is answered to whoever wants to change something."""
    events: tuple[FindingEvent, ...] = ()
    acts: list[tuple[str, Act]] = field(default_factory=list)
    known: Mapping[str, object] = field(default_factory=dict)
    """What is answered to `get`, by name without its query; a Problem is raised."""
    verified: list[tuple[str, str | None]] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    taken: Mapping[str, object] = field(default_factory=dict)
    """What is answered to `post`, by name; a Problem is raised."""
    posted: list[tuple[str, object]] = field(default_factory=list)

    async def picture(self) -> Picture:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Problem):
            raise Unreachable(answer)
        return Picture.of(answer)

    async def history(self, finding: str) -> tuple[FindingEvent, ...]:
        return tuple(one for one in self.events if one.finding == finding)

    async def get(self, name: str, kind: type[Answer]) -> Answer:
        self.got.append(name)
        found = self.known.get(name, self.known.get(name.partition("?")[0], NOT_FOUND))
        if isinstance(found, Problem):
            raise Unreachable(found)
        return msgspec.convert(msgspec.to_builtins(found), kind)

    async def post(self, name: str, body: object, kind: type[Answer]) -> Answer:
        self.posted.append((name, body))
        found = self.refuses or self.taken.get(name, NOT_FOUND)
        if isinstance(found, Problem):
            raise Unreachable(found)
        return msgspec.convert(msgspec.to_builtins(found), kind)

    async def act(self, finding: str, act: Act) -> Finding:
        self.acts.append((finding, act))
        if self.refuses is not None:
            raise Unreachable(self.refuses)
        shown = next(answer for answer in reversed(self.answers) if isinstance(answer, Snapshot))
        found = next(one for one in shown.advice.findings if one.id == finding)
        if act.state == "open":
            return msgspec.structs.replace(found, state="open", acknowledgement=None)
        entry = Acknowledgement(state=act.state, reason=act.reason, owner=act.owner, at=NOW, until=None)
        return msgspec.structs.replace(found, state=act.state, acknowledgement=entry)

    async def verify(self, finding: str, since: str | None) -> Outcome:
        self.verified.append((finding, since))
        if self.refuses is not None:
            raise Unreachable(self.refuses)
        return Outcome(
            id="o1", service="", service_id="", state="waiting", changes=(), promises=(), changed_at=NOW, by_hand=True
        )

    def close(self) -> None:
        self.closed = True


def app_with(*answers: Snapshot | Problem) -> TopApp:
    """The app over a source with these answers; it asks again by key, never by clock."""
    return TopApp(FakeSource(answers), interval_seconds=3600.0)


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press `keys` and wait until the screens have followed."""
    await pilot.press(*keys)
    await pilot.pause()


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait for what workers bring."""
    for _ in range(200):
        await pilot.pause()
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError("it never came")
