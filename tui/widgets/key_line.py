"""Which keys do something here? The line at the bottom.

Textual's Footer makes a widget of each key, anew each time the focus moves: that takes longer than all else that is drawn then.
"""

from collections.abc import Mapping
from typing import NamedTuple

from textual import events
from textual.content import Content
from textual.dom import DOMNode
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

_KEY, _TEXT, _CANNOT = "bold $footer-key-foreground", "$footer-description-foreground", "dim"


class Key(NamedTuple):
    """A key as it stands there; a click does the same."""

    name: str
    shown: str
    text: str
    enabled: bool


class KeyLine(Widget):
    """Every key of whatever has the focus, then of the screen, then of all screens, as far as its binding is to be shown."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyLine {
        dock: bottom; height: 1; background: $footer-background; color: $footer-foreground; text-wrap: nowrap;
        text-overflow: clip;
    }
    """
    keys: reactive[tuple[Key, ...]] = reactive(())

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def render(self) -> Content:
        return Content("").join(map(written, self.keys))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        end = 0
        for key in self.keys:
            end += written(key).cell_length
            if event.x < end:
                if key.enabled:
                    self.app.simulate_key(key.name)
                return

    def _changed(self, screen: Screen[object]) -> None:
        if screen is not self.screen:
            return
        found: Mapping[str, Key] = {
            active.binding.action: Key(
                active.binding.key, self.app.get_key_display(active.binding), active.binding.description, active.enabled
            )
            for active in reversed(screen.active_bindings.values())
            if active.binding.show and _is_seen(active.node)
        }
        self.keys = tuple(found.values())[::-1]


def _is_seen(node: DOMNode) -> bool:
    """The focus may stay where another page stands in front."""
    return all(one.display for one in node.ancestors_with_self if isinstance(one, Widget))


def written(key: Key) -> Content:
    line = Content.assemble((f" {key.shown} ", _KEY), (f"{key.text} ", _TEXT))
    return line if key.enabled else line.stylize(_CANNOT)
