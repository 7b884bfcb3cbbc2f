"""Which bad setting does the demo start its server with?"""

import random
from dataclasses import dataclass

from agent.demo.launch import Launch

ONE_COMPUTE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
MOST_WORKERS = 32
"""A worker of the demo takes about 100 MB."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A bad setting: what it is called, what is wrong in one line, and the server's launch with it."""

    name: str
    says: str
    launch: Launch


def _launch(workers: int, environment: dict[str, str], cpus: frozenset[int] | None = None) -> Launch:
    return Launch(
        arguments=("start", "."),
        environment=environment,
        files={"settings.json": {"parallel_workers": workers}},
        cpus=cpus,
    )


def threads_unset(cpus: tuple[int, ...]) -> Fault:
    """A worker for each core, and each worker's BLAS starts a thread for each core."""
    workers = max(2, min(len(cpus), 8))
    return Fault(
        "threads-unset",
        f"{workers} workers on {len(cpus)} cores, BLAS threads left at their default",
        _launch(workers, {}),
    )


def workers_too_many(cpus: tuple[int, ...], factor: int) -> Fault:
    workers = min(factor * max(2, len(cpus)), MOST_WORKERS)
    return Fault(
        "workers-too-many",
        f"{workers} workers on {len(cpus)} cores, one BLAS thread each",
        _launch(workers, ONE_COMPUTE_THREAD),
    )


def workers_too_few(cpus: tuple[int, ...]) -> Fault:
    return Fault(
        "workers-too-few",
        f"1 worker on {len(cpus)} cores, one BLAS thread",
        _launch(1, ONE_COMPUTE_THREAD),
    )


def narrow_mask(cpus: tuple[int, ...]) -> Fault:
    workers = max(2, min(len(cpus), 4))
    return Fault(
        "narrow-mask",
        f"{workers} workers held on CPU {cpus[0]} of {len(cpus)}, one BLAS thread each",
        _launch(workers, ONE_COMPUTE_THREAD, frozenset(cpus[:1])),
    )


def draw(seed: int | None, cpus: tuple[int, ...]) -> Fault:
    """The fault for `seed` (None: the default) among those that can be shown on `cpus`; the same for the same seed.

    Four seeds in a row give four different faults where there is more than one core.
    """
    chance = random.Random(seed)  # noqa: S311 - a repeatable draw, no secret
    factor = chance.choice((4, 5))
    if len(cpus) == 1:
        return workers_too_many(cpus, factor)
    if seed is None:
        return threads_unset(cpus)
    faults = (
        threads_unset(cpus),
        workers_too_many(cpus, factor),
        workers_too_few(cpus),
        narrow_mask(cpus),
    )
    return faults[(seed - 1) % len(faults)]
