"""What do all screens know: the last picture, and how the connection is?"""

import msgspec

from advisor.documents import FindingEvent, Problem
from advisor.finding import Finding
from tui.source import Picture
from tui.travel import Moment

STALE_PICTURES = 3
"""The agent judges every second tick, or at the next one after it was told something."""


class Notice(msgspec.Struct, frozen=True):
    """What came of something that the user did; it is shown for a few seconds."""

    text: str
    good: bool


class Going(msgspec.Struct, frozen=True):
    """To a moment of the past (Unix seconds) that has yet to come; `said`: how far it is."""

    at: float
    said: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`picture` stays when the connection is lost, so that the last numbers can still be read; `failures` counts the
    attempts since then. Neither picture nor problem: the first answer is still to come."""

    origin: str
    picture: Picture | None = None
    problem: Problem | None = None
    failures: int = 0
    notice: Notice | None = None
    history: tuple[FindingEvent, ...] = ()
    """Of the finding that was asked for last."""
    acted: Finding | None = None
    """As the agent answered when it was changed: pictures from before that may still come."""
    stale_pictures: int = 0
    moment: Moment | None = None
    """Which one of the past `picture` is of; None = it is the present one."""
    going: Going | None = None
    """What is waited for, while `picture` stays."""

    def arrived(self, picture: Picture) -> "State":
        arrived = msgspec.structs.replace(self, picture=picture, problem=None, failures=0)
        return (
            arrived._with_acted(self.stale_pictures - 1) if self.acted is not None and self.stale_pictures else arrived
        )

    def kept_up(self, moment: Moment | None) -> "State":
        """A picture came while the past is shown: it stays, and has got older."""
        return msgspec.structs.replace(self, moment=moment, problem=None, failures=0)

    def went(self, picture: Picture, moment: Moment | None) -> "State":
        return msgspec.structs.replace(self, picture=picture, moment=moment, stale_pictures=0, going=None)

    def returned(self, picture: Picture) -> "State":
        """To the present."""
        return msgspec.structs.replace(self, picture=picture, moment=None, going=None)

    def lost(self, problem: Problem) -> "State":
        return msgspec.structs.replace(self, problem=problem, failures=self.failures + 1)

    def changed(self, finding: Finding) -> "State":
        """The finding is as the agent answered, also in the next pictures."""
        return msgspec.structs.replace(self, acted=finding)._with_acted(STALE_PICTURES)

    def _with_acted(self, stale_pictures: int) -> "State":
        if self.picture is None or self.acted is None:
            return self
        acted, advice = self.acted, self.picture.advice
        findings = tuple(
            msgspec.structs.replace(one, state=acted.state, acknowledgement=acted.acknowledgement)
            if one.id == acted.id
            else one
            for one in advice.findings
        )
        picture = msgspec.structs.replace(self.picture, advice=msgspec.structs.replace(advice, findings=findings))
        return msgspec.structs.replace(self, picture=picture, stale_pictures=stale_pictures)
