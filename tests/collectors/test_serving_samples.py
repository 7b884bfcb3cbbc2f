"""Two pages of one server, as samples: units, quantiles of what came between, series that come, go and are reset."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from collectors.metric_map import Distribution, MetricMap, series
from collectors.pages.serving_page import read_page
from collectors.pages.serving_samples import samples_of
from collectors.sources.serving import ServingSample
from tests.captures import FIXTURES

RAY = (FIXTURES / "metrics/ray_metrics.prom").read_text()
BENTOML = (FIXTURES / "metrics/bentoml_metrics.prom").read_text()
RAY_NAMES = MetricMap(
    requests=(series("ray_serve_deployment_request_counter_total"),),
    latency=Distribution(of=(series("ray_serve_deployment_processing_latency_ms"),), scale=1e-3),
    queue_time=Distribution(of=(series("ray_serve_request_router_fulfillment_time_ms"),), scale=1e-3),
)
NAMES = MetricMap(
    requests=(series("r"),),
    errors=(series("e"),),
    latency=Distribution(of=(series("l_ms"),), total=(series("l_us"),), count=(series("l_n"),), scale=1e-3),
    in_flight=(series("f"),),
    queue=(series("q"),),
    queue_length=Distribution(of=(series("ql"),)),
    queue_time=Distribution(of=(series("qt"),)),
    batch_size=Distribution(total=(series("items"),), count=(series("batches"),)),
    tokens_in=(series("ti"),),
    tokens_out=(series("to"),),
    first_token=Distribution(of=(series("ft"),)),
    inter_token=Distribution(of=(series("it"),)),
    kv_cache=(series("kv"),),
    preemptions=(series("pre"),),
    model_bytes=(series("mb"),),
    model_gpu_bytes=(series("mg"),),
    model_bytes_scale=1e6,
    model_label="model",
)
EVERYTHING = """
r_total 100
e_total 3
l_ms_sum 2500.5
l_ms_count 103
f 4
q 2.0
ql_sum 42
ql_count 24
qt_sum 1.25
qt_count 90
items_total 640
batches_total 80
ti_total 12000
to_total 3400
ft_sum 3.5
ft_count 90
it_sum 17
it_count 3300
kv 0.8125
pre_total 7
mb{model="a"} 512
mb{model="b"} 0.5
mg{model="a"} 500
"""


def only(page: str, before: str | None = None, names: MetricMap = NAMES) -> ServingSample:
    earlier = None if before is None else read_page(before, names)
    return samples_of("s1", names, read_page(page, names), earlier)[0]


def histogram(counts: dict[str, int], labels: str = "", name: str = "l_ms") -> str:
    """`{"10": 3, "+Inf": 5}`, cumulative."""
    lines = [f'{name}_bucket{{{labels}le="{bound}"}} {count}\n' for bound, count in counts.items()]
    return "".join(lines) + f"{name}_count{{{labels}}} {counts['+Inf']}\n"


def spread(sample: ServingSample) -> tuple[int | None, ...]:
    """p50 and p99, each as value, lower and upper bound, in microseconds."""
    return (
        sample.latency_p50_us, sample.latency_p50_low_us, sample.latency_p50_high_us,
        sample.latency_p99_us, sample.latency_p99_low_us, sample.latency_p99_high_us,
    )  # fmt: skip


def test_every_field_in_its_unit() -> None:
    told = {name: value for name, value in msgspec.structs.asdict(only(EVERYTHING)).items() if value is not None}
    assert told == {
        "entity": "service:s1", "requests": 100, "errors": 3, "latency_sum_us": 2_500_500, "latency_count": 103,
        "in_flight": 4, "queue": 2, "queue_length_sum": 42, "queue_length_count": 24, "queue_time_sum_us": 1_250_000,
        "queue_time_count": 90, "batch_size_sum": 640, "batch_size_count": 80, "tokens_in": 12000, "tokens_out": 3400,
        "first_token_sum_us": 3_500_000, "first_token_count": 90, "inter_token_sum_us": 17_000_000,
        "inter_token_count": 3300, "kv_cache_ppm": 812_500, "preemptions": 7, "model_bytes": 512_500_000,
        "model_gpu_bytes": 500_000_000,
    }  # fmt: skip


def test_what_a_page_does_not_tell_is_none() -> None:
    told = msgspec.structs.asdict(only("f 0"))
    assert {name for name, value in told.items() if value is not None} == {"entity", "in_flight"}


def test_counters_stand_in_where_there_is_no_histogram() -> None:
    both = "l_us_total 7000\nl_n_total 3\n"
    assert (only(both).latency_sum_us, only(both).latency_count) == (7_000_000, 3)
    assert (only(both + "l_ms_sum 5\nl_ms_count 1\n").latency_sum_us, only(both + "l_ms_count 1\n").latency_count) == (
        5000,
        1,
    )


def test_values_that_cannot_be_are_not_told() -> None:
    large = 'mb{model="a"} 1e300\nl_ms_sum 1e308\nl_ms_sum{a="1"} 1e308\n'
    impossible = only(f"f -1\nr 1e30\nkv 7\nq 1e-9\n{large}")
    assert (impossible.in_flight, impossible.requests, impossible.kv_cache_ppm) == (None, None, None)
    assert (impossible.queue, impossible.model_bytes, impossible.latency_sum_us) == (0, None, None)
    assert (only("kv 1.004").kv_cache_ppm, only("kv -0.1").kv_cache_ppm) == (1_000_000, None)


def test_quantiles_are_of_what_came_since_the_page_before() -> None:
    before = histogram({"10": 1000, "20": 1000, "50": 1000, "+Inf": 1000})
    now = histogram({"10": 1000, "20": 1060, "50": 1100, "+Inf": 1100})
    assert spread(only(now, before)) == (18333, 10000, 20000, 49250, 20000, 50000)
    assert spread(only(now)) == (None,) * 6
    assert spread(only(now, now)) == (None,) * 6
    assert spread(only("l_ms_count 5\nl_ms_sum 1", "l_ms_count 1\nl_ms_sum 1")) == (None,) * 6


def test_a_quantile_in_the_last_bucket_has_a_lower_bound_only() -> None:
    now = histogram({"10": 60, "20": 90, "+Inf": 100})
    assert spread(only(now, "l_ms_count 0\n")) == (8333, 0, 10000, None, 20000, None)


def test_a_recorded_page_is_merged_over_its_replicas() -> None:
    sample = only(RAY, "# TYPE ray_serve_deployment_request_counter_total counter", RAY_NAMES)
    assert (sample.requests, sample.latency_sum_us, sample.latency_count) == (31, 825_000, 31)
    assert spread(sample) == (21000, 20000, 50000, 84500, 50000, 100000)
    assert (sample.queue_time_sum_us, sample.queue_time_count) == (15_500, 31)


def test_a_recorded_page_of_several_routes_is_merged() -> None:
    names = MetricMap(latency=Distribution(of=(series("bentoml_service_request_duration_seconds"),)))
    sample = only(BENTOML, "# TYPE bentoml_service_request_duration_seconds histogram", names)
    assert (sample.latency_sum_us, sample.latency_count) == (389_898, 25)
    assert spread(sample) == (17500, 10000, 25000, 48438, 25000, 50000)


def test_series_come_go_and_are_reset_one_by_one() -> None:
    old = histogram({"10": 100, "20": 100, "+Inf": 100}, 'replica="a",')
    gone = histogram({"10": 0, "20": 5000, "+Inf": 5000}, 'replica="b",')
    reset_before = histogram({"10": 0, "20": 7000, "+Inf": 7000}, 'replica="c",')
    grown = histogram({"10": 110, "20": 110, "+Inf": 110}, 'replica="a",')
    reset_now = histogram({"10": 0, "20": 10, "+Inf": 10}, 'replica="c",')
    new = histogram({"10": 20, "20": 20, "+Inf": 20}, 'replica="d",')
    sample = only(grown + reset_now + new, old + gone + reset_before)
    assert spread(sample) == (6667, 0, 10000, 19600, 10000, 20000)
    assert sample.latency_count == 140


def test_versions_with_other_bounds_are_merged_at_those_they_share() -> None:
    one = histogram({"10": 5, "20": 10, "100": 10, "+Inf": 10}, 'version="1",')
    two = histogram({"15": 3, "20": 9, "100": 10, "+Inf": 10}, 'version="2",')
    assert spread(only(one + two, "l_ms_count 0\n")) == (10526, 0, 20000, 84000, 20000, 100000)


def test_tokens_have_their_quantiles() -> None:
    both = histogram({"0.1": 90, "+Inf": 90}, name="ft") + histogram({"0.02": 3300, "+Inf": 3300}, name="it")
    sample = only(both, "ft_count 0\nit_count 0\n")
    assert (sample.first_token_p50_us, sample.first_token_p99_us) == (50_000, 99_000)
    assert (sample.inter_token_p50_us, sample.inter_token_p99_us) == (10_000, 19_800)


def test_models_have_samples_of_their_own_from_the_page_on_that_names_two() -> None:
    a, b = 'model="a",', 'model="b",'
    before = "r_total{model=\"a\"} 5\n" + histogram({"10": 5, "20": 5, "+Inf": 5}, a)  # fmt: skip
    now = (
        'r_total{model="a"} 15\nr_total{model="b"} 3\n'
        + histogram({"10": 5, "20": 15, "+Inf": 15}, a)
        + histogram({"10": 3, "20": 3, "+Inf": 3}, b)
    )
    assert len(samples_of("s1", NAMES, read_page(before, NAMES), None)) == 1
    whole, one, two = samples_of("s1", NAMES, read_page(now, NAMES), read_page(before, NAMES))
    assert [(s.entity, s.requests) for s in (whole, one, two)] == [
        ("service:s1", 18), ("model:s1/a", 15), ("model:s1/b", 3),
    ]  # fmt: skip
    assert spread(one) == (15000, 10000, 20000, 19900, 10000, 20000)
    assert spread(two) == (5000, 0, 10000, 9900, 0, 10000)
    assert (whole.latency_p50_low_us, whole.latency_p50_high_us) == (10000, 20000)


TIMES = st.lists(st.integers(0, 100), max_size=30)
REPLICAS = st.lists(st.tuples(TIMES, TIMES, st.booleans()), min_size=1, max_size=4)


def printed(times: list[int], replica: int) -> str:
    counts = {str(bound): sum(one <= bound for one in times) for bound in (5, 20, 60)}
    return histogram({**counts, "+Inf": len(times)}, f'replica="{replica}",')


@given(REPLICAS)
def test_the_bounds_hold_the_true_quantiles_over_replicas_of_which_some_restart(
    replicas: list[tuple[list[int], list[int], bool]],
) -> None:
    before, now, came = "", "", []
    for replica, (old, new, restarts) in enumerate(replicas):
        seen_to_restart = restarts and len(new) < len(old)
        before += printed(old, replica)
        now += printed(new if seen_to_restart else old + new, replica)
        came += new
    sample = only(now, before)
    if not came:
        assert spread(sample) == (None,) * 6
        return
    p50, low, high, p99, p99_low, p99_high = spread(sample)
    for percent, at_least, at_most in ((50, low, high), (99, p99_low, p99_high)):
        true = sorted(came)[-(-len(came) * percent // 100) - 1] * 1000
        assert at_least is not None
        assert at_least <= true
        assert at_most is None or true <= at_most
    assert (p50 is None, p99 is None) == (high is None, p99_high is None)
