"""What do a server's settings files say about the keys that its framework asks for?

A request names the file and the keys; nothing else of a file leaves this module, and no value that looks secret does.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import islice

from collectors.facts import SettingsFile
from collectors.framework import SettingsRequest
from collectors.inside.folder import ProcessFolder
from collectors.inside.tree import parts_of
from collectors.inside.view import NotPlain, View
from collectors.model_headers.source import Budget, BudgetSpent
from collectors.procfs import safe_text
from collectors.settings_formats.asked import Room, asked_for
from collectors.settings_formats.read import NotUnderstood, parser_of

REQUESTS_LIMIT = 16
FILES_LIMIT = 32
CANDIDATES_LIMIT = 1024
FILE_LIMIT_BYTES = 256 * 1024
BUDGET_BYTES = FILES_LIMIT * FILE_LIMIT_BYTES
BUDGET_SECONDS = 0.5


def settings_files(
    folder: ProcessFolder, requests: Sequence[SettingsRequest], budget: Budget | None = None
) -> tuple[SettingsFile, ...]:
    """The files that `requests` name, relative to the process's working folder inside its root. A file that may not be
    read is left out; one for which no time is left is a problem. Raises OSError if the root or the working folder cannot
    be entered."""
    room = Room()
    budget = budget or Budget(BUDGET_BYTES, BUDGET_SECONDS)
    with View(folder) as view:
        found = (file for request in requests[:REQUESTS_LIMIT] for file in _files(view, request, room, budget))
        return tuple(islice(found, FILES_LIMIT))


def _files(view: View, request: SettingsRequest, room: Room, budget: Budget) -> Iterator[SettingsFile]:
    pattern = os.fsencode(request.pattern)
    parts = parts_of(pattern)
    if not parts or parser_of(parts[-1]) is None or any(p.startswith(b".") and p != b".." for p in parts):
        return
    several = any(b"*" in part for part in parts)
    whole = view.parts(pattern)
    for candidate in islice(view.matches(whole, len(whole) - len(parts)), CANDIDATES_LIMIT):
        path = safe_text(b"/" + b"/".join(candidate))
        try:
            file = _file(view, candidate, request, path, room, budget)
        except (FileNotFoundError, NotADirectoryError):
            if not several:
                yield SettingsFile(request.name, path, False)
        except OSError:
            continue
        else:
            yield file


def _file(
    view: View, parts: Sequence[bytes], request: SettingsRequest, path: str, room: Room, budget: Budget
) -> SettingsFile:
    """Raises PermissionError if the process could not read it itself, OSError as open(2) does."""
    parse = parser_of(parts[-1])
    assert parse is not None
    try:
        values, problem = asked_for(parse(_content(view, parts, budget)), request.keys, room)
    except NotUnderstood as no:
        certain, _ = asked_for(no.certain, request.keys, room)
        return SettingsFile(request.name, path, True, certain, no.reason)
    return SettingsFile(request.name, path, True, values, problem)


def _content(view: View, parts: Sequence[bytes], budget: Budget) -> bytes:
    try:
        descriptor = view.open(parts)
    except NotPlain as error:
        raise NotUnderstood("not a plain file") from error
    with open(descriptor, "rb", buffering=0) as file:
        try:
            budget.take(min(os.fstat(descriptor).st_size, FILE_LIMIT_BYTES))
        except BudgetSpent as error:
            raise NotUnderstood("not read: budget") from error
        content = file.read(FILE_LIMIT_BYTES + 1) or b""
    if len(content) > FILE_LIMIT_BYTES:
        raise NotUnderstood(f"longer than {FILE_LIMIT_BYTES} bytes")
    return content
