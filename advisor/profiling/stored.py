"""In which form is a profile kept and shown: its stacks as text with their class of work, and its digest."""

from typing import Literal

import msgspec

from advisor.profiling.view import WorkerProfile
from collectors.profiles.profile import Missing, ProfileCost

StoredKind = Literal["burst", "continuous", "request", "scalene"]
"""`burst`: taken to settle a suspicion. `continuous`: the probes of some minutes together. `request`: a person asked.
`scalene`: a program was run under scalene."""
Side = Literal["cpu", "gil", "wait", "native"]
"""What a stack was doing: on a CPU (Python), holding the GIL, waiting, on a CPU in a native function."""


class StackSample(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # tens of thousands: the collector walks none
    """One stack of one thread, and how often it was seen. `frames` root first: `name (file:line)`, `symbol (library)`."""

    thread: str
    frames: tuple[str, ...]
    side: Side
    work: str
    count: int


class LineUse(msgspec.Struct, frozen=True, kw_only=True):
    """What scalene says of one source line. Ratios of the run's CPU time; None = not measured in this run."""

    file: str
    line: int
    text: str
    python_ratio: float
    native_ratio: float
    system_ratio: float
    memory_growth_bytes: int | None = None
    memory_peak_bytes: int | None = None
    copy_bytes_per_second: float | None = None
    gpu_ratio: float | None = None


class StoredProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One profile as it is kept. `id` is unique on this node."""

    id: str
    at_unix_seconds: float
    seconds: float
    service: str
    service_id: str
    pid: int
    started: int
    slot: int | None
    kind: StoredKind
    reason: str
    """Why it was taken: the rule that asked, or `requested`."""
    hertz: float
    samples: int
    stacks: tuple[StackSample, ...]
    digest: WorkerProfile | None = None
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()
    cost: ProfileCost = ProfileCost()
    lines: tuple[LineUse, ...] = ()
