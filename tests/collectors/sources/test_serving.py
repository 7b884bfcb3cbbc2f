"""The metrics page of a server that answers well, and of servers that do not."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest

from collectors import metrics_page
from collectors.entities import Role, Service
from collectors.framework import MetricMap
from collectors.host import Host
from collectors.reading import Unreadable
from collectors.sources.serving import ServingCollector, ServingSample, read_page
from tests.captures import FIXTURES, process, service_of

PAGE = (FIXTURES / "metrics/mlserver_metrics.prom").read_text()
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """A server on loopback whose GET is `answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/metrics"
        finally:
            http.shutdown()
            thread.join()


def says(body: str | bytes, status: int = 200, kind: str = "text/plain; version=0.0.4", **headers: str) -> Answer:
    data = body.encode() if isinstance(body, str) else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def service(url: str | None, own_id: str = "aa", framework: str = "mlserver") -> Service:
    made = service_of(framework, (process(1, "mlserver", "start", "."), Role.FRONT_END))
    return msgspec.structs.replace(made, id=own_id, metrics_url=url)


def problem(url: str) -> str:
    """Why a page gives no sample."""
    collector = ServingCollector()
    assert collector.collect(Host(), [service(url)]) == []
    return collector.problems["aa"].reason


def test_a_recorded_page_is_summed_over_its_labels() -> None:
    with server(says(PAGE)) as url:
        collector = ServingCollector()
        samples = collector.collect(Host(), [service(url)])
    assert samples == [
        ServingSample(
            entity="service:aa",
            requests=61,
            errors=2,
            latency_sum_us=7152588,
            latency_count=63,
            queue_sum=42,
            queue_count=24,
            batch_sum=7,
            batch_count=62,
            in_flight=0,
        )
    ]
    assert collector.problems == {}


@pytest.mark.parametrize(
    ("name", "requests", "latency_us", "queue"),
    [("mlserver_metrics_grpc", 5, 320044, 7), ("mlserver_metrics_parallel0", 15, 480170, None)],
)
def test_series_that_a_page_does_not_have_are_not_zero(
    name: str, requests: int, latency_us: int, queue: int | None
) -> None:
    from collectors.frameworks.mlserver import MlServer

    assert MlServer.metrics is not None
    sample = read_page(service(None), MlServer.metrics, (FIXTURES / f"metrics/{name}.prom").read_text())
    assert (sample.requests, sample.errors, sample.queue_count) == (requests, 0, queue)
    assert sample.latency_sum_us == latency_us


def test_a_trailing_total_does_not_matter_and_created_series_do_not_count() -> None:
    page = (
        "# TYPE nv_success counter\nnv_success{model=\"a\"} 5\nnv_success{model=\"b\"} 6\n"
        "# TYPE nv_success_created gauge\nnv_success_created 1.7e+09\n"
        "# TYPE tokens_total histogram\ntokens_total_bucket{le=\"+Inf\"} 2\ntokens_total_count 2\ntokens_total_sum 8\n"
        "# TYPE wait counter\nwait_total 1500\n"
    )  # fmt: skip
    names = MetricMap(requests=("nv_success_total",), batch=("tokens_total",), in_flight=("wait",))
    sample = read_page(service(None), names, page)
    assert (sample.requests, sample.batch_sum, sample.batch_count, sample.in_flight) == (11, 8, 2, 1500)


def test_latency_is_turned_into_seconds() -> None:
    page = "# TYPE ms summary\nms_sum 12.5\nms_count 2\n"
    sample = read_page(service(None), MetricMap(latency=("ms",), latency_unit_seconds=1e-3), page)
    assert (sample.latency_sum_us, sample.latency_count) == (12500, 2)


def test_pages_that_are_no_metrics_are_refused() -> None:
    with server(says("<html>hello</html>", kind="text/html")) as url:
        assert "'text/html'" in problem(url)
    with server(says("hello")) as url:
        assert problem(url) == "the page holds no metrics"
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
        services = [service(bad, "bad"), service(good, "good"), service(None, "none"), service(good, "g", "gunicorn")]
        samples = collector.collect(Host(), services)
        assert [sample.entity for sample in samples] == ["service:good"]
        assert set(collector.problems) == {"bad", "g"}
        collector.collect(Host(), [service(good, "good")])
        assert collector.problems == {}


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


def test_the_sample_declares_its_units() -> None:
    from collectors.sample import fields_of

    assert {spec.name: spec.metric_name for spec in fields_of(ServingSample)}["latency_sum_us"] == "latency_sum_seconds"
