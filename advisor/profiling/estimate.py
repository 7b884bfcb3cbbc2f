"""How is the CPU time of some threads divided among classes of work, and how sure is that?

Two witnesses are joined. Native samples are exact about code outside the interpreter, and about what the interpreter and
the C library did for it; they say nothing about what the interpreter's loop itself worked for: that is the *shared* part.
They are spaced in CPU time, whereas looks at stacks also find threads that wait for a CPU, which is where they were pushed
off it, often in a system call: on a busy node looks alone mislead. Looks at the thread that holds the GIL say what it
worked for, as the interpreter always holds it; they cover all code that holds the GIL, so what native samples already
explain of that is taken off first:

    shared_c = max(0, covered · p_c - n_c),  scaled to the shared part

p_c: share of class c among the looks that held the GIL; n_c: native samples of class c in code that holds it; covered: all
samples that hold it. Native code of a class is taken off the lines of that class, the rest of it off lines of `python`,
since a line that calls an unlisted C function looks like one; garbage is collected on any line. Code that releases the
GIL is taken off nothing. Without native samples the running Python stacks alone are counted.

The errors are binomial. Looks and samples of one thread are correlated, as one piece of work spans several: those less
than `APART_SECONDS` apart in CPU time count as one. Of the looks a share q found threads that waited for a CPU; where those
stand is not known, so that p_c has an error of q / √12 beside (a share that is evenly spread). No error is larger than that
of a share of the shared part of which nothing is known.
"""

from collections.abc import Mapping

import msgspec

from advisor.profiling.classify import overhead
from advisor.profiling.native_work import NativeWork
from advisor.profiling.table import HELPER, Table

APART_SECONDS = 0.02
LEAST_HOLDER_LOOKS = 10
"""Looks at the holder of the GIL below which running stacks say more about the shared part."""
JOINED_FREE, JOINED_WAITS = 0.05, 0.05
"""Up to these shares of code without the GIL, and of time waiting for it, a running thread is one that holds it."""
ON_ANY_LINE = frozenset({"gc", "gil-wait"})
"""Native work that has nothing to do with the line on which it happens."""
OF_ITSELF = frozenset({"gc", "gil-wait", "lock", "spin", "io", "loop", "unknown"})
"""Native work that uses no memory of its own."""
HELPERS_OF_NATIVE, HELPERS_OF_INTERPRETER = 0.2, 0.05
"""Where callers are not seen: samples of the C library's memory and string functions per sample of an extension's code, and
of the interpreter's own, which has an allocator of its own. Measured: tokenizers 0.5, pydantic 0.2, orjson, Pillow and torch
0.1; json and plain Python 0.05."""
CUDA = ("cuda-sync", "cuda-launch")
"""Work of the CUDA driver of which it is not known whether it waits: any line may hand the GPU work, few wait for it."""


class Seen(msgspec.Struct, kw_only=True):
    """What was seen of threads that do the same kind of work. `native`: samples by what the function works on."""

    python: bool
    cpu_seconds: float
    native: Mapping[NativeWork, int]
    active: Mapping[str, int]
    """Looks at running stacks, by class."""
    holding: Mapping[str, int]
    """Looks at stacks of the GIL's holder, by class."""
    held: float | None = None
    """Share of their CPU time with the GIL held, from looks; None = not known."""
    gil_waits: float = 0.0
    """Of the looks at which they ran or waited for the GIL, those at which they waited."""
    queued: float = 0.0
    """Of the time that they ran or wanted to, the share for which they waited for a CPU."""
    callers: bool = False
    """Whether native samples were told for whom the C library worked."""
    pool: str | None = None
    """Class that the name of a thread tells which Python does not know."""


class Part(msgspec.Struct, frozen=True):
    """Share of the CPU time of the threads, and the variance of its sampling error."""

    value: float
    variance: float


class _Native(msgspec.Struct, kw_only=True):
    """Native samples: of code with a class of its own, with the GIL or without; of code that works for anybody."""

    held: dict[str, float]
    free: dict[str, float]
    shared: float
    helpers: float
    """Of the shared, those of the C library."""

    @property
    def total(self) -> float:
        return self.shared + sum(self.held.values()) + sum(self.free.values())


def divide(seen: Seen, table: Table) -> dict[str, Part]:
    """The CPU time by class; the values add up to 1."""
    if not any(seen.native.values()):
        return _by_stacks(seen)
    native = _native(seen)
    total = native.total
    own = _sum(native.held, native.free)
    covered, looks = native.shared, 0
    if seen.python:
        if not seen.callers:
            own = _sum(own, _given_helpers(native, own))
        spread, covered, looks = _shared(seen, native, table)
    else:
        spread = _scaled(_using(own), native.shared) or {"unknown": native.shared}
    found = {}
    for work, count in _sum(own, spread).items():
        if count > 0:
            variance = _variance(count / total, _independent(total, seen))
            if looks and native.shared > 0 and work in spread:
                by_looks = _variance(spread[work] / native.shared, _independent(looks, seen)) + seen.queued**2 / 12
                variance += min(covered**2 * by_looks, native.shared**2 / 12) / total**2
            found[work] = Part(count / total, variance)
    return found


def likeliest(work: NativeWork, seen: Seen) -> str:
    """The class of a function in threads of which this was seen; `interpreter` or `helper` where it works for any."""
    parts = _chosen(work, seen)
    return max(parts, key=lambda name: parts[name])


