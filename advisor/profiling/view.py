"""What a rule sees of the profiles of one service: shares of CPU time by class of work, and what threads wait for."""

from collections.abc import Mapping

import msgspec

from collectors.entities import WorkerKey
from collectors.profiles.profile import Missing, Wait


class Share(msgspec.Struct, frozen=True):
    """A share 0..1 and its sampling error (one standard error)."""

    value: float
    error: float = 0.0


def sampling_error(share: float, looks: float) -> float:
    """One standard error of a share that so many independent looks gave. A sum of shares may be above 1 by its rounding."""
    inside = min(1.0, max(0.0, share))
    return float((inside * (1 - inside) / max(1.0, looks)) ** 0.5)


class HotSpot(msgspec.Struct, frozen=True, kw_only=True):
    """A function, Python or native, in which CPU time is spent. `share` of the worker's CPU time."""

    where: str
    """`name (file:line)` or `symbol (library)`, as a person would look it up."""
    share: float
    work: str


class LoopProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The event loop of a worker. Shares of wall time; they add up to 1."""

    tid: int
    idle: float
    """Waiting for events."""
    busy: float
    """On a CPU or runnable: callbacks and coroutines compute."""
    gil_wait: float
    blocked: float
    """Waiting inside a callback for something else: a socket, a lock, a sleep. No other request advances meanwhile."""
    run_seconds: float | None = None
    """Mean time it computes between two times of waiting: CPU time per voluntary context switch."""
    long_share: float = 0.0
    """Share of the looks since whose predecessor it computed without a break."""
    long_run_seconds: float | None = None
    """About how long such a run lasts; None where there was none. Of a loop with idle time, nothing else was served
    meanwhile; one without any looks at its sockets without a break."""
    work: Mapping[str, float] = {}
    """Its busy time by class of work."""
    waits: Mapping[Wait, float] = {}
    """Its blocked time by what for, as shares of wall time."""
    hot: tuple[HotSpot, ...] = ()
    """Functions under the loop's callbacks, in which it computes or is blocked."""


class ThreadShare(msgspec.Struct, frozen=True, kw_only=True):
    """One thread of a worker. `running` and `waits` are shares of wall time."""

    tid: int
    name: str
    python: bool
    cores: float
    running: float
    delay_cores: float | None
    switches_per_second: float | None
    waits: Mapping[Wait, float] = {}
    gil_wait_seconds: float | None = None
    """Mean wait for the GIL at each time it woke up; None where it did not wake up or cannot be told."""
    io: bool = False
    """Whether it mostly waits for sockets or events: what a client feels."""


class CallTime(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of a model that hand their parts to a pool of threads or processes: mean numbers of calls under way."""

    inside: float
    handing: float
    """Of those, the ones that are handing on, or wait for the pool."""
    looks: int
    """Looks at the calling threads on which both rest."""
    fleeting: float = 0.0
    """CPU time per second of threads that came or went meanwhile and were not there for long enough to be looked into: a pool
    that is made for each call starts and ends them."""


class WorkerProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The newest profile of one worker."""

    key: WorkerKey
    seconds: float
    cores: float
    """CPU time of all its threads per second."""
    samples: int
    """Samples on which `classes` rests."""
    classes: Mapping[str, Share]
    """CPU time by class of work (names in `advisor/profiling/classes.toml`); the values add up to 1."""
    native: bool
    """Whether native functions were seen; without them C functions are told by the line that calls them."""
    gil_held: Share | None
    """Share of wall time in which some thread held the GIL; None where it could not be told."""
    python_active: float
    """Mean number of Python threads that ran, were runnable, or waited for the GIL."""
    gil_waiting: float
    """Mean number of threads that waited for the GIL."""
    pool_cores: float
    """CPU time per second of threads that Python does not know: pools of native libraries."""
    waits: Mapping[Wait, float]
    """Mean number of Python threads in each kind of waiting."""
    loop: LoopProfile | None = None
    calling: CallTime | None = None
    """None = no call was seen to hand its parts to a pool."""
    threads: tuple[ThreadShare, ...] = ()
    hot: tuple[HotSpot, ...] = ()
    phases: Mapping[str, float] = {}
    """CPU time by phase, as far as names of functions tell: preprocess, predict, postprocess."""
    calls: Mapping[str, float] = {}
    """CPU time by function of the table that is worth a name: `Image.resize`, `tokenizers.encode`, `pad`."""


class ProfileView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest profiles of a service's workers, taken under load and within its present configuration."""

    age_seconds: float
    workers: tuple[WorkerProfile, ...]
    missing: tuple[Missing, ...] = ()
    """Parts that none of the profiles has."""

    @property
    def cores(self) -> float:
        return sum(w.cores for w in self.workers)

    @property
    def samples(self) -> int:
        return sum(w.samples for w in self.workers)

    def share(self, *work: str) -> Share:
        """Share of the workers' CPU time in these classes together, with its error."""
        total = self.cores
        if total <= 0:
            return Share(0.0, 0.0)
        value = variance = 0.0
        for worker in self.workers:
            weight = worker.cores / total
            parts = [worker.classes[name] for name in work if name in worker.classes]
            value += weight * sum(part.value for part in parts)
            variance += weight * weight * sum(part.error**2 for part in parts)
        return Share(value, variance**0.5)
