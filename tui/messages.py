"""What is the app told? Workers never touch a widget, screens never each other; they post one of these."""

from typing import Literal

from textual.message import Message

from advisor.documents import FindingEvent, Problem
from advisor.finding import Finding
from tui.source import Picture


class Arrived(Message):
    """A new picture."""

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        self.picture = picture

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Arrived)


class Lost(Message):
    """The source has no picture now."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem


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


class Acted(Message):
    """The agent did what was asked: the finding as it is now."""

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding


class Refused(Message):
    """What was asked was not done."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem
