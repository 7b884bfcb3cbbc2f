"""What did a run under scalene give?"""

import msgspec

from advisor.profiling.stored import LineUse, StoredProfile
from agent.profiling.keeping import new_id

HERTZ = 100.0
"""How often scalene looks at the program, by default: every 10 ms."""


class ScaleneRun(msgspec.Struct, frozen=True, kw_only=True):
    """One program's run under scalene. `lines` have the most expensive first."""

    program: str
    """As it was given, in short: `uvicorn`, `serve.py`."""
    pid: int
    started: int
    """Start of the process in clock ticks since boot."""
    at_unix_seconds: float
    seconds: float
    """Wall time that scalene measured, from the start of the program."""
    folder: str
    """Only lines of files below it are seen."""
    scalene: str
    """Version of scalene."""
    lines: tuple[LineUse, ...]
    samples: int
    """How often the main thread was seen in one of `lines`, at most 500 times a line; scalene does not count others."""
    memory: bool
    """Whether memory and copies were measured."""
    memory_start_bytes: int | None = None
    """What the program had allocated when it began to listen; of its start, where it does not listen."""
    memory_end_bytes: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def memory_growth_bytes(self) -> int | None:
        """What the program allocated and did not free while it served; None: not measured."""
        if self.memory_start_bytes is None or self.memory_end_bytes is None:
            return None
        return self.memory_end_bytes - self.memory_start_bytes


def as_stored(run: ScaleneRun, *, service: str | None = None, service_id: str = "", name: str | None = None,
              reason: str = "requested") -> StoredProfile:  # fmt: skip
    """The run as it is kept, under the id `name` (default: a new one). `service` is the program's name by default."""
    return StoredProfile(
        id=name or new_id(),
        at_unix_seconds=run.at_unix_seconds,
        seconds=round(run.seconds, 3),
        service=run.program if service is None else service,
        service_id=service_id,
        pid=run.pid,
        started=run.started,
        slot=None,
        kind="scalene",
        reason=reason,
        hertz=HERTZ,
        samples=run.samples,
        stacks=(),
        notes=run.notes,
        lines=run.lines,
    )
