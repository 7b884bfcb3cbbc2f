"""In which form are a tick, what is there, and the threads that sleep kept in a raw shard? MessagePack of these."""

from typing import Any

import msgspec

UNSUPPORTED, FAILED = -1, -2
"""In the place of a number of rows."""


class KeptReading(msgspec.Struct, frozen=True, array_like=True):
    """A reading as the row of its tick names it, in the order of a running agent. `wall_ms` and `mono_ns` are counted from
    the instant of the tick. `why`: the document with reason and hint, where nothing was read."""

    collector: int
    wall_ms: int
    mono_ns: int
    duration_ns: int
    late_us: int
    rows: int
    why: int | None = None


class KeptService(msgspec.Struct, frozen=True, array_like=True):
    """Numbers of the documents of a service without its processes, and of these."""

    service: int
    workers: tuple[int, ...]


class KeptChange(msgspec.Struct, frozen=True, array_like=True):
    """What holds: numbers of documents. `facts`: of what is known inside of processes."""

    services: tuple[KeptService, ...]
    facts: tuple[int, ...]
    settings: int


class KeptSamples(msgspec.Struct, frozen=True, array_like=True):
    """Samples of one kind."""

    names: tuple[str, ...]
    rows: list[list[Any]]
