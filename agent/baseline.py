"""Which findings does a file accept, so that they fail no pipeline, and until when?

`{"accepted": [{"rule": …, "subject": …, "until": …, "reason": …}]}`, or an advice document as `--format json` prints it: then
all that stands in it is accepted, what was acknowledged until a time until then.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from advisor.finding import Finding
from agent.errors import CliError, reason_of


class Accepted(msgspec.Struct, frozen=True):
    """One entry. `until`: Unix seconds; None = for good."""

    rule: str
    subject: str
    until: float | None = None
    reason: str | None = None


class Baseline(msgspec.Struct, frozen=True):
    accepted: tuple[Accepted, ...] = ()

    @classmethod
    def load(cls, path: Path) -> "Baseline":
        """Raises CliError (2) for a file that cannot be read or is none."""
        try:
            text = json.loads(path.read_bytes())
        except OSError as error:
            raise CliError("baseline.unreadable", f"{path}: {reason_of(error)}", "give a file that exists") from error
        except (ValueError, RecursionError) as error:
            raise _invalid(path, f"not JSON: {error}") from error
        data = text.get("data", text) if isinstance(text, dict) else None
        entries = data.get("accepted", data.get("findings")) if isinstance(data, dict) else None
        if not isinstance(entries, list):
            raise _invalid(path, "it holds neither a list `accepted` nor an advice document")
        try:
            return cls(tuple(_entry(number, entry) for number, entry in enumerate(entries, start=1)))
        except ValueError as error:
            raise _invalid(path, str(error)) from error

    def accepts(self, finding: Finding, unix_seconds: float) -> bool:
        return any(one.until is None or one.until > unix_seconds for one in self._meant(finding))

    def expired(self, finding: Finding, unix_seconds: float) -> str | None:
        """What is to be said of a finding that was accepted once and no longer is."""
        meant = self._meant(finding)
        if not meant or self.accepts(finding, unix_seconds):
            return None
        last = max(meant, key=lambda one: one.until or 0.0)
        until = datetime.fromtimestamp(last.until or 0.0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{finding.rule} on {finding.subject.name} was accepted until {until}" + (
            f": {last.reason}" if last.reason else ""
        )

    def _meant(self, finding: Finding) -> list[Accepted]:
        return [one for one in self.accepted if (one.rule, one.subject) == (finding.rule, finding.subject.name)]


def _entry(number: int, entry: Any) -> Accepted:
    """Raises ValueError with what is wrong in which entry."""
    if not isinstance(entry, dict):
        raise ValueError(f"entry {number} is no object")
    subject, more = entry.get("subject"), entry.get("acknowledgement")
    name = subject.get("name") if isinstance(subject, dict) else subject
    if not (isinstance(entry.get("rule"), str) and isinstance(name, str)):
        raise ValueError(f"entry {number} names no rule and subject")
    own = more if isinstance(more, dict) and entry.get("until") is None else entry
    until, reason = own.get("until"), own.get("reason")
    return Accepted(
        entry["rule"], name, None if until is None else _moment(number, until), reason if isinstance(reason, str) else None
    )  # fmt: skip


def _moment(number: int, text: Any) -> float:
    """Unix seconds of an RFC 3339 time or date; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"until of entry {number} is no time: {text!r}; write 2026-12-31 or RFC 3339") from None


def _invalid(path: Path, what: str) -> CliError:
    return CliError("baseline.invalid", f"{path}: {what}", "write it with advise --format json")
