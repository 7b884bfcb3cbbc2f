"""How does a service execute its models: one request a thread, or an event loop that computes or waits?

It decides what helps: more workers where calls block, fewer threads of the loop's own work where a coroutine computes,
and neither where a coroutine only waits. A framework says how it calls a model's code; the window says what that does.
"""

from typing import Literal

import msgspec

from advisor.view import ThreadView, View

Kind = Literal["synchronous", "asynchronous-cpu-bound", "asynchronous-io-bound"]

BUSY_SHARE = 0.7
"""A loop whose thread runs, or waits for a CPU, for more of the loaded time than this computes in its coroutines."""
IDLE_SHARE = 0.5
"""One that does so for less, with several requests in progress, waits for something else."""
SEVERAL = 1.5
"""Requests in progress per worker from which one thread cannot be handling them one after the other."""


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """`confidence` 0..1; `because` cites the numbers of the window."""

    kind: Kind
    confidence: float
    because: str


def execution_of(view: View | None, several_models: bool = False) -> Execution | None:
    """The execution model of the models of one service; None where neither framework nor window tells it. With several
    models in one process the window mixes them, which halves the confidence."""
    found = _execution(view) if view is not None else None
    if found is None or not several_models or found.kind == "synchronous":
        return found
    because = f"{found.because}; several models share these processes"
    return Execution(kind=found.kind, confidence=round(found.confidence / 2, 2), because=because)


def _execution(view: View) -> Execution | None:
    calls = view.service.calls
    if calls == "synchronous":
        because = f"{view.service.framework} calls the model in the thread that holds the request"
        return Execution(kind="synchronous", confidence=0.95, because=because)
    busy = [w for w in view.serving if w.runnable > 0.05]
    if view.samples < 15 or not busy or not view.delay_readable:
        return None
    loop = sum(_main_thread(w.threads) for w in busy) / len(busy)
    rest = sum(_other_threads(w.threads) for w in busy) / len(busy)
    in_progress = _per_worker(view, len(busy))
    if loop >= BUSY_SHARE and loop >= 2 * rest:
        sure = 0.85 if calls == "asynchronous" else 0.6
        because = f"the main thread is runnable {loop:.0%} of the time, other threads {rest:.0%}"
        return Execution(kind="asynchronous-cpu-bound", confidence=sure, because=because)
    if in_progress is not None and in_progress >= SEVERAL and loop + rest <= IDLE_SHARE:
        sure = 0.85 if calls == "asynchronous" else 0.6
        active = f"its threads are runnable {loop + rest:.0%} of the time"
        because = f"{in_progress:.1f} requests in progress per worker, and {active}"
        return Execution(kind="asynchronous-io-bound", confidence=sure, because=because)
    if rest >= BUSY_SHARE and rest >= 2 * loop and calls is None:
        because = f"threads beside the main one are runnable {rest:.0%} of the time, the main thread {loop:.0%}"
        return Execution(kind="synchronous", confidence=0.5, because=because)
    return None


def _main_thread(threads: tuple[ThreadView, ...]) -> float:
    return sum(t.cores_used + t.waiting_cores for t in threads if t.thread_class == "main")


def _other_threads(threads: tuple[ThreadView, ...]) -> float:
    return sum(t.cores_used + t.waiting_cores for t in threads if t.thread_class not in ("main", "kernel"))


def _per_worker(view: View, workers: int) -> float | None:
    """Requests in progress per busy worker: as the server counts them, else its connections."""
    known = view.in_flight if view.in_flight is not None else view.established
    return None if known is None else known / workers
