"""Fewer workers where a device is too full: only as many as their work leaves over, in the server's own numbers."""

import msgspec
import pytest

from advisor.facts import ServiceFacts
from advisor.gpu.filling import filling_of
from advisor.gpu.slimmer import Slimmer, slimmer
from advisor.view import View
from collectors.levers import Value
from tests.advisor.gpus_built import GIB, RESERVED, TOTAL, gpu, on_gpus, process
from tests.advisor.llm_built import known, server

USABLE = TOTAL - RESERVED


def host(framework: str, held: int, **levers: Value) -> tuple[View, ServiceFacts]:
    """Six workers that hold as much each, with one request in progress, on a device that is 94 % full."""
    pids = range(101, 107)
    seen = server(framework, pids, used=0.1, requests_per_second=20.0, latency_seconds=0.05)
    card = gpu([process(pid, held, 0.02) for pid in pids], used=round(0.94 * USABLE))
    return on_gpus(seen, card), known(seen, **levers)


def less(seen: View, facts: ServiceFacts) -> Slimmer | None:
    found = filling_of(seen.gpus[0], seen, facts)
    assert found is not None
    return slimmer(seen, facts, found, 0.85)


@pytest.mark.parametrize(
    ("framework", "levers", "change", "gone"),
    [("gunicorn", {}, (6, 5), 1), ("mlserver", {"workers": 2}, (2, 1), 3), ("mlserver", {"workers": 6}, (6, 5), 1)],
)  # fmt: skip
def test_a_worker_fewer_for_each_pool_is_several_processes(
    framework: str, levers: dict[str, Value], change: tuple[int, int], gone: int
) -> None:
    found = less(*host(framework, 12 * GIB, **levers))
    assert found is not None
    assert (found.change.current, found.change.proposed) == change
    assert found.freed == gone * 12 * GIB


def test_no_worker_is_taken_whose_work_nobody_could_do() -> None:
    seen, facts = host("gunicorn", 12 * GIB)
    waiting = msgspec.structs.replace(seen, latency_seconds=0.25)  # five in progress: six and a quarter at 0.8
    assert less(waiting, facts) is None
    queued = msgspec.structs.replace(seen, accept_queue=(2.0,) * 15)
    assert less(queued, facts) is None


@pytest.mark.parametrize("framework", ["triton", "sglang"])
def test_ranks_of_a_model_are_no_workers_too_many(framework: str) -> None:
    assert less(*host(framework, 12 * GIB)) is None


def test_workers_that_hold_nothing_give_nothing_back() -> None:
    assert less(*host("gunicorn", 0)) is None
