"""What do the agent and a reader process say to each other?

The agent asks for one run of a collector; the reader answers with its reading when it is there, or at once that the run
before has not ended.
"""

import re
from collections.abc import Mapping

import msgspec

from collectors.cpulist import parse_cpulist
from collectors.gpu.samples import GpuInfoSample, GpuProcessSample
from collectors.reading import Failed, Instant, Ok, Outcome, Reading, Unsupported
from collectors.sample import Sample

Kinds = Mapping[str, type[Sample]]
"""Sample types by their kind."""
_MOST = 1 << 63
"""What SQLite can hold."""
_PROCESS = re.compile(r"gpu-process:.+/\d+")
_WORKER = re.compile(r"worker:\d+:\d+")


class Collect(msgspec.Struct, frozen=True, tag="collect"):
    """Run `collector` once; it was planned for `planned_mono_ns`."""

    collector: str
    planned_mono_ns: int


class Busy(msgspec.Struct, frozen=True, kw_only=True, tag="busy"):
    """The run before has not ended for `seconds`; `doing`: what it waits for, empty = it does not say."""

    collector: str
    seconds: float
    doing: str


class Read(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """One reading. `samples`: by kind, each as a JSON list, where `why` is None."""

    collector: str
    at: Instant
    duration_ns: int
    cpu_ns: int
    late_ns: int
    why: Unsupported | Failed | None = None
    samples: dict[str, msgspec.Raw] = {}


Reply = Busy | Read


def read_of(reading: Reading) -> Read:
    """The message of a reading."""
    by_kind: dict[str, list[Sample]] = {}
    why: Unsupported | Failed | None = None
    if isinstance(reading.outcome, Ok):
        for sample in reading.outcome.samples:
            by_kind.setdefault(sample.kind, []).append(sample)
    else:
        why = reading.outcome
    return Read(
        collector=reading.collector,
        at=reading.at,
        duration_ns=reading.duration_ns,
        cpu_ns=reading.cpu_ns,
        late_ns=reading.late_ns,
        why=why,
        samples={kind: msgspec.Raw(msgspec.json.encode(samples)) for kind, samples in by_kind.items()},
    )


def reading_of(message: Read, kinds: Kinds) -> Reading:
    """The reading of a message. Raises ValueError for samples that are none of `kinds`, or no such as a reader makes."""
    outcome: Outcome
    if message.why is not None:
        outcome = message.why
    else:
        found: list[Sample] = []
        for kind, raw in message.samples.items():
            if kind not in kinds:
                raise msgspec.DecodeError(f"samples of unknown kind {kind!r}")
            found += msgspec.json.decode(raw, type=list[kinds[kind]])  # type: ignore[valid-type]  # known at run time only
        for sample in found:
            _check(sample)
        outcome = Ok(tuple(found))
    return Reading(
        collector=message.collector,
        at=message.at,
        duration_ns=message.duration_ns,
        cpu_ns=message.cpu_ns,
        late_ns=message.late_ns,
        outcome=outcome,
    )


def _check(sample: Sample) -> None:
    """Raises ValueError where the form of its names or the size of its numbers would mislead whoever reads on."""
    for name in sample.__struct_fields__:
        value = getattr(sample, name)
        if isinstance(value, int) and not -_MOST <= value < _MOST:
            raise ValueError(f"{sample.kind}.{name} is {value}")
    if isinstance(sample, GpuProcessSample):
        if not _PROCESS.fullmatch(sample.entity) or (sample.worker and not _WORKER.fullmatch(sample.worker)):
            raise ValueError(f"a process called {sample.entity!r}, {sample.worker!r}")
    elif isinstance(sample, GpuInfoSample) and sample.cpus:
        parse_cpulist(sample.cpus)
