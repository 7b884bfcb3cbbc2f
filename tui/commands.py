"""What can be done from the command palette? Whatever has a key here and says what it does."""

from collections.abc import Iterable
from functools import partial

from textual.app import App, SystemCommand
from textual.screen import Screen

_OWN = frozenset({"command_palette"})


def commands_of(app: App[None], screen: Screen[object]) -> Iterable[SystemCommand]:
    """Screens first, then what this screen and its lists can do, then what all can; each with its key."""
    seen = set[str]()
    for active in sorted(
        screen.active_bindings.values(), key=lambda one: not one.binding.action.startswith("switch_mode")
    ):
        binding = active.binding
        if not active.enabled or not binding.description or binding.action in _OWN | seen:
            continue
        if active.node not in (app, screen) and not binding.description[:1].isupper():
            continue
        seen.add(binding.action)
        key = binding.key_display or app.get_key_display(binding)
        yield SystemCommand(binding.description, f"key {key}", partial(app.run_action, binding.action, active.node))
