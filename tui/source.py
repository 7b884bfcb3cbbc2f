"""Where do the screens get what they show, and how does a source say that it has nothing?"""

from typing import Literal, Protocol, TypeVar

import msgspec

from advisor.documents import (
    AdviceDocument,
    FindingEvent,
    NodeStatus,
    Problem,
    SelfStatus,
    ServiceStatus,
    Snapshot,
    WorkerStatus,
)
from advisor.finding import Finding
from advisor.ledger.outcome import Outcome

Answer = TypeVar("Answer")


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The node at one moment, as far as the screens show it."""

    node: NodeStatus
    services: tuple[ServiceStatus, ...]
    workers: tuple[WorkerStatus, ...]
    advice: AdviceDocument
    self_status: SelfStatus

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Picture":
        return cls(
            node=snapshot.node,
            services=snapshot.services,
            workers=snapshot.workers,
            advice=snapshot.advice,
            self_status=snapshot.self_status,
        )


class Unreachable(Exception):  # noqa: N818 - it is a state of the connection, not an error
    """Raised by a source that has no picture now; asking again later may help."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.message} ({problem.hint})")
        self.problem = problem


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody says of a finding: the body of `POST /v1/advice/{id}`."""

    state: Literal["acknowledged", "snoozed", "open"]
    owner: str
    reason: str = ""
    expires_in: str | None = None


class Source(Protocol):
    """A live agent, a recording, or an example."""

    @property
    def origin(self) -> str:
        """The address or file that people know it by."""

    @property
    def read_only(self) -> Problem | None:
        """Why nothing can be changed here; None where it can be tried."""

    async def picture(self) -> Picture:
        """The present picture. Raises Unreachable."""

    async def history(self, finding: str) -> tuple[FindingEvent, ...]:
        """What became of a finding, newest first. Raises Unreachable."""

    async def get(self, name: str, kind: type[Answer]) -> Answer:
        """What `GET /v1/NAME` answers (`migration`, `series?entity=…`), as `kind`. Raises Unreachable."""

    async def post(self, name: str, body: object, kind: type[Answer]) -> Answer:
        """What `POST /v1/NAME` answers to `body` as JSON, as `kind`. Raises Unreachable, also where that is refused."""

    async def act(self, finding: str, act: Act) -> Finding:
        """Change a finding's state, and return it as it is then. Raises Unreachable, also where that is refused."""

    async def verify(self, finding: str, since: str | None) -> Outcome:
        """Measure what came of what a finding asked for, done `since` ago (`5min`; None = now). Raises Unreachable, also where
        that is refused."""

    def close(self) -> None:
        """Give back connections and child processes."""
