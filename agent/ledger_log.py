"""Keeps what was learnt across restarts: outcomes, how each service was configured when it was seen last, and what models held
of devices."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import msgspec

from advisor.ledger.changes import Remembered
from advisor.ledger.outcome import Outcome
from advisor.ledger.snapshot import LedgerSnapshot
from advisor.migration.vram_calibration import Observed
from agent.http.encoded import encode
from agent.store.documents import DocumentKind

RENEW_SECONDS = 600.0
"""A configuration that has not changed is written again after this long: when it was seen last matters, too."""
T = TypeVar("T")
Save = Callable[[DocumentKind, str, bytes], None]
Forget = Callable[[DocumentKind, str], None]


class LedgerLog:
    """Writes an outcome whenever it changes, a configuration when it does, and lets go of what the ledger has forgotten.
    Called in the sampler thread."""

    def __init__(self, save: Save, forget: Forget) -> None:
        self._save, self._forget = save, forget
        self._written: dict[str, tuple[object, float]] = {}
        self._vram: dict[str, Observed] = {}

    def recall(self, before: LedgerSnapshot) -> None:
        """What is kept already."""
        self._written = {one.service: (one.levers, -RENEW_SECONDS) for one in before.configured}
        self._vram = {one.key.name: one for one in before.vram}

    def take(
        self, outcomes: Iterable[Outcome], dropped: Iterable[str], configured: Iterable[Remembered], mono_seconds: float,
        vram: Iterable[Observed] = (),
    ) -> None:  # fmt: skip
        """`dropped`: ids of outcomes that are to be forgotten, also those of `outcomes`."""
        for outcome in outcomes:
            self._save("outcome", outcome.id, encode(outcome))
        for name in dropped:
            self._forget("outcome", name)
        present = list(configured)
        for name in self._written.keys() - {one.service for one in present}:
            self._forget("configuration", name)
            del self._written[name]
        for one in present:
            before, at = self._written.get(one.service, (None, 0.0))
            if before != one.levers or mono_seconds - at >= RENEW_SECONDS:
                self._save("configuration", one.service, encode(one))
                self._written[one.service] = (dict(one.levers), mono_seconds)
        self._take_vram({one.key.name: one for one in vram})

    def _take_vram(self, now: dict[str, Observed]) -> None:
        for name in self._vram.keys() - now.keys():
            self._forget("vram", name)
        for name, one in now.items():
            if self._vram.get(name) != one:
                self._save("vram", name, encode(one))
        self._vram = now


def kept(outcomes: Iterable[bytes], configured: Iterable[bytes], vram: Iterable[bytes] = ()) -> LedgerSnapshot:
    """What was written; what cannot be read, as of another version, is left out."""
    return LedgerSnapshot(
        outcomes=tuple(_read(outcomes, Outcome)),
        configured=tuple(_read(configured, Remembered)),
        vram=tuple(_read(vram, Observed)),
    )


def _read(bodies: Iterable[bytes], kind: type[T]) -> list[T]:
    found = []
    for body in bodies:
        with suppress(msgspec.MsgspecError):
            found.append(msgspec.json.decode(body, type=kind))
    return found
