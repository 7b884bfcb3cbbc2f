"""What of a view reaches the document of a service?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.serving_rates import ServingRates
from agent.status import service_status
from tests.advisor.built import healthy

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
