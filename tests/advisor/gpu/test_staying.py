"""How many workers all that they do keeps busy: CPU, devices, and the requests that they have."""

from typing import Any

import msgspec
import pytest

from advisor.facts import ServiceFacts
from advisor.gpu.staying import workers_needed
from advisor.view import View
from collectors.profiles.profile import Wait
from tests.advisor.built import thread, view, worker
from tests.advisor.gpu_services import looked_into
from tests.advisor.gpus_built import gpu, hidden, on_gpus, process
from tests.advisor.profiles_built import profiled

PIDS = range(101, 109)


def host(
    *, sm: float | None = 0.05, used: float = 0.1, devices: int = 1, queue: float = 0.0,
    waits: dict[Wait, float] | None = None, **said: Any,
) -> tuple[View, ServiceFacts]:  # fmt: skip
    """Eight workers of one thread, as many on each device; a profile says what they wait for."""
    each = [worker(pid, [thread(pid, used, allowed=range(8))]) for pid in PIDS]
    seen = msgspec.structs.replace(view(each, cores=8, queue=(queue,) * 15), **said)
    on = [gpu([process(w, sm=sm) for w in each[n::devices]], uuid=f"GPU-{n}", index=n) for n in range(devices)]
    return on_gpus(seen, *on), looked_into(seen, {}, waits=waits)


RATED = {"requests_per_second": 20.0, "latency_seconds": 0.05}
"""One request in progress."""


@pytest.mark.parametrize(
    ("known", "needed"),
    [
        ({}, 2),  # 8 × (0.1 + 0.05) of 0.8
        ({"sm": 0.2}, 3),
        ({"sm": 0.2, "devices": 2}, 3),  # the work of both
        ({"sm": 0.0, "used": 0.01, "devices": 2}, 2),  # one for each device at least
        ({"sm": None}, None),
        ({"sm": None, "devices": 2}, None),
        ({"samples": 14}, None),
    ],
)
def test_cpu_and_all_devices_count(known: dict[str, Any], needed: int | None) -> None:
    assert workers_needed(*host(**RATED, **known)) == needed


def test_requests_that_wait_for_something_else_keep_their_worker() -> None:
    slow = {"requests_per_second": 20.0, "latency_seconds": 0.2}
    assert workers_needed(*host(**slow)) == 5  # four in progress, at 0.8
    assert workers_needed(*host(requests_per_second=100.0, latency_seconds=0.2)) == 25


@pytest.mark.parametrize(
    "known", [{"queue": 0.6}, {"server_queue": 1.0}, {"established": 10.0}], ids=lambda known: next(iter(known))
)
def test_where_requests_wait_for_a_worker_none_is_too_many(known: dict[str, Any]) -> None:
    seen, facts = host(**RATED, **known)
    if "established" in known:
        called = msgspec.structs.replace(seen.service, calls="synchronous")
        workers = tuple(msgspec.structs.replace(one, request_threads=None) for one in called.workers)
        seen = msgspec.structs.replace(seen, service=msgspec.structs.replace(called, workers=workers))
    assert workers_needed(seen, facts) is None


def test_without_rate_and_latency_a_fresh_profile_shows_who_has_a_request() -> None:
    waiting = host(waits={"outbound": 0.5})
    assert workers_needed(*waiting) == 6  # 8 × 0.6 occupied, at 0.8
    assert workers_needed(*host(waits={"listening": 0.9})) == 2
    seen, facts = waiting
    assert workers_needed(seen, profiled(seen)) is None
    assert facts.profile is not None
    old = msgspec.structs.replace(facts.profile, age_seconds=400.0)
    assert workers_needed(seen, msgspec.structs.replace(facts, profile=old)) is None


def test_processes_that_are_no_workers_are_not_counted_by_them() -> None:
    seen, facts = host(**RATED)
    one = seen.gpus[0]
    beside = msgspec.structs.replace(seen, gpus=(msgspec.structs.replace(one, own=(*one.own, hidden(999))),))
    assert workers_needed(beside, facts) is None
