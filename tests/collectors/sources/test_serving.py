"""The metrics page of a server that answers well, and of servers that do not."""

import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

import msgspec
import pytest

from collectors.app_metrics import APP_METRICS
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.host import Host
from collectors.metric_map import Distribution, MetricMap, series
from collectors.pages import metrics_page
from collectors.pages.serving_page import read_page
from collectors.pages.serving_samples import samples_of
from collectors.reading import Instant, Unreadable
from collectors.registry import framework_named
from collectors.sample import fields_of
from collectors.sources.serving import ServingCollector, ServingSample
from tests.answering import Pages, says, server
from tests.captures import FIXTURES, process, service_of
from tests.pages import sample_of_page

PAGE = (FIXTURES / "metrics/mlserver_metrics.prom").read_text()


class Known(Framework):
    """A framework whose metrics stand here, whatever an installed one may ask of the same page."""

    evidence = "captured"
    metrics: ClassVar[MetricMap | None] = MetricMap(
        requests=(series("model_infer_request_success"),),
        errors=(series("model_infer_request_failure"),),
        latency=Distribution(of=(series("model_infer_request_duration"),)),
        queue_length=Distribution(of=(series("parallel_request_queue"),)),
        in_flight=(series("rest_server_requests_in_progress"),),
        batch_size=Distribution(of=(series("batch_request_queue"),)),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        return None

    def traits(self, processes: object, facts: Facts) -> Traits:
        return Traits(application="x")


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(name: str) -> Framework | None:
        return Known() if name == "known" else framework_named(name)

    monkeypatch.setattr("collectors.sources.serving.framework_named", named)


def service(url: str | None, own_id: str = "aa", framework: str = "known") -> Service:
    made = service_of(framework, (process(1, "mlserver", "start", "."), Role.FRONT_END))
    return msgspec.structs.replace(made, id=own_id, metrics_urls=(url,) if url else ())


def problem(url: str) -> str:
    """Why a page gives no sample."""
    collector = ServingCollector()
    assert collector.collect(Host(), [service(url)]) == []
    return collector.problems["aa"].reason


def test_a_recorded_page_is_summed_over_its_labels() -> None:
    with server(says(PAGE)) as url:
        collector = ServingCollector()
        (sample,) = collector.collect(Host(), [service(url)])
    told = {name: value for name, value in msgspec.structs.asdict(sample).items() if value is not None}
    assert len(told.pop("source")) == 8
    assert told == {
        "entity": "service:aa", "requests": 61, "errors": 2, "latency_sum_us": 7152588, "latency_count": 63,
        "queue_length_sum": 42, "queue_length_count": 24, "batch_size_sum": 7, "batch_size_count": 62, "in_flight": 0,
    }  # fmt: skip
    assert collector.problems == {}


@pytest.mark.parametrize(
    ("name", "requests", "latency_us", "queue"),
    [("mlserver_metrics_grpc", 5, 320044, 7), ("mlserver_metrics_parallel0", 15, 480170, None)],
)
def test_series_that_a_page_does_not_have_are_not_zero(
    name: str, requests: int, latency_us: int, queue: int | None
) -> None:
    sample = sample_of_page(Known(), (FIXTURES / f"metrics/{name}.prom").read_text())
    assert (sample.requests, sample.errors, sample.queue_length_count) == (requests, 0, queue)
    assert sample.latency_sum_us == latency_us


def test_pages_that_are_no_metrics_are_refused() -> None:
    with server(says("<html>hello</html>", kind="text/html")) as url:
        assert "'text/html'" in problem(url)
    with server(says("hello")) as url:
        assert problem(url) == "the page holds none of the server's metrics"
    with server(says("# TYPE model_infer_request_success counter\nmodel_infer_request_success{x=\n")) as url:
        assert problem(url).startswith("the page is damaged")
    with server(says("", status=404)) as url:
        assert "answered 404" in problem(url)


def test_a_redirect_is_not_followed() -> None:
    asked = []

    def other(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)

    with server(other) as elsewhere, server(says("", status=302, Location=elsewhere)) as url:
        assert "answered 302" in problem(url)
    assert asked == []


def test_a_flood_ends_at_the_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_page, "SIZE_LIMIT_BYTES", 1 << 20)

    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b"# x\n" * 16384)

    with server(flood) as url:
        assert problem(url) == "the page is larger than 1 MiB"


def test_a_server_that_hangs_or_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_page, "TIMEOUT_SECONDS", 0.1)
    end = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        end.wait(10)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        while not end.wait(0.01):
            handler.wfile.write(b"H")

    for answer in (hang, drip):
        end.clear()
        with server(answer) as url:
            assert problem(url) == f"{url} did not answer within 0.1 s"
            end.set()


