"""Built services on a GPU that several rules are tried on: a view and the facts that belong to it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from advisor.facts import ServiceFacts
from advisor.profiling.view import WorkerProfile
from advisor.view import View
from collectors.levers import Lever, Setting, Value
from collectors.profiles.profile import Wait
from tests.advisor.built import service, thread, view, worker
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process
from tests.advisor.profiles_built import profiled, thread_share, worker_profile

Host = tuple[View, ServiceFacts]
SYNC = {"cuda-sync": 0.8, "cuda-launch": 0.1, "array": 0.1}
"""A worker that mostly waits for the GPU on a CPU."""


def on_gpu(
    used: float = 1.0, *, workers: int = 1, cores: int = 8, queue: float = 3.0, copy: int | None = 6 * GIB,
    others: float = 0.2, framework: str = "gunicorn", request_threads: int | None = 1, **known: Any,
) -> View:  # fmt: skip
    """Workers of one thread beside idle cores, each with a process on one GPU, and requests that wait. `known`: of the GPU."""
    each = [worker(k, [thread(k, used, 0.02, allowed=range(cores))]) for k in range(101, 101 + workers)]
    seen = view(each, cores=cores, queue=(queue,) * 15, others=others, request_threads=request_threads)
    fields = {
        "busy_ratio": 0.4,
        "busy_p95": 0.5,
        "sm_active_ratio": 0.2,
        "sm_active_p95": 0.3,
        "dram_active_ratio": 0.1,
    }
    one = gpu([process(w, copy) for w in each], **{**fields, **known})
    changed = msgspec.structs.replace(service(each, request_threads=request_threads), framework=framework)
    return on_gpus(msgspec.structs.replace(seen, service=changed), one)


def looked_into(
    seen: View, classes: Mapping[str, float], *, waits: Mapping[Wait, float] | None = None, **more: Any
) -> ServiceFacts:
    """Facts with a profile of each worker, of one request thread that runs as the view says, and the knob of workers."""
    each = [
        worker_profile(
            w.key.pid, w.cores_used, classes,
            threads=[thread_share(w.key.pid, min(1.0, w.cores_used), waits=waits)], **more,
        )
        for w in seen.workers
    ]  # fmt: skip
    return with_settings(profiled(seen, *each), {Lever.WORKERS: len(seen.workers)})


def with_profiles(seen: View, *profiles: WorkerProfile) -> ServiceFacts:
    return with_settings(profiled(seen, *profiles), {Lever.WORKERS: len(seen.workers)})


def with_settings(facts: ServiceFacts, settings: Mapping[Lever, Value], origin: str = "default") -> ServiceFacts:
    """The facts with these settings instead of theirs."""
    made = tuple(Setting(lever=lever, value=value, origin=origin) for lever, value in settings.items())
    return msgspec.structs.replace(facts, settings=made)
