"""Built profiles: threads, stacks and samples that are chosen."""

from collections.abc import Mapping, Sequence

import msgspec

from collectors.entities import WorkerKey
from collectors.profiles.interned import Interned
from collectors.profiles.profile import Frame, NativeCount, Profile, StackCount, ThreadProfile, Wait, WaitCount

KEY = WorkerKey(100, 1)
MAIN, OTHER = 100, 101
LIB = "/usr/lib/python3.11"
SITE = "/srv/venv/lib/python3.11/site-packages"

APP = Frame("App.handle", "/srv/app/app.py", 10)
JSON = Frame("JSONEncoder.iterencode", f"{LIB}/json/encoder.py", 258)
STARLETTE = Frame("Route.handle", f"{SITE}/starlette/routing.py", 288)
RUN_ONCE = Frame("BaseEventLoop._run_once", f"{LIB}/asyncio/base_events.py", 1922)
HANDLE_RUN = Frame("Handle._run", f"{LIB}/asyncio/events.py", 80)
SELECT = Frame("EpollSelector.select", f"{LIB}/selectors.py", 468)
WORKER = Frame("_worker", f"{LIB}/concurrent/futures/thread.py", 81)

EVAL = Frame("_PyEval_EvalFrameDefault", "/usr/lib/libpython3.11.so.1.0", None, True)
SGEMM = Frame("sgemm_kernel_HASWELL", f"{SITE}/numpy.libs/libscipy_openblas64_-32a4b2a6.so", None, True)
JSON_C = Frame("scan_once_unicode", f"{LIB}/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so", None, True)
MEMCPY = Frame("memcpy", "/lib/x86_64-linux-gnu/libc.so.6", None, True)

Stacks = Mapping[tuple[Frame, ...], int]


def thread(
    tid: int = MAIN, seconds: float = 10.0, *, python: bool = True, waits: Mapping[Wait, int] | None = None, name: str = "x",
    delay: float = 0.0, switches: int = 100,
) -> ThreadProfile:  # fmt: skip
    waits = dict(waits or {})
    return ThreadProfile(
        tid=tid, name=name, python=python, run_seconds=seconds, delay_seconds=delay, switches=switches,
        looks=100, running=100 - sum(waits.values()), waits=waits,
    )  # fmt: skip


def profile(
    threads: Sequence[ThreadProfile],
    *,
    active: Mapping[int, Stacks] | None = None,
    gil: Mapping[int, Stacks] | None = None,
    waiting: Mapping[int, Mapping[tuple[tuple[Frame, ...], Wait], int]] | None = None,
    native: Mapping[int, Mapping[Frame, int]] | None = None,
    kernel: Mapping[int, Mapping[Frame, int]] | None = None,
    calls: Mapping[Frame, str] | None = None,
    gil_ticks: int = 500,
    seconds: float = 10.0,
) -> Profile:
    interned = Interned()

    def counts(side: Mapping[int, Stacks] | None) -> tuple[StackCount, ...]:
        each = ((tid, stack, count) for tid, stacks in (side or {}).items() for stack, count in stacks.items())
        return tuple(StackCount(tid, interned.stack(stack), count) for tid, stack, count in each)

    def samples(side: Mapping[int, Mapping[Frame, int]] | None, *, in_kernel: bool) -> tuple[NativeCount, ...]:
        each = ((tid, frame, count) for tid, frames in (side or {}).items() for frame, count in frames.items())
        return tuple(NativeCount(tid, interned.frame(frame), count, in_kernel) for tid, frame, count in each)

    made = Profile(
        key=KEY,
        kind="burst",
        at_unix_ns=0,
        seconds=seconds,
        hertz=50,
        ticks=500,
        gil_ticks=gil_ticks,
        active=counts(active),
        gil=counts(gil),
        waiting=tuple(
            WaitCount(tid, interned.stack(stack), wait, count)
            for tid, stacks in (waiting or {}).items()
            for (stack, wait), count in stacks.items()
        ),
        native=(*samples(native, in_kernel=False), *samples(kernel, in_kernel=True)),
        threads=tuple(threads),
        calls={interned.frame(frame): name for frame, name in (calls or {}).items()},
    )
    return msgspec.structs.replace(made, frames=interned.frames, stacks=interned.stacks)
