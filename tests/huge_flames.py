"""How do the profiles of a large node look: 128 workers, 2,000 threads, hundreds of profiles, deep and wide stacks?"""

from functools import lru_cache

import msgspec

from advisor.documents import Snapshot
from advisor.profiling.difference import difference
from advisor.profiling.header import header_of
from advisor.profiling.stored import Side, StackSample, StoredProfile
from tests.fakes_tui import FakeSource
from tests.flames import AT, READY, ROOT, done, profile, with_profiling

WORKERS, THREADS, FRAMES, LISTED = 128, 2_000, 20_000, 200
WORKS = ("python", "kernel", "serialise", "tokenise", "glue", "decode", "loop", "array", "ipc", "gc", "allocation")
SIDES: tuple[Side, ...] = ("cpu", "cpu", "cpu", "cpu", "cpu", "cpu", "gil", "wait")
DEEP = tuple(f"visit_{row % 40} (app/tree.py:{row})" for row in range(980))


@lru_cache
def huge_profile(frames: int = FRAMES) -> StoredProfile:
    """About `frames` distinct frames in as many stacks, three to a thousand frames deep, of 2,000 threads."""
    return profile(
        *(_stack(number) for number in range(frames)), id="h0", service="gunicorn/app0:8000", reason="gil-convoy"
    )


def huge_source() -> FakeSource:
    """128 workers that were profiled every ten seconds; each id leads to the same stacks."""
    whole = huge_profile()
    listed = [
        msgspec.structs.replace(
            whole, id=f"h{number}", at_unix_seconds=AT - 30 - 10 * number, pid=1000 + number % WORKERS, stacks=(),
            service=f"gunicorn/app{number % 8}:{8000 + number % 8}", kind=("burst", "continuous", "request")[number % 3],
        )
        for number in range(LISTED)
    ]  # fmt: skip
    known: dict[str, object] = {"profiles": tuple(map(header_of, listed)), "profiles/merged": whole}
    known |= {f"profiles/{one.id}": done(msgspec.structs.replace(one, stacks=whole.stacks)) for one in listed[:4]}
    known["profiles/diff"] = difference(whole, whole)
    return FakeSource([huge_node()], known=known)


def huge_node() -> Snapshot:
    example = with_profiling(READY)
    names = tuple(f"gunicorn/app{number}:{8000 + number}" for number in range(8))
    services = tuple(msgspec.structs.replace(example.services[0], id=name, name=name) for name in names)
    workers = tuple(
        msgspec.structs.replace(example.workers[1], pid=1000 + number, started=number, service=names[number % 8])
        for number in range(WORKERS)
    )
    return msgspec.structs.replace(example, services=services, workers=workers)


def _stack(number: int) -> StackSample:
    """Some are seen much more often than others, and most share most of their way."""
    endpoint = number * number % WORKERS
    handler = f"endpoint_{endpoint} (app/endpoints/e{endpoint}.py:{endpoint})"
    layers = tuple(
        f"op{row} (libtorch_cpu.so)"
        if row % 6 == 5
        else f"layer{row}_{_branch(number, row)} (torch/nn/l{row}.py:{row})"
        for row in range(number % 45)
    )
    deep = DEEP if number % 500 == 3 else ()
    return StackSample(
        thread=f"AnyIO worker {number % THREADS}",
        frames=(*ROOT, handler, *layers, *deep, f"leaf_{number} (app/leaves/l{number % 211}.py:{number % 997})"),
        side=SIDES[number // 3 % len(SIDES)],
        work=WORKS[endpoint % len(WORKS)] if number % 5 else "python",
        count=1 + 20_000 // (number + 1),
    )


def _branch(number: int, row: int) -> int:
    """Every fourth layer calls one of two."""
    return (number >> row) % 2 if row % 4 == 0 else 0
