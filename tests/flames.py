"""Profiles as the agent answers them, from which tests of the profile screen are made."""

from typing import Any

import msgspec

from advisor.documents import ProfilingStatus, Snapshot
from advisor.profiling.difference import ProfileDifference, difference
from advisor.profiling.header import ProfileHeader, header_of
from advisor.profiling.request import ProfileState
from advisor.profiling.stored import Side, StackSample, StoredProfile
from collectors.profiles.profile import Missing
from tests.fakes_tui import FakeSource
from tests.snapshots import HEALTHY, HEALTHY_ID, LOADED, LOADED_ID, example_snapshot

AT = 1_795_168_800.0
"""NOW of the snapshots, 2026-11-20 10:00:00 UTC."""
ROOT = ("<module> (server.py:10)", "run (uvicorn/server.py:65)", "handle (starlette/routing.py:276)")
PREDICT = (*ROOT, "predict (app.py:42)")
ENCODE = (*PREDICT, "preprocess (app.py:61)", "encode_batch (tokenizers/implementations/base_tokenizer.py:203)")
MATRIX = (*PREDICT, "forward (torch/nn/modules/linear.py:125)", "addmm (libtorch_cpu.so)")
RESIZE = (*PREDICT, "preprocess (app.py:58)", "Image.resize (PIL/Image.py:2345)")
DUMPS = (
    *ROOT,
    "render (starlette/responses.py:194)",
    "dumps (json/__init__.py:231)",
    "iterencode (json/encoder.py:258)",
)
NO_NATIVE = Missing("native", "perf events are not allowed", "sysctl kernel.perf_event_paranoid=1")
READY = ProfilingStatus(
    state="ready", cpu_seconds=0.0, stopped_seconds=0.0, steady_ratio=0.0, bursts=0, probes=0, failed=0, stopped_early=0
)


def sample(
    frames: tuple[str, ...], count: int, work: str = "python", side: Side = "cpu", thread: str = "MainThread"
) -> StackSample:
    return StackSample(thread=thread, frames=frames, side=side, work=work, count=count)


def profile(*stacks: StackSample, **changes: Any) -> StoredProfile:
    """A burst of 10 s of one worker."""
    fields: dict[str, Any] = {
        "id": "p1", "at_unix_seconds": AT - 180, "seconds": 10.0, "service": LOADED, "service_id": LOADED_ID, "pid": 101,
        "started": 40211, "slot": 0, "kind": "burst", "reason": "gil-bound-worker", "hertz": 50.0,
        "samples": sum(one.count for one in stacks), "stacks": stacks,
    }  # fmt: skip
    return StoredProfile(**fields | changes)


def busy(**changes: Any) -> StoredProfile:
    """1000 looks at Python threads on a CPU in two threads, 250 at the holder of the GIL, 90 at waiting ones; no native
    side."""
    stacks = (
        sample(MATRIX, 430, "kernel"),
        sample(ENCODE, 300, "tokenise"),
        sample(RESIZE, 120, "decode", thread="AnyIO worker 1"),
        sample(DUMPS, 90, "serialise"),
        sample((*PREDICT, "check (app.py:12)"), 50),
        *(sample((*ROOT, f"hook_{number} (app/hooks.py:{number})"), 1, "glue") for number in range(10)),
        sample(ENCODE, 250, "tokenise", "gil"),
        sample((*ROOT, "select (selectors.py:468)"), 90, "inbound", "wait"),
    )
    return profile(*stacks, **{"missing": (NO_NATIVE,)} | changes)


def later(**changes: Any) -> StoredProfile:
    """The same worker after a change: less tokenising, more matrix products."""
    stacks = (
        sample(MATRIX, 760, "kernel"),
        sample(RESIZE, 130, "decode"),
        sample(DUMPS, 60, "serialise"),
        sample((*PREDICT, "check (app.py:12)"), 50),
    )
    return profile(
        *stacks, **{"id": "p2", "at_unix_seconds": AT - 60, "kind": "request", "reason": "requested"} | changes
    )


def other_service(**changes: Any) -> StoredProfile:
    fields = {"id": "p3", "service": HEALTHY, "service_id": HEALTHY_ID, "pid": 201, "kind": "continuous", "hertz": 0.0}
    return profile(
        sample(DUMPS, 40, "serialise"), **fields | {"reason": "looked at now and then", "seconds": 300.0} | changes
    )


def done(one: StoredProfile) -> ProfileState:
    return ProfileState(
        id=one.id,
        state="done",
        target=str(one.pid),
        at_unix_seconds=one.at_unix_seconds,
        seconds=one.seconds,
        profile=one,
    )


def change(base: StoredProfile, other: StoredProfile, side: Side | None = None) -> ProfileDifference:
    return difference(base, other, side)


def source(*profiles: StoredProfile, snapshot: Snapshot | None = None, **changes: Any) -> FakeSource:
    """An agent that keeps these profiles, and compares the first with the second."""
    headers: tuple[ProfileHeader, ...] = tuple(map(header_of, profiles))
    known: dict[str, object] = {"profiles": headers}
    known |= {f"profiles/{one.id}": done(one) for one in profiles}
    if profiles:
        known["profiles/merged"] = profiles[0]
        known["profiles/diff"] = difference(profiles[1 % len(profiles)], profiles[0])
    return FakeSource([snapshot or with_profiling(READY)], known=known | changes)


def with_profiling(status: ProfilingStatus | None) -> Snapshot:
    snapshot = example_snapshot()
    own = msgspec.structs.replace(snapshot.self_status, profiling=status)
    return msgspec.structs.replace(snapshot, self_status=own)
