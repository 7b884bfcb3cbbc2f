"""What is the app told? Workers never touch a widget, screens never each other; they post one of these."""

from textual.message import Message

from advisor.documents import Problem
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
