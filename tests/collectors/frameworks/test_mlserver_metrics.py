"""What the recorded metrics pages of MLServer say, over REST and gRPC."""

import pytest

from collectors.frameworks.mlserver import MlServer
from tests.captures import FIXTURES
from tests.pages import sample_of_page, samples_of_page


def page(name: str) -> str:
    return (FIXTURES / "metrics" / f"{name}.prom").read_text()


def test_only_inferences_are_counted() -> None:
    sample = sample_of_page(MlServer(), page("mlserver_metrics"))
    assert (sample.requests, sample.errors) == (61, 2)  # 61 answered, one failed in the model, one named another model
    assert (sample.latency_count, sample.latency_sum_us) == (
        63,
        7_188_742,
    )  # the same, without 5 questions for readiness
    assert (sample.queue_length_count, sample.queue_length_sum) == (24, 42)
    assert (sample.in_flight, sample.batch_size_count, sample.queue) == (0, None, None)


def test_requests_over_grpc_are_inferences_too() -> None:
    sample = sample_of_page(MlServer(), page("mlserver_metrics_grpc"))
    assert (sample.requests, sample.errors, sample.in_flight) == (5, 0, None)
    assert (sample.latency_count, sample.latency_sum_us) == (5, 323_886)


def test_rest_with_versions_and_grpc_without_workers() -> None:
    sample = sample_of_page(MlServer(), page("mlserver_metrics_parallel0"))
    assert (sample.requests, sample.errors) == (15, 0)
    assert (sample.latency_count, sample.latency_sum_us) == (15, 485_231)
    assert (sample.queue_length_count, sample.batch_size_count) == (None, None)


def histogram(name: str, labels: str, fast: int, slow: int) -> str:
    """A page's histogram with `fast` observations up to 50 ms and `slow` ones up to 250 ms."""
    counts = {"0.025": 0, "0.05": fast, "0.1": fast, "0.25": fast + slow, "+Inf": fast + slow}
    return f"# TYPE {name} histogram\n" + "".join(
        f'{name}_bucket{{{labels},le="{bound}"}} {count}\n' for bound, count in counts.items()
    )


def test_the_median_is_of_whole_requests_over_both_protocols() -> None:
    rest, infer = "rest_server_request_duration_seconds", 'path="/v2/models/{model_name}/infer",status_code="200"'
    ready, grpc = 'path="/v2/models/{model_name}/ready",status_code="200"', "grpc_server_handling_seconds"
    unary, live = 'grpc_method="ModelInfer",grpc_type="UNARY"', 'grpc_method="ServerLive",grpc_type="UNARY"'
    before = histogram(rest, infer, 1000, 0) + histogram(grpc, unary, 0, 10)
    after = (
        histogram(rest, infer, 1010, 4) + histogram(rest, ready, 500, 0)
        + histogram(grpc, unary, 0, 19) + histogram(grpc, live, 500, 0)
    )  # fmt: skip
    sample = sample_of_page(MlServer(), after, before)
    assert (sample.latency_p50_low_us, sample.latency_p50_high_us) == (100_000, 250_000)  # 10 fast, 13 slow ones
    assert (sample.latency_p99_low_us, sample.latency_p99_high_us) == (100_000, 250_000)
    without_grpc = sample_of_page(MlServer(), histogram(rest, infer, 1010, 4), before)
    assert (without_grpc.latency_p50_low_us, without_grpc.latency_p50_high_us) == (25_000, 50_000)


def test_each_model_has_its_own_requests() -> None:
    samples = samples_of_page(MlServer(), page("mlserver_metrics"))
    iris, none = samples["model:5e41ce/iris"], samples["model:5e41ce/none"]
    assert (iris.requests, iris.errors, iris.latency_count) == (61, 1, None)
    assert (none.requests, none.errors) == (0, 1)


@pytest.mark.parametrize("path", ["/v2/models/iris/infer", "/v2/models/iris/versions/v1/generate_stream"])
def test_paths_without_a_pattern_count_too(path: str) -> None:
    name = "rest_server_request_duration_seconds"
    text = f"# TYPE {name} histogram\n" + "".join(
        f'{name}_{part}{{path="{one}"}} {value}\n'
        for part, value in (("sum", 2), ("count", 4))
        for one in (path, "/v2/models/iris/ready", "/v2/repository/models/iris/load", "/v2/models/iris")
    )
    sample = sample_of_page(MlServer(), text)
    assert (sample.latency_count, sample.latency_sum_us) == (4, 2_000_000)