def test_one_bad_server_does_not_keep_the_others_from_being_read() -> None:
    with server(says("", status=500)) as bad, server(says(PAGE)) as good:
        collector = ServingCollector()
        samples = collector.collect(Host(), [service(bad, "bad"), service(good, "good"), service(None, "none")])
        assert [sample.entity for sample in samples] == ["service:good"]
        assert set(collector.problems) == {"bad"}
        collector.collect(Host(), [service(good, "good")])
        assert collector.problems == {}


def test_a_server_whose_application_decides_is_asked_only_at_a_configured_address() -> None:
    pages = Pages(metrics=(FIXTURES / "metrics/app_fastapi.prom").read_text())
    with server(pages) as url:
        collector = ServingCollector()
        (sample,) = collector.collect(Host(), [service(url, "g", "gunicorn"), service(None, "h", "gunicorn")])
    assert len(pages.asked) == 1
    assert collector.problems == {}
    assert (sample.entity, sample.requests, sample.errors, sample.latency_count) == ("service:g", 7, 2, 9)


@pytest.mark.parametrize("exporter", ["fastapi", "starlette", "flask"])
def test_pages_of_the_usual_exporters_count_requests_but_not_our_own(exporter: str) -> None:
    """Recorded: seven good requests, two that failed, and two of the metrics page itself."""
    page = (FIXTURES / f"metrics/app_{exporter}.prom").read_text()
    (parsed,) = samples_of("g", APP_METRICS, read_page(page, APP_METRICS), None)
    assert (parsed.requests, parsed.errors, parsed.latency_count) == (7, 2, 9)
    assert 0 < parsed.latency_sum_us < 100_000


class Seconds:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now_seconds = 0

    def now(self) -> Instant:
        return Instant(self.now_seconds * 1_000_000_000, 0)


def test_the_wait_of_a_silent_server_is_remembered_and_forgotten_with_it() -> None:
    pages, clock = Pages(), Seconds()
    with server(pages) as url:
        collector = ServingCollector()
        for clock.now_seconds in (0, 10, 20, 30):
            collector.collect(Host(clock=clock), [service(url)])
            assert collector.problems["aa"].reason == f"{url} answered 404"
        assert len(pages.asked) == 3
        collector.collect(Host(clock=clock), [])
        collector.collect(Host(clock=clock), [service(url)])
    assert len(pages.asked) == 4


def test_nothing_listening_is_a_reason() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert problem(f"http://127.0.0.1:{port}/metrics").endswith("Connection refused")


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.7/metrics",
        "http://example.com/metrics",
        "https://127.0.0.1/metrics",
        "file:///etc/passwd",
        "http://0.0.0.0:1/metrics",
        "http://127.0.0.1:99999/metrics",
        "http:///metrics",
        "",
    ],
)
def test_only_addresses_of_this_node_are_asked(url: str) -> None:
    with pytest.raises(Unreadable):
        metrics_page.fetch(url)


def test_a_request_cannot_be_smuggled_in_the_address() -> None:
    with server(says(PAGE)) as url, pytest.raises(Unreadable):
        metrics_page.fetch(url + "\u00a0x")


def test_chunked_answers_are_read() -> None:
    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        handler.wfile.write(b"4\r\n# TY\r\n5\r\nPE x \r\n0\r\n\r\n")

    with server(chunked) as url:
        assert metrics_page.fetch(url) == "# TYPE x "


@pytest.mark.parametrize(
    "rest", ["Content-Length: " + "9" * 30 + "\r\n\r\nx 1", "Transfer-Encoding: chunked\r\n\r\n" + "f" * 30 + "\r\nx"]
)
def test_a_length_beyond_all_memory_is_refused(rest: str) -> None:
    def boasts(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{rest}".encode())

    with server(boasts) as url, pytest.raises(Unreadable, match="no proper HTTP"):
        metrics_page.fetch(url)


def test_json_is_taken_only_where_it_is_asked_for() -> None:
    with server(says("{}", kind="application/json")) as url:
        assert metrics_page.fetch(url, json=True) == "{}"
        with pytest.raises(Unreadable, match="no metrics page"):
            metrics_page.fetch(url)
    with server(says("x 1")) as url:
        assert metrics_page.fetch(url, json=True) == "x 1"


def test_the_sample_declares_its_units() -> None:
    names = {spec.name: (spec.metric_name, spec.unit, spec.scale, spec.counter) for spec in fields_of(ServingSample)}
    assert names["latency_sum_us"] == ("latency_sum_seconds", "seconds", 1e-6, True)
    assert names["latency_p99_high_us"] == ("latency_p99_high_seconds", "seconds", 1e-6, False)
    assert names["kv_cache_ppm"] == ("kv_cache_ratio", "ratio", 1e-6, False)
    assert names["model_bytes"] == ("model_bytes", "bytes", 1.0, False)


def test_neither_an_http_client_nor_a_parser_is_loaded_before_there_is_a_page() -> None:
    program = "import sys, collectors.sources.serving; print({'http.client', 'prometheus_client'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
