"""What would leave the reader of a settings file?"""

import textwrap

from collectors.settings_formats.asked import Room, asked_for
from collectors.settings_formats.read import NotUnderstood, parser_of
from collectors.settings_formats.values import Scalar

Told = tuple[dict[str, Scalar], str | None]


def ask(name: str, text: str | bytes, *keys: str) -> Told:
    """What leaves the reader of a file of this name."""
    parse = parser_of(name.encode())
    assert parse is not None
    content = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
    try:
        return asked_for(parse(content), keys, Room())
    except NotUnderstood as no:
        return {}, no.reason


def values(name: str, text: str | bytes, *keys: str) -> dict[str, Scalar]:
    """The values of a file without a problem."""
    found, problem = ask(name, text, *keys)
    assert problem is None
    return found
