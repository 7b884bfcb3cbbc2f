"""What is somebody looking for among the frames?"""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class FrameSearch(Input):
    """One line; each letter searches."""

    DEFAULT_CSS = """
    FrameSearch { height: 1; border: none; padding: 0 1; background: $cursor; display: none; }
    FrameSearch:focus { border: none; background: $cursor; }
    FrameSearch.-open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Stay, then n: next", key_display="enter"),
        Binding("escape", "screen.leave", "All again"),
    ]
