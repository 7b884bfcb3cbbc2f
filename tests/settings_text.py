"""What would the reader of settings files tell a framework of a file with this text?"""

from collectors.facts import SettingsFile
from collectors.framework import SettingsRequest
from collectors.settings_formats.asked import Room, asked_for
from collectors.settings_formats.read import parser_of


def settings_of(request: SettingsRequest, text: str, path: str | None = None) -> SettingsFile:
    """The file that `request` names, or, where its pattern stands for several, the one at `path`."""
    path = path or request.pattern
    parse = parser_of(path.rpartition("/")[2].encode())
    assert parse is not None
    values, problem = asked_for(parse(text.encode()), request.keys, Room())
    return SettingsFile(request.name, path, True, values, problem)
