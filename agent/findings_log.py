"""Keeps findings and acknowledgements across restarts: which of them is worth a row, and when."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from advisor.board import Acknowledged
from advisor.documents import Snapshot
from advisor.finding import Finding
from agent.http.deps import AckRequest
from agent.judging import Judging
from agent.store.documents import Acknowledgement, DocumentKind

RENEW_SECONDS = 60.0
Save = Callable[[DocumentKind, str, bytes], None]
Forget = Callable[[DocumentKind, str], None]


class FindingsLog:
    """Writes a finding when it opens, changes its state or severity, ends, and once a minute while it stands."""

    def __init__(self, save: Save, forget: Forget) -> None:
        self._save = save
        self._forget = forget
        self._written: dict[str, tuple[str, str, float]] = {}

    def take(self, snapshot: Snapshot, judging: Judging, mono_seconds: float) -> None:
        for finding in snapshot.advice.findings:
            state, severity, at = self._written.get(finding.id, ("", "", 0.0))
            if (state, severity) != (finding.state, finding.severity) or mono_seconds - at >= RENEW_SECONDS:
                self._write(finding, mono_seconds)
        ended, judging.board.ended = judging.board.ended, []
        for finding, how in ended:
            self._write(msgspec.structs.replace(finding, state=how), mono_seconds)
            self._written.pop(finding.id, None)

    def _write(self, finding: Finding, mono_seconds: float) -> None:
        self._save("finding", finding.id, msgspec.json.encode(finding))
        self._written[finding.id] = (finding.state, finding.severity, mono_seconds)

    def acknowledge(self, judging: Judging, finding: str, request: AckRequest, wall_ns: int) -> Finding | None:
        """Apply and keep an acknowledgement. None: no such finding stands."""
        seconds = request.expires_seconds
        until_ns = None if seconds is None else wall_ns + int(seconds * 1e9)
        entry = None if request.state == "open" else Acknowledged(request.state, request.reason, until_ns)
        found = judging.acknowledge(finding, entry)
        if found is None:
            return None
        if entry is None:
            self._forget("acknowledgement", finding)
        else:
            kept = Acknowledgement(
                finding_id=finding,
                reason=f"{request.state}: {request.reason}",
                owner="token",
                until=None if until_ns is None else _text(until_ns),
                at=_text(wall_ns),
            )
            self._save("acknowledgement", finding, msgspec.json.encode(kept))
        return found


def restored(entry: Acknowledgement) -> Acknowledged | None:
    """An acknowledgement as it was kept; None if it has run out or cannot be read."""
    state, _, reason = entry.reason.partition(": ")
    until = None
    if entry.until is not None:
        try:
            until = int(datetime.fromisoformat(entry.until).timestamp() * 1e9)
        except ValueError:
            return None
    return Acknowledged("snoozed" if state == "snoozed" else "acknowledged", reason, until)


def _text(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).isoformat(timespec="seconds")
