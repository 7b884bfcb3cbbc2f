"""How does a day of recording come from a few minutes of it?

Pieces are played over and over, with their times moved and their counters going on; what the kernel counted in one second is
what it counts in the composed second. Seeded: the same seed gives the same day.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.store.recording import Recorder, RecordingMeta
from bench.pieces import Piece
from collectors.reading import Instant, Ok, Reading
from collectors.sample import Sample, fields_of
from collectors.sources.memory import MemorySample
from collectors.sources.processes import WorkerSample

SECOND_NS = 1_000_000_000
JUDGE_EVERY_TICKS = 2
START_NS = 1_793_404_800 * SECOND_NS
"""2026-10-31 00:00:00 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What goes on for so many seconds. `leak`: bytes by which each process of the first service grows in a second."""

    piece: str
    seconds: int
    leak: int = 0


def day_of(seconds: int, seed: int) -> list[Phase]:
    """Idle, a bad hour with two causes, both repaired, and with a leak; again until the time is over."""
    chance = random.Random(seed)
    phases: list[Phase] = []
    left = seconds
    for piece, least, most, leak in _turns():
        length = min(left, round(chance.uniform(least, most) * 60))
        phases.append(Phase(piece=piece, seconds=length, leak=leak))
        left -= length
        if left <= 0:
            return phases
    raise AssertionError("turns end never")


def _turns() -> Iterator[tuple[str, float, float, int]]:
    """(piece, least and most minutes, leak)"""
    while True:
        yield "idle", 30, 90, 0
        yield "bad", 20, 60, 0
        yield "healthy", 60, 180, 0
        yield "healthy", 30, 60, 100_000


def compose(
    output: Path, source: RecordingMeta, pieces: Mapping[str, Piece], phases: Sequence[Phase], *, seed: int = 0,
    settings: bytes | None = None,
) -> list[int]:  # fmt: skip
    """Write a recording of `phases`; the tick at which each begins. `settings` None: those of the source. Raises BadRecording
    where `output` cannot be written, KeyError for a piece that is not there."""
    meta = msgspec.structs.replace(source, start=START_NS, seed=seed, settings=settings or source.settings, advice=None)
    chance, begins = random.Random(seed), []
    with Recorder(output, meta) as recorder:
        day = _Day(recorder)
        for phase in phases:
            begins.append(day.tick)
            day.play(pieces[phase.piece], phase, chance)
    return begins


class _Day:
    def __init__(self, recorder: Recorder) -> None:
        self.tick = 0
        self._recorder = recorder
        self._counters = Counters()
        self._now: tuple[Sequence[bytes], Sequence[bytes]] | None = None
        self._generation = -1

    def play(self, piece: Piece, phase: Phase, chance: random.Random) -> None:
        if self._now != (piece.services, piece.processes):
            self._now = (piece.services, piece.processes)
            self._generation += 1
            self._recorder.change(*self._now)
        leaking = piece.leaking if phase.leak else ()
        place, last = chance.randrange(len(piece.ticks)), -1
        for second in range(phase.seconds):
            source = piece.ticks[(place + second) % len(piece.ticks)]
            if (place + second) % len(piece.ticks) != last + 1:
                self._counters.stretch += 1
            last = (place + second) % len(piece.ticks)
            at = Instant(self.tick * SECOND_NS, START_NS + self.tick * SECOND_NS)
            leaked = dict.fromkeys(leaking, phase.leak * second)
            for reading in source.readings:
                self._recorder.write(self._moved(reading, source.at, at, leaked))
            self._recorder.end_tick(at)
            if self.tick % JUDGE_EVERY_TICKS == 1:
                self._judge(piece, at)
            self.tick += 1

    def _moved(self, reading: Reading, tick: Instant, at: Instant, leaked: Mapping[str, int]) -> Reading:
        outcome = reading.outcome
        if isinstance(outcome, Ok):
            outcome = Ok([_leaking(self._counters.next(sample), leaked) for sample in outcome.samples])
        moved = Instant(at.mono_ns + reading.at.mono_ns - tick.mono_ns, at.wall_ns + reading.at.wall_ns - tick.wall_ns)
        return msgspec.structs.replace(reading, at=moved, outcome=outcome)

    def _judge(self, piece: Piece, at: Instant) -> None:
        for seen, body in piece.profiles:
            self._recorder.profile(seen.service, self._generation, seen.age_seconds, body)
        self._recorder.judged(at, "")


@dataclass(slots=True)
class _Known:
    """Counters of one thing: their values in the source and in the day, how much they grew last, and in which stretch."""

    before: list[int | None]
    shown: list[int | None]
    growth: list[int]
    stretch: int


class Counters:
    """Lets the counters of pieces go on from where the piece before left them."""

    def __init__(self) -> None:
        self.stretch = 0
        """Number of the present stretch of ticks that follow each other in their source. What a thing's counters grew by
        between two stretches is not known: it is what they grew by before."""
        self._known: dict[tuple[type[Sample], str], _Known] = {}
        self._fields: dict[type[Sample], tuple[str, ...]] = {}

    def next(self, sample: Sample) -> Sample:
        """The sample with counters that go on."""
        kind = type(sample)
        names = self._fields.get(kind)
        if names is None:
            names = self._fields[kind] = tuple(spec.name for spec in fields_of(kind) if spec.counter)
        if not names:
            return sample
        values: list[int | None] = [getattr(sample, name) for name in names]
        known = self._known.get((kind, sample.entity))
        if known is None:
            self._known[kind, sample.entity] = _Known(values, list(values), [0] * len(values), self.stretch)
            return sample
        for position, value in enumerate(values):
            was, now = known.before[position], known.shown[position]
            if value is None or was is None or now is None:
                known.shown[position] = value
                continue
            if known.stretch == self.stretch:
                known.growth[position] = max(0, value - was)
            known.shown[position] = now + known.growth[position]
        known.before, known.stretch = values, self.stretch
        return msgspec.structs.replace(sample, **dict(zip(names, known.shown, strict=True)))


def _leaking(sample: Sample, leaked: Mapping[str, int]) -> Sample:
    """A process that has grown by so many bytes, or a node that has so much less."""
    if isinstance(sample, WorkerSample) and sample.resident_bytes is not None:
        return msgspec.structs.replace(sample, resident_bytes=sample.resident_bytes + leaked.get(sample.entity, 0))
    if isinstance(sample, MemorySample) and sample.available_kib is not None:
        return msgspec.structs.replace(sample, available_kib=sample.available_kib - sum(leaked.values()) // 1024)
    return sample
