"""Which processes of a service take requests and run no model, and how near are they to their limit?"""

import re
from collections.abc import Sequence

import msgspec

from advisor.gpu.use import Use, fullest
from advisor.view import NeighbourView, View, WorkerView
from collectors.entities import Role

SCHEDULER = "EngineCor"
"""Part of the title of a process that hands out the work of one model, where the processes beside it run it: another one
of those that take requests does not help it."""
_DIGITS = re.compile(r"\d+")


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """The processes that take requests, all of the kind of the busiest: what starts or watches them is of another. `busy`: mean
    share of the time in which the busiest thread of each ran or waited for a CPU; `ran`: in which it ran. An event loop is at
    its limit where that thread never rests."""

    processes: tuple[WorkerView, ...]
    busy: float
    ran: float


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """How much the processes that run models are used: of a GPU's time where they are on one, else of a core for each."""

    processes: int
    busy: float
    use: Use | None = None


def doors_of(view: View) -> Doors | None:
    """Of a service that runs models too; None where each process does, or where one that schedules is the busiest."""
    serving = {w.key for w in view.serving}
    kinds = {w.key: _DIGITS.sub("", (w.process.argv or ("",))[0]) for w in view.service.workers}
    beside = [w for w in view.workers if w.role in (Role.FRONT_END, Role.GATEWAY) and w.key not in serving]
    if not serving or not beside:
        return None
    kind = kinds.get(max(beside, key=lambda w: _busiest(w)[0]).key, "")
    if SCHEDULER in kind:
        return None
    taking = tuple(w for w in beside if kinds.get(w.key, "") == kind)
    return Doors(
        processes=taking,
        busy=sum(_busiest(w)[0] for w in taking) / len(taking),
        ran=sum(_busiest(w)[1] for w in taking) / len(taking),
    )


def behind(view: View) -> Behind | None:
    """None where its processes are on GPUs of whose use nothing is known."""
    if view.gpus:
        found = fullest(view.gpus)
        return None if found is None else Behind(processes=len(view.serving), busy=found[1].p95, use=found[1])
    busy = sum(min(1.0, w.runnable) for w in view.serving)
    return Behind(processes=len(view.serving), busy=busy / max(1, len(view.serving)))


def behind_gateway(neighbours: Sequence[NeighbourView]) -> Behind | None:
    """The services of the node that run models; None where there is none, or one on a GPU, which may be busy."""
    found = [one for one in neighbours if one.processes]
    if not found or any(one.on_gpu for one in found):
        return None
    processes = sum(one.processes for one in found)
    return Behind(processes=processes, busy=sum(min(one.busy, one.processes) for one in found) / processes)


def _busiest(worker: WorkerView) -> tuple[float, float]:
    """Of its busiest thread: share of the time that it was runnable, and that it ran."""
    thread = max(worker.threads, key=lambda t: t.cores_used + t.waiting_cores, default=None)
    return (0.0, 0.0) if thread is None else (min(1.0, thread.cores_used + thread.waiting_cores), thread.cores_used)