def _native(seen: Seen) -> _Native:
    found = _Native(held={}, free={}, shared=0.0, helpers=0.0)
    either: dict[str, float] = {}
    places: dict[str, dict[str, float]] = {"held": found.held, "free": found.free, "either": either}
    for work, count in seen.native.items():
        if work.shared:
            found.shared += count
            found.helpers += count if work.works[0] == HELPER else 0
        else:
            place = places[work.gil]
            for name, part in _chosen(work, seen).items():
                place[name] = place.get(name, 0.0) + part * count
    held = _held_part(seen, found, sum(either.values()))
    for name, samples in either.items():
        found.held[name] = found.held.get(name, 0.0) + held * samples
        found.free[name] = found.free.get(name, 0.0) + (1 - held) * samples
    return found


def _chosen(work: NativeWork, seen: Seen) -> dict[str, float]:
    """Of several classes that a function may work on, those that the running stacks show; the first where none is."""
    if work.works == CUDA:
        return _waiting(seen)
    if len(work.works) == 1:
        name = work.works[0]
        return {"lock" if name == "gil-wait" and not seen.python else name: 1.0}
    shown = {name: float(seen.active[name]) for name in work.works if seen.active.get(name)}
    return _scaled(shown or {work.works[0]: 1.0}, 1.0)


def _waiting(seen: Seen) -> dict[str, float]:
    """How the time of `CUDA` is divided: waits are as much of all as looks saw lines that wait, those known taken off."""
    looks, untold = sum(seen.active.values()), sum(n for work, n in seen.native.items() if work.works == CUDA)
    if not looks or not untold:
        return {CUDA[0]: 1.0}
    known = sum(n for work, n in seen.native.items() if work.works == CUDA[:1])
    waits = seen.active.get(CUDA[0], 0) / looks * sum(seen.native.values()) - known
    part = min(1.0, max(0.0, waits / untold))
    return {CUDA[0]: part, CUDA[1]: 1 - part}


def _held_part(seen: Seen, native: _Native, either: float) -> float:
    """How much of the code that may hold the GIL or not did hold it: as much as looks at the holder leave room for."""
    if not either or seen.held is None:
        return 1.0
    room = seen.held * (native.total + either) - native.shared - sum(native.held.values())
    return min(1.0, max(0.0, room / either))


def _given_helpers(native: _Native, own: Mapping[str, float]) -> dict[str, float]:
    """Take from the helpers what the extensions will have used of them, by class."""
    using = _using(own)
    by_native, by_interpreter = HELPERS_OF_NATIVE * sum(using.values()), HELPERS_OF_INTERPRETER * native.shared
    given = _scaled(using, native.helpers * by_native / (by_native + by_interpreter)) if using else {}
    native.shared -= sum(given.values())
    return given


def _using(own: Mapping[str, float]) -> dict[str, float]:
    return {work: count for work, count in own.items() if work not in OF_ITSELF}


def _shared(seen: Seen, native: _Native, table: Table) -> tuple[dict[str, float], float, int]:
    """The shared samples by class, how many samples the looks cover that tell, and how many looks those are."""
    by_holder = sum(seen.holding.values()) >= LEAST_HOLDER_LOOKS
    joined = sum(native.free.values()) <= JOINED_FREE * native.total and seen.gil_waits <= JOINED_WAITS
    stacks = _sum(seen.holding, seen.active) if joined else seen.holding if by_holder else seen.active
    looks = round(sum(stacks.values()))
    if looks == 0 or native.shared <= 0:
        return {"unknown": native.shared}, native.shared, 0
    explained = native.held if by_holder or joined else _sum(native.held, native.free)
    covered = native.shared + sum(explained.values())
    left = {work: covered * count / looks for work, count in stacks.items()}
    _take_off(left, explained)
    left = _scaled(left, native.shared) or {work: native.shared * count / looks for work, count in stacks.items()}
    return overhead(left, table), covered, looks


def _take_off(left: dict[str, float], explained: Mapping[str, float]) -> None:
    """Take what native samples explain off the classes that the stacks show, and off `python` what no line names."""
    anywhere = 0.0
    for work, amount in explained.items():
        amount -= _from(left, work, amount)
        if work not in ON_ANY_LINE and work != "python":
            amount -= _from(left, "python", amount)
        anywhere += amount
    total = sum(left.values())
    for work in left:
        left[work] *= max(0.0, 1 - anywhere / total) if total > 0 else 0.0


def _from(left: dict[str, float], work: str, amount: float) -> float:
    taken = min(left.get(work, 0.0), amount)
    if taken > 0:
        left[work] -= taken
    return taken


def _by_stacks(seen: Seen) -> dict[str, Part]:
    looks = sum(seen.active.values())
    if looks == 0:
        return {seen.pool or "unknown": Part(1.0, 0.0)}
    independent, chance = _independent(looks, seen), seen.queued**2 / 12
    shares = {work: count / looks for work, count in seen.active.items() if count}
    return {work: Part(share, _variance(share, independent) + chance) for work, share in shares.items()}


def _independent(count: float, seen: Seen) -> float:
    """How many of so many looks tell something new."""
    return min(float(count), max(1.0, seen.cpu_seconds / APART_SECONDS)) if count else 0.0


def _variance(share: float, count: float) -> float:
    """Binomial; half a look is added on either side, so that a share of 0 or 1 is not certain."""
    if count <= 0:
        return 0.0
    share = (share * count + 0.5) / (count + 1)
    return share * (1 - share) / count


def _scaled(parts: Mapping[str, float], total: float) -> dict[str, float]:
    whole = sum(parts.values())
    return {work: total * part / whole for work, part in parts.items()} if whole > 0 else {}


def _sum(*parts: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in parts:
        for work, amount in part.items():
            found[work] = found.get(work, 0.0) + amount
    return found
