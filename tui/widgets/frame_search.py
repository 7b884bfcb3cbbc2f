"""What is somebody looking for among the frames?"""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class FrameSearch(Input):
    """One line over the last one of what it is in, so that nothing moves; each letter searches."""

    DEFAULT_CSS = """
    FrameSearch {
        layer: above; dock: bottom; height: 1; border: none; padding: 0 1; background: $cursor; display: none;
    }
    FrameSearch:focus { border: none; background: $cursor; }
    FrameSearch.-open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Stay, then n: next", key_display="enter"),
        Binding("escape", "screen.leave", "All again"),
    ]
