"""What is known of a recording of labelled phases: its ticks, and which services were there in each phase?"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.store.recorded_ticks import RecordedProfile, RecordedTick
from agent.store.recording import RecordingMeta
from agent.store.replay import Replay
from collectors.entities import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One phase. `services` and `processes` are JSON, as they were at its end; `profiles` what its last judgement was told of
    profiles, each with its JSON."""

    ticks: Sequence[RecordedTick]
    services: Sequence[bytes]
    processes: Sequence[bytes]
    profiles: Sequence[tuple[RecordedProfile, bytes]]

    @property
    def leaking(self) -> Sequence[str]:
        """Entities of the processes of the first service."""
        return [worker.key.entity for worker in msgspec.json.decode(self.services[0], type=Service).workers]


def read_pieces(path: Path) -> tuple[RecordingMeta, Mapping[str, Piece]]:
    """Meta data and phases of what `record_pieces.py` wrote. Raises BadRecording, or ValueError where it names no phases."""
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = 'phases'").fetchone()
    if row is None:
        raise ValueError(f"{path} names no phases: record it with bench/record_pieces.py")
    with Replay(path) as replay:
        ticks = list(replay.ticks())
        return replay.meta, {
            name: _piece(replay, ticks, first, last) for name, (first, last) in json.loads(row[0]).items()
        }


def _piece(replay: Replay, ticks: Sequence[RecordedTick], first: int, last: int) -> Piece:
    until = ticks[: last + 1]
    change = next(tick.change for tick in reversed(until) if tick.change is not None)
    judged = next((j for tick in reversed(until[first:]) for j in tick.judgements if j.profiles), None)
    return Piece(
        ticks=until[first:],
        services=[replay.document(number) for number in change.services],
        processes=[replay.document(number) for number in change.processes],
        profiles=[(seen, replay.document(seen.document)) for seen in (judged.profiles if judged else ())],
    )
