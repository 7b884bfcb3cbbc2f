"""What one profile of one process is: stacks, native samples and states of its threads over a few seconds.

Stacks are interned: `frames` holds each frame once, `stacks` each stack once, as indices root first. Counts are looks
(samples), not seconds; a thread's seconds stand in its `ThreadProfile`.
"""

from typing import Literal

import msgspec

from collectors.entities import WorkerKey

ProfileKind = Literal["probe", "burst", "blocking"]
"""`probe`: one look (`py-spy dump`). `burst`: some seconds without stopping the process. `blocking`: on request only,
the process is stopped for each look."""

Wait = Literal[
    "gil",
    "lock",
    "futex",
    "loop",
    "listening",
    "inbound",
    "outbound",
    "unix",
    "pipe",
    "sleep",
    "child",
    "disk",
    "device",
    "other",
]
"""What a thread that does not run waits for. `gil`: the interpreter's lock. `lock`: a futex on which at least two threads
of the process were seen. `futex`: any other (a pool's idle thread, a queue, an event). `loop`: epoll, poll or select.
`listening`: the next connection. `inbound`, `outbound`: TCP data of a client, of a server that it called itself. `unix`,
`pipe`: data of another process of this node. `child`: the end of a child. `disk`: uninterruptible (state D).
`device`: a driver (ioctl). The names of /proc/PID/task/TID/syscall and of the descriptor it waits on tell them apart."""


class ProfileSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `hertz` looks a second; the profiler lowers it where the process has too many threads for that.

    `native` with kind `blocking` asks for py-spy's merged native stacks, which stop the process for each look.
    """

    kind: ProfileKind
    seconds: float = 0.0
    hertz: int = 50
    native: bool = True
    idle: bool = False
    gil: bool = False
    """With kind `blocking`: only looks at the thread that holds the GIL."""


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One frame. Python: qualified name, path of the source file, line. Native: symbol (empty where the library is
    stripped), path of the mapped file, no line."""

    name: str
    file: str
    line: int | None = None
    native: bool = False


class StackCount(msgspec.Struct, frozen=True, array_like=True):
    """How often a thread was seen with a stack. `stack` indexes `Profile.stacks`."""

    tid: int
    stack: int
    count: int


class WaitCount(msgspec.Struct, frozen=True, array_like=True):
    """How often a thread was seen waiting with a Python stack, and for what."""

    tid: int
    stack: int
    wait: Wait
    count: int


class NativeCount(msgspec.Struct, frozen=True, array_like=True):
    """How often a thread was seen on a CPU in a native function. `frame` indexes `Profile.frames`; samples are spaced in
    CPU time, so their number is proportional to it. `kernel`: it was in the kernel on behalf of that function. `caller`:
    where that is code that all libraries share (the interpreter's, the C library's), the nearest function of another that
    called it, also an index; None: no other did, or it is not known."""

    tid: int
    frame: int
    count: int
    kernel: bool = False
    caller: int | None = None


class ThreadProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One thread over the profile. None = not readable here."""

    tid: int
    name: str
    """As the kernel shows it."""
    python_name: str | None = None
    python: bool = False
    """Whether Python knows it: the others are pools of native libraries."""
    run_seconds: float | None = None
    delay_seconds: float | None = None
    switches: int | None = None
    """Voluntary context switches."""
    looks: int = 0
    """How often its state was looked at."""
    running: int = 0
    """Looks at which it ran or was runnable."""
    waits: dict[Wait, int] = {}
    """Looks at which it waited, by what for."""
    channel: str | None = None
    """Kernel function in which it was seen waiting most often (/proc/PID/task/TID/wchan)."""
    unbroken: int = 0
    """Of the main thread: looks since whose predecessor it ran without a break."""
    unbroken_runs: int = 0
    """Of the main thread: how many times such looks followed each other."""


Part = Literal["python", "gil", "native", "states"]
PARTS: tuple[Part, ...] = ("python", "gil", "native", "states")


class Missing(msgspec.Struct, frozen=True):
    """A part of the profile that could not be had."""

    part: Part
    reason: str
    hint: str


class ProfileCost(msgspec.Struct, frozen=True, kw_only=True):
    """What taking it cost. `stopped_seconds`: how long the process was held still (estimated; 0 without `blocking`)."""

    cpu_seconds: float = 0.0
    stopped_seconds: float = 0.0
    errors: int = 0
    """Looks that gave nothing, as memory changed under them."""
    behind_seconds: float = 0.0


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One profile of one process."""

    key: WorkerKey
    kind: ProfileKind
    at_unix_ns: int
    seconds: float
    """Wall time that it covers."""
    hertz: float
    ticks: int
    """How often the running Python threads were looked at."""
    gil_ticks: int = 0
    """How often the holder of the GIL was looked for."""
    frames: tuple[Frame, ...] = ()
    stacks: tuple[tuple[int, ...], ...] = ()
    active: tuple[StackCount, ...] = ()
    """Python threads that ran or were runnable."""
    gil: tuple[StackCount, ...] = ()
    """The Python thread that held the GIL."""
    waiting: tuple[WaitCount, ...] = ()
    """Python threads that waited."""
    native: tuple[NativeCount, ...] = ()
    threads: tuple[ThreadProfile, ...] = ()
    calls: dict[int, str] = {}
    """Index of a leaf frame → the C function that its source line calls (`orjson.loads`), where that is one of the
    functions in the table of classes: Python shows no frame of those."""
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()
    cost: ProfileCost = ProfileCost()
