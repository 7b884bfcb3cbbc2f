"""What do people do about a finding from the command line: take note of it, put it off, open it again, look back?"""

import getpass
import os
import time
from collections.abc import Iterable, Sequence
from typing import Literal

from advisor.documents import AdviceDocument, FindingEvent
from advisor.finding import Finding
from agent.advice_text import SHOWN_ID
from agent.client import Client
from agent.errors import CliError
from agent.http.deps import MOST_EVENTS, AckRequest
from collectors.units import parse_duration

_EVENTS = tuple[FindingEvent, ...]
_VERBS = {"acknowledged": "acknowledged", "snoozed": "snoozed", "open": "open again"}


def act(
    client: Client, word: str, state: Literal["acknowledged", "snoozed", "open"], reason: str, owner: str, lasts: str | None
) -> str:  # fmt: skip
    """Change the state of the finding that `word` begins; the line that tells it. Raises CliError."""
    try:
        request = AckRequest(state=state, reason=reason, expires_in=lasts, owner=owner)
    except ValueError as error:
        raise CliError("ack.invalid", str(error), "see nodewright ack --help") from error
    found: Finding = client.post(f"/v1/advice/{find(client, word)}", request, Finding)
    about = f"{found.id[:SHOWN_ID]} [{found.severity}] {found.rule} on {found.subject.name}: {_VERBS[state]} by {owner}"
    entry = found.acknowledgement
    until = f" until {entry.until}" if entry is not None and entry.until else ""
    return f"{about}{until}" + (f": {reason}" if reason else "")


def find(client: Client, word: str) -> str:
    """The id that `word` is or begins: of an open finding, else of one that has a history. Raises CliError (2)."""
    document: AdviceDocument = client.get("/v1/advice", AdviceDocument)
    current = {one.id: f"{one.rule} on {one.subject.name}" for one in document.findings}
    found = _beginning(word, current) or _beginning(word, _ended(client))
    if found is None:
        known = ", ".join(f"{name[:SHOWN_ID]} ({about})" for name, about in list(current.items())[:5]) or "none is open"
        raise CliError("finding.unknown", f"there is no finding {word!r}", f"open: {known}")
    return found


def history(client: Client, word: str | None, since: str | None, limit: int) -> Sequence[FindingEvent]:
    """What became of a finding (by the beginning of its id), of a service's findings, or of all; newest first."""
    query = {"limit": str(limit)} | ({"since": _moment(since)} if since is not None else {})
    if word is None:
        return _read(client, "/v1/history", query)
    document: AdviceDocument = client.get("/v1/advice", AdviceDocument)
    services = [one.name for one in document.services]
    if word not in services:
        found = _beginning(word, [one.id for one in document.findings]) or _beginning(word, _ended(client))
        if found is not None:
            return _read(client, f"/v1/advice/{found}/history", query)
    events = _read(client, "/v1/history", {**query, "service": word})
    if not events and word not in services:
        known = ", ".join(services) or "none runs"
        raise CliError("history.unknown", f"there is no finding and no service {word!r}", f"services: {known}")
    return events


def history_text(events: Sequence[FindingEvent]) -> str:
    """One line an event, the newest first."""
    if not events:
        return "nothing has happened"
    width = max(len(one.event) for one in events)
    return "\n".join(_line(one, width) for one in events)


def login_name() -> str:
    """Who runs this: the person behind sudo too. Raises CliError where the user has no name."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError) as error:
        raise CliError("ack.no-owner", "this user has no name", "say who with --owner NAME") from error


def _line(one: FindingEvent, width: int) -> str:
    who = f" by {one.owner}" if one.owner else ""
    note = f": {one.note}" if one.note else ""
    about = f"{one.rule} on {one.subject}"
    return f"{one.at}  {one.finding[:SHOWN_ID]}  {one.event:<{width}}  [{one.severity}] {about}{who}{note}"


def _beginning(word: str, ids: Iterable[str]) -> str | None:
    """The one id that `word` is or begins; CliError where several do."""
    if not word:
        return None
    found = [one for one in dict.fromkeys(ids) if one.startswith(word)]
    if word in found:
        return word
    if len(found) > 1:
        raise CliError(
            "finding.ambiguous", f"{word!r} begins {len(found)} findings", f"more of: {', '.join(found[:5])}"
        )
    return found[0] if found else None


def _ended(client: Client) -> list[str]:
    return [one.finding for one in _read(client, "/v1/history", {"limit": str(MOST_EVENTS)})]


def _read(client: Client, path: str, query: dict[str, str]) -> Sequence[FindingEvent]:
    events: Sequence[FindingEvent] = client.get(path, _EVENTS, query)
    return events


def _moment(text: str) -> str:
    """A duration counts back from now; the agent reads everything else."""
    try:
        return str(time.time() - parse_duration(text))
    except ValueError:
        return text
