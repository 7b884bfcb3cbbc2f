"""What is to be made of a recording of format 1, which says neither when it ticked nor when it judged?"""

from collections.abc import Iterable, Iterator

import msgspec

from agent.recorded import Recorded
from agent.store.recorded_ticks import RecordedJudgement, RecordedTick
from collectors.collector import all_collectors
from collectors.reading import Instant, Reading

JUDGE_EVERY_TICKS = 2


def facts_of(raw: bytes) -> Recorded:
    """The services as they were last. Raises msgspec.DecodeError."""
    return msgspec.json.decode(raw, type=Recorded)


def inferred_ticks(readings: Iterable[Reading]) -> Iterator[RecordedTick]:
    """The readings by tick, judged after every second one, and after the last."""
    before: RecordedTick | None = None
    for number, tick in enumerate(_grouped(readings)):
        if before is not None:
            yield _judged(before) if number % JUDGE_EVERY_TICKS == 0 else before
        before = tick
    if before is not None:
        yield _judged(before)


def _judged(tick: RecordedTick) -> RecordedTick:
    return msgspec.structs.replace(tick, judgements=(RecordedJudgement(number=0, at=tick.at),))


def _grouped(readings: Iterable[Reading]) -> Iterator[RecordedTick]:
    """A new tick begins where a collector of the sampler comes again. What was read beside the sampler is taken in by the next
    tick after it, behind the sampler's own readings, as in a running agent."""
    own: list[Reading] = []
    waiting: list[Reading] = []
    since: list[Reading] = []
    began: dict[str, Instant] = {}
    beside = {c.name for c in all_collectors() if c.own_thread or c.process is not None}
    for reading in readings:
        if reading.collector in beside:
            since.append(reading)
            continue
        if reading.collector in began:
            yield RecordedTick(at=min(began.values()), readings=[*own, *waiting])
            own, waiting, since, began = [], since, [], {}
        elif not began:
            waiting, since = [*waiting, *since], []
        own.append(reading)
        began[reading.collector] = reading.at
    if began:
        yield RecordedTick(at=min(began.values()), readings=[*own, *waiting, *since])
