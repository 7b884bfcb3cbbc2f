"""What do pages say in the words of a MetricMap: sums over labels, selections, histograms, models, damage?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.metric_map import Distribution, MetricMap, series
from collectors.pages import serving_page
from collectors.pages.quantiles import Buckets
from collectors.pages.serving_page import MODEL_LIMIT, Page, read_page
from collectors.reading import Unreadable
from tests.captures import FIXTURES

RAY = (FIXTURES / "metrics/ray_metrics.prom").read_text()
BENTOML = (FIXTURES / "metrics/bentoml_metrics.prom").read_text()
EVERYTHING = MetricMap(
    requests=(series("r_total"),),
    errors=(series("r_total", code="5.."),),
    latency=Distribution(of=(series("l_seconds"),)),
    queue=(series("q"),),
    queue_time=Distribution(total=(series("w_us"),), count=(series("w_count"),), scale=1e-6),
    kv_cache=(series("kv"),),
    model_label="model",
)


def values(names: MetricMap, *lines: str) -> dict[str, float]:
    return read_page("\n".join(lines), names).service.values


@pytest.mark.parametrize("declared", ["nv_ok", "nv_ok_total"])
@pytest.mark.parametrize("printed", ["nv_ok", "nv_ok_total"])
def test_a_trailing_total_counts_on_neither_side(declared: str, printed: str) -> None:
    page = (f'{printed}{{model="a"}} 5', f'{printed}{{model="b",version="2"}} 6', "nv_ok_created 1.7e+09")
    assert values(MetricMap(requests=(series(declared),)), *page) == {"requests": 11.0}


def test_a_counter_that_is_printed_in_both_ways_counts_once() -> None:
    alias = ('ray_ok{route="/a",code="200"} 31', 'ray_ok{route="/b",code="200"} 9')
    counter = ('ray_ok_total{route="/a",code="200"} 31', 'ray_ok_total{route="/b",code="200"} 9')
    names = MetricMap(requests=(series("ray_ok", code="2.."),), errors=(series("ray_ok", code="5.."),))
    for page in ((*alias, *counter), (*counter, *alias), counter, alias):
        assert values(names, *page) == {"requests": 40.0, "errors": 0.0}


def test_of_a_gauge_and_a_counter_of_one_name_each_counts_where_it_is_meant() -> None:
    page = ("waiting 3", "waiting_total 500")
    assert values(MetricMap(queue=(series("waiting"),)), *page) == {"queue": 3.0}
    assert values(MetricMap(requests=(series("waiting"),)), *page) == {"requests": 500.0}


@pytest.mark.parametrize("declared", ["vllm:iteration_tokens", "vllm:iteration_tokens_total"])
def test_a_histogram_may_itself_end_in_total(declared: str) -> None:
    page = (
        "# TYPE vllm:iteration_tokens_total histogram",
        'vllm:iteration_tokens_total_bucket{le="1.0"} 0.0',
        'vllm:iteration_tokens_total_bucket{le="+Inf"} 3.0',
        "vllm:iteration_tokens_total_count 3.0",
        "vllm:iteration_tokens_total_sum 24.0",
        "vllm:iteration_tokens_total_created 1.7951861989365396e+09",
    )
    names = MetricMap(
        batch_size=Distribution(of=(series(declared),)), latency=Distribution(of=(series(declared),), scale=2.0)
    )
    page_read = read_page("\n".join(page), names).service
    assert page_read.values == {
        "batch_size.sum": 24.0, "batch_size.count": 3.0, "latency.sum": 24.0, "latency.count": 3.0,
    }  # fmt: skip
    only = {("vllm:iteration_tokens_total_bucket", ""): Buckets((1.0, float("inf")), (0.0, 3.0))}
    assert page_read.spread == {"latency": only}


def test_a_selection_must_match_the_whole_value_and_a_missing_label_is_empty() -> None:
    page = ('r_total{code="200"} 7', 'r_total{code="500"} 2', 'r_total{code="5000"} 1', "r_total 4")
    assert values(MetricMap(requests=(series("r", code="2.."),)), *page) == {"requests": 7.0}
    assert values(MetricMap(requests=(series("r", code="5..|"),)), *page) == {"requests": 6.0}
    assert values(MetricMap(requests=(series("r", code="2..", route=""),)), *page) == {"requests": 7.0}
    many = MetricMap(requests=(series("r", code="200"), series("r", code="500")))
    assert values(many, *page) == {"requests": 9.0}


def test_values_that_are_no_numbers_do_not_count() -> None:
    names = MetricMap(requests=(series("r"),), in_flight=(series("g"),), queue=(series("q"),), tokens_in=(series("t"),))
    page = ("r 3", 'r{a="1"} NaN', 'r{a="2"} +Inf', 'g{a="1"} -Inf', 't_total{a="1"} NaN')
    assert values(names, *page) == {"requests": 3.0}


def test_gauges_add_up_but_the_fullest_cache_counts() -> None:
    page = ('q{engine="0"} 2', 'q{engine="1"} 3', 'kv{engine="0"} 0.25', 'kv{engine="1"} 0.75', 'kv{engine="2"} 0.5')
    assert values(EVERYTHING, *page) == {"queue": 5.0, "kv_cache": 0.75}


def test_a_counter_that_is_declared_and_has_no_series_has_counted_nothing() -> None:
    assert values(EVERYTHING, "# TYPE r_total counter", "# TYPE q gauge", "# TYPE l_seconds histogram") == {
        "requests": 0.0, "errors": 0.0, "latency.sum": 0.0, "latency.count": 0.0,
    }  # fmt: skip
    assert values(EVERYTHING, 'r_total{code="200"} 7') == {"requests": 7.0, "errors": 0.0}
    counted = MetricMap(requests=(series("p_seconds_count"),))
    assert values(counted, "# TYPE p_seconds histogram") == {"requests": 0.0}


def test_two_counters_make_a_distribution() -> None:
    assert values(EVERYTHING, 'w_us{m="a"} 1500', 'w_us{m="b"} 500', "w_count 4") == {
        "queue_time.total": 2000.0,
        "queue_time.number": 4.0,
    }


def test_lines_may_end_and_hold_what_other_parsers_take_for_the_end_of_a_line() -> None:
    page = 'r_total{path="a\x0b\x85\u2028b"} 3\r\n  r_total 4 1700000000000\r\n'
    assert read_page(page, EVERYTHING).service.values["requests"] == 7.0


def test_a_page_of_another_server_is_refused() -> None:
    for page in ("", "hello", "# TYPE vllm:x counter\nvllm:x 1\n", "<html>r_total</html>", "r_totally 5"):
        with pytest.raises(Unreadable, match="none of the server's metrics"):
            read_page(page, EVERYTHING)


def test_a_page_is_known_by_its_marks_where_there_are_any() -> None:
    names = MetricMap(requests=(series("requests_total"),), marks=("nv_",))
    for line in ("nv_gpu_utilization 0.5", "# TYPE nv_inference counter", "# HELP nv_inference Of all."):
        assert read_page(f"{line}\n", names) == Page(serving_page.Totals())
    with pytest.raises(Unreadable, match="none of the server's metrics"):
        read_page("requests_total 5\n", names)


@pytest.mark.parametrize(
    "line", ['r_total{code="2', "r_total", "r_total x", 'r_total{code="200"}', "r_total{code=2} 1"]
)
def test_a_wanted_line_that_is_damaged_makes_the_page_unreadable(line: str) -> None:
    with pytest.raises(Unreadable, match="the page is damaged"):
        read_page(f"q 1\n{line}\n", EVERYTHING)
    assert read_page(f"q 1\nun{line}\n", EVERYTHING).service.values == {"queue": 1.0}


def test_recorded_pages_are_summed_over_routes_and_replicas() -> None:
    names = MetricMap(
        requests=(series("ray_serve_deployment_request_counter_total"),),
        latency=Distribution(of=(series("ray_serve_deployment_processing_latency_ms"),), scale=1e-3),
    )
    ray = read_page(RAY, names).service
    assert ray.values == {"requests": 31.0, "latency.sum": 825.0, "latency.count": 31.0}
    spread = ray.spread["latency"]
    assert spread is not None
    assert sorted(one.counts[4:7] for one in spread.values()) == [(7.0, 16.0, 17.0), (8.0, 14.0, 14.0)]
    every = MetricMap(
        requests=(series("bentoml_service_request", http_response_code="[23].."),),
        errors=(series("bentoml_service_request", http_response_code="[45]..", endpoint="/predict"),),
        in_flight=(series("bentoml_service_request_in_progress"),),
    )
    assert read_page(BENTOML, every).service.values == {"requests": 25.0, "errors": 0.0, "in_flight": 0.0}


def test_buckets_are_told_by_their_other_labels_in_whatever_order_and_form() -> None:
    lines = (
        'l_seconds_bucket{le="1.0",path="a,le=",kind="x"} 1',
        r'l_seconds_bucket{path="a,le=", le="+Inf",kind="x"} 2',
        r'l_seconds_bucket{kind="y",path="le=\"1\"",le="1"} 3',
        r'l_seconds_bucket{le="inf",path="le=\"1\"",kind="y"} 4',
    )
    spread = read_page("\n".join(lines), MetricMap(latency=EVERYTHING.latency, marks=("l_",))).service.spread["latency"]
    assert spread == {
        ("l_seconds_bucket", "kind=x\x1fpath=a,le="): Buckets((1.0, float("inf")), (1.0, 2.0)),
        ("l_seconds_bucket", 'kind=y\x1fpath=le="1"'): Buckets((1.0, float("inf")), (3.0, 4.0)),
    }


def test_a_histogram_whose_end_is_not_told_has_no_spread() -> None:
    page = 'l_seconds_sum 5\nl_seconds_bucket{le="1"} 3\nl_seconds_bucket{le="x"} 3\nl_seconds_bucket{} 3\n'
    found = read_page(page, EVERYTHING).service
    assert (found.values["latency.sum"], found.spread) == (5.0, {"latency": None})


def test_too_many_buckets_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    page = "l_seconds_sum 5\n" + "".join(f'l_seconds_bucket{{path="{n}",le="+Inf"}} 1\n' for n in range(11))
    assert len(read_page(page, EVERYTHING).service.spread["latency"] or ()) == 11
    monkeypatch.setattr(serving_page, "BUCKET_LIMIT", 10)
    assert read_page(page, EVERYTHING).service.spread == {"latency": None}


def test_models_are_told_apart_where_there_are_several() -> None:
    lines = [
        'r_total{model="b",code="200"} 5',
        'r_total{model="b",code="500"} 1',
        'r_total{model="a",code="200"} 7',
        'q{model="a"} 2',
        "q 1",
        'l_seconds_bucket{model="a",le="+Inf"} 7',
        'l_seconds_bucket{model="b",le="+Inf"} 6',
        'r_total{model="",code="200"} 9',
    ]
    page = read_page("\n".join(lines), EVERYTHING)
    assert page.service.values == {"requests": 22.0, "errors": 1.0, "queue": 3.0}
    assert {name: one.values for name, one in page.models.items()} == {
        "a": {"requests": 7.0, "errors": 0.0, "queue": 2.0},
        "b": {"requests": 6.0, "errors": 1.0},
    }
    assert page.models["a"].spread == {"latency": {("l_seconds_bucket", "model=a"): Buckets((float("inf"),), (7.0,))}}
    assert read_page(lines[2] + "\n" + lines[4], EVERYTHING).models == {}


def test_of_many_models_the_known_ones_stay() -> None:
    page = "".join(f'r_total{{model="m{n:03}"}} 1\n' for n in range(100))
    first = read_page(page, EVERYTHING)
    assert list(first.models) == [f"m{n:03}" for n in range(MODEL_LIMIT)]
    assert first.service.values["requests"] == 100.0
    page += "".join(f'r_total{{model="a{n:03}"}} 1\n' for n in range(100))
    assert set(read_page(page, EVERYTHING, first.models).models) == set(first.models)
    assert list(read_page(page, EVERYTHING, ["m099"]).models)[:2] == ["m099", "a000"]


def test_names_of_models_are_short_and_printable() -> None:
    page = f'r_total{{model="{"x" * 500}"}} 1\nr_total{{model="{"x" * 400}"}} 2\nr_total{{model="a\x1b[2J\\n"}} 4\n'
    found = read_page(page, EVERYTHING).models
    assert {name: one.values["requests"] for name, one in found.items()} == {"x" * 80: 3.0, "a?[2J?": 4.0}


@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                *RAY.splitlines()[360:400],
                'r_total{code="500"} 1',
                'l_seconds_bucket{le="1"} 5',
                "q -3",
                "kv 7",
                "w_us NaN",
            ]
        )
    ).flatmap(lambda lines: st.integers(0, 4000).map(lambda end: "\n".join(lines)[:end]))
    | st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "replace"))
)
def test_garbage_raises_nothing_but_unreadable(page: str) -> None:
    for names in (
        EVERYTHING,
        MetricMap(latency=Distribution(of=(series("ray_serve_deployment_processing_latency_ms"),))),
    ):
        try:
            read_page(page, names)
        except Unreadable:
            pass


@pytest.mark.parametrize(
    "line",
    [
        'r_total{code="%s"} 1' % ("x" * (4 << 20)),
        "r_total{" + 'a="",' * (800 << 10),
        "r_total" * (600 << 10),
        'l_seconds_bucket{le="%s"} 1' % ("1" * (4 << 20)),
        'l_seconds_bucket{le="' * (200 << 10),
        "q " + "9" * (4 << 20),
    ],
    ids=["value", "labels", "name", "bound", "quotes", "number"],
)  # fmt: skip
def test_huge_lines_end_in_a_value_or_in_a_short_reason(line: str) -> None:
    refusal = None
    try:
        assert read_page(line + "\nr_total 2", EVERYTHING).service.values["requests"] in (2.0, 3.0)
    except Unreadable as state:
        refusal = state
    assert refusal is None or len(refusal.reason) < 300
