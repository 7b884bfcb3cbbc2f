"""What is the app told? Workers never touch a widget, screens never each other; they post one of these."""

from typing import Literal

from textual.message import Message

from advisor.documents import FindingEvent, Problem
from advisor.finding import Finding
from advisor.ledger.outcome import Outcome
from tui.source import Picture, Source


class Arrived(Message):
    """A new picture."""

    def __init__(self, picture: Picture, source: Source | None = None) -> None:
        """`source`: whose it is."""
        super().__init__()
        self.picture, self.source = picture, source

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Arrived)


class Lost(Message):
    """The source has no picture now."""

    def __init__(self, problem: Problem, source: Source | None = None) -> None:
        super().__init__()
        self.problem, self.source = problem, source


class Went(Message):
    """A picture of the moment `at` (Unix seconds) that somebody went to."""

    def __init__(self, at: float, picture: Picture) -> None:
        super().__init__()
        self.at, self.picture = at, picture


class GoingOn(Message):
    """The moment `at` (Unix seconds) is waited for; `said`: how far it is, None where it will not come."""

    def __init__(self, at: float, said: str | None) -> None:
        super().__init__()
        self.at, self.said = at, said


class AdviceWanted(Message):
    """A service was entered: show what there is to change on it."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service


class WorkersWanted(Message):
    """The processes of a service are wanted, by its id."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service


class HistoryWanted(Message):
    """A finding is shown: what became of it?"""

    def __init__(self, finding: str) -> None:
        super().__init__()
        self.finding = finding


class HistoryArrived(Message):
    """Its answer, newest first."""

    def __init__(self, events: tuple[FindingEvent, ...]) -> None:
        super().__init__()
        self.events = events


class ActWanted(Message):
    """Somebody wants a finding to be in another state."""

    def __init__(self, finding: Finding, state: Literal["acknowledged", "snoozed", "open"]) -> None:
        super().__init__()
        self.finding = finding
        self.state: Literal["acknowledged", "snoozed", "open"] = state


class VerifyWanted(Message):
    """Somebody did what a finding asked for: what came of it?"""

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding


class Verifying(Message):
    """The agent measures that."""

    def __init__(self, finding: Finding, outcome: Outcome) -> None:
        super().__init__()
        self.finding, self.outcome = finding, outcome


class CopyWanted(Message):
    """Text for the clipboard of whoever looks; `what` it is, in a few words."""

    def __init__(self, text: str, what: str) -> None:
        super().__init__()
        self.text, self.what = text, what


class Acted(Message):
    """The agent did what was asked: the finding as it is now."""

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding


class Told(Message):
    """What came of something that the user did, in one line."""

    def __init__(self, text: str, good: bool = True) -> None:
        super().__init__()
        self.text = text
        self.good = good


class Refused(Message):
    """What was asked was not done."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem
