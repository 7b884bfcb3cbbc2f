"""Profiles from which the tests of keeping, showing and comparing them are made."""

from collections.abc import Iterable
from typing import Any

from advisor.profiling.stored import LineUse, Side, StackSample, StoredProfile
from advisor.profiling.view import HotSpot, Share, WorkerProfile
from collectors.entities import WorkerKey
from collectors.profiles.profile import Missing, ProfileCost

NOON = 1_793_448_000
"""2026-10-31 12:00:00 UTC."""
ROOT = ("<module> (server.py:10)", "run (uvicorn/server.py:65)")
ENCODE = (*ROOT, "predict (app.py:42)", "encode (tokenizers/api.py:12)")
MATRIX = (*ROOT, "predict (app.py:43)", "addmm (libtorch_cpu.so)")


def sample(
    frames: tuple[str, ...], count: int, *, work: str = "python", side: Side = "cpu", thread: str = "MainThread"
) -> StackSample:
    return StackSample(thread=thread, frames=frames, side=side, work=work, count=count)


def stored(stacks: Iterable[StackSample] = (), **changes: Any) -> StoredProfile:
    """A burst of 10 s of worker 812; `changes` replace single fields."""
    stacks = tuple(stacks)
    fields: dict[str, Any] = {
        "id": "p1", "at_unix_seconds": float(NOON), "seconds": 10.0, "service": "gunicorn/app:8000", "service_id": "s-1",
        "pid": 812, "started": 40211, "slot": 0, "kind": "burst", "reason": "gil-bound-worker", "hertz": 50.0,
        "samples": sum(one.count for one in stacks), "stacks": stacks,
    }  # fmt: skip
    return StoredProfile(**fields | changes)


def two_stacks(**changes: Any) -> StoredProfile:
    """300 samples of encoding, 700 of a matrix product."""
    return stored([sample(MATRIX, 700, work="kernel"), sample(ENCODE, 300, work="tokenise")], **changes)


def whole(**changes: Any) -> StoredProfile:
    """One with every part."""
    stacks = [
        sample(MATRIX, 700, work="kernel"),
        sample(ENCODE, 300, work="tokenise"),
        sample(ENCODE, 250, work="tokenise", side="gil"),
        sample((*ROOT, "select (selectors.py:468)"), 90, work="loop", side="wait"),
        sample(("sgemm_kernel (libopenblas.so)",), 40, work="kernel", side="native", thread="pool-1"),
    ]
    parts: dict[str, Any] = {
        "digest": digest(),
        "missing": (Missing("native", "perf events are not allowed", "sysctl kernel.perf_event_paranoid=1"),),
        "notes": ("the rate was lowered to 20 Hz",),
        "cost": ProfileCost(cpu_seconds=0.25, stopped_seconds=0.5, errors=3, behind_seconds=0.125),
        "lines": (
            LineUse(
                file="app.py", line=42, text="x = encode(y)", python_ratio=0.25, native_ratio=0.5, system_ratio=0.125,
                memory_growth_bytes=1 << 20, copy_bytes_per_second=2.0**21,
            ),
        ),
    }  # fmt: skip
    return stored(stacks, **parts | changes)


def digest(**changes: Any) -> WorkerProfile:
    fields: dict[str, Any] = {
        "key": WorkerKey(812, 40211), "seconds": 10.0, "cores": 1.5, "samples": 1000,
        "classes": {"kernel": Share(0.7, 0.02), "tokenise": Share(0.3, 0.01)}, "native": True,
        "gil_held": Share(0.8, 0.05), "python_active": 1.25, "gil_waiting": 0.75, "pool_cores": 0.5,
        "waits": {"gil": 0.75, "inbound": 2.0},
        "hot": (HotSpot(where="addmm (libtorch_cpu.so)", share=0.7, work="kernel"),), "phases": {"preprocess": 0.3},
    }  # fmt: skip
    return WorkerProfile(**fields | changes)
