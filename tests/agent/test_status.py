"""What of a view reaches the document of a service?"""

import msgspec
import pytest

from advisor.facts import ServiceFacts
from advisor.measured import MeasuredCapacity
from advisor.prices import NodePrice
from advisor.serving_rates import ServingRates
from agent.status import service_status, thread_status, threads_of, worker_status
from tests.advisor.built import healthy, overlapping_pins, throttled_bursts
from tests.advisor.trends_built import past, steady

SAID = {
    "requests_per_second": 20.0, "errors_per_second": 0.5, "latency_seconds": 0.05, "latency_p50_seconds": 0.04,
    "latency_p99_seconds": 0.4, "in_flight": 7.0, "server_queue": 5.0, "batch_size": 4.0,
    "tokens_in_per_second": 2000.0, "tokens_out_per_second": 100.0, "first_token_seconds": 0.06,
    "inter_token_seconds": 0.01, "kv_cache_ratio": 0.625, "preemptions_per_second": 0.2, "model_bytes": 6e9,
    "model_gpu_bytes": 5e9, "queue_seconds": 0.01, "batches_per_second": 5.0, "model_loads_per_second": 0.3,
    "model_evictions_per_second": 0.1,
}  # fmt: skip


def test_everything_that_a_server_says_of_itself_is_in_its_document() -> None:
    assert set(SAID) == set(ServingRates.__struct_fields__)
    view = msgspec.structs.replace(healthy(), **SAID, metrics_age_seconds=3.5)
    facts = ServiceFacts(service=view.service, processes={}, threads=None)
    document = msgspec.to_builtins(service_status(view.service, view, facts, "fine"))
    assert {name: document[name] for name in SAID} == SAID
    assert document["metrics_age_seconds"] == 3.5
    silent = msgspec.to_builtins(service_status(view.service, None, facts, "starting"))
    assert {silent[name] for name in (*SAID, "metrics_age_seconds")} == {None}


def test_what_it_can_do_and_costs_is_in_its_document_as_far_as_it_is_known() -> None:
    seen = past(healthy(), [steady(0.8, per_second=10.0, latency=0.08)] * 20)
    facts = ServiceFacts(service=seen.service, price=NodePrice(currency="EUR", hourly=0.36))
    document = msgspec.to_builtins(service_status(seen.service, seen, facts, "fine"))
    assert document["capacity"]["one_worker_per_second"]["per_second"] == pytest.approx(12.5)
    assert document["capacity"]["n_workers_per_second"]["bound"] == "estimate"
    assert document["cost"]["per_1000_requests"] == pytest.approx(0.01)
    tested = MeasuredCapacity(
        at="2026-11-20T10:00:00Z", knee_per_second=21.0, bound="measured", workers=2, generation=0
    )
    measured = service_status(seen.service, seen, facts, "fine", 0, tested).capacity
    assert measured is not None
    assert measured.n_workers_per_second is not None
    assert (measured.n_workers_per_second.per_second, measured.n_workers_per_second.bound) == (21.0, "measured")
    unknown = service_status(seen.service, None, facts, "starting")
    assert (unknown.capacity, unknown.cost) == (None, None)


def test_limits_are_told_and_what_has_no_limit_is_none() -> None:
    view = throttled_bursts()
    facts = ServiceFacts(service=view.service)
    limits = service_status(view.service, view, facts, "fine").limits
    assert limits is not None
    assert (limits.cpu_quota_cores, limits.throttled_ratio) == (0.5, pytest.approx(27 / 65))
    assert (limits.memory_limit_bytes, limits.memory_used_bytes) == (None, None)
    free = msgspec.structs.replace(view, cgroup=None)
    assert service_status(view.service, free, facts, "fine").limits is None


def test_a_process_is_told_with_its_state_faults_and_share_of_memory_and_all_its_threads() -> None:
    seen = overlapping_pins()
    first = msgspec.structs.replace(seen.workers[1], proportional_bytes=5 << 20, major_faults_per_second=2.5)
    view = msgspec.structs.replace(seen, workers=(seen.workers[0], first, seen.workers[2]))
    member = next(one for one in view.service.workers if one.key == first.key)
    document = worker_status(member, view, ServiceFacts(service=view.service))
    main = next(thread for thread in first.threads if thread.tid == member.pid)
    assert (document.proportional_bytes, document.major_faults_per_second) == (5 << 20, 2.5)
    assert document.state == main.state
    threads = threads_of(view)[member.pid]
    assert threads == first.threads
    assert thread_status(threads[0]).cpus_seen == ((0, 1.0),)
    unseen = worker_status(member, None, ServiceFacts(service=view.service))
    assert (unseen.proportional_bytes, unseen.major_faults_per_second, unseen.state) == (None, None, None)
    assert threads_of(None) == {}
