"""What do all screens know: the last picture, and how the connection is?"""

import msgspec

from advisor.documents import Problem
from tui.source import Picture


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`picture` stays when the connection is lost, so that the last numbers can still be read; `failures` counts the
    attempts since then. Neither picture nor problem: the first answer is still to come."""

    origin: str
    picture: Picture | None = None
    problem: Problem | None = None
    failures: int = 0

    def arrived(self, picture: Picture) -> "State":
        return State(origin=self.origin, picture=picture)

    def lost(self, problem: Problem) -> "State":
        return msgspec.structs.replace(self, problem=problem, failures=self.failures + 1)
