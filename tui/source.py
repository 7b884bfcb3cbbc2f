"""Where do the screens get what they show, and how does a source say that it has nothing?"""

from typing import Protocol

import msgspec

from advisor.documents import (
    AdviceDocument,
    NodeStatus,
    Problem,
    SelfStatus,
    ServiceStatus,
    Snapshot,
    WorkerStatus,
)


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


class Source(Protocol):
    """A live agent, a recording, or an example."""

    @property
    def origin(self) -> str:
        """The address or file that people know it by."""

    async def picture(self) -> Picture:
        """The present picture. Raises Unreachable."""

    def close(self) -> None:
        """Give back connections and child processes."""
