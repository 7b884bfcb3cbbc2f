"""BentoML, LitServe, Ray Serve, llama-server and llama-cpp-python: recognised, grouped, and counted as their clients count."""

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from collectors.entities import Role, Service
from collectors.registry import framework_named
from collectors.sources.serving import ServingCollector
from tests.live.client import Request, closed_loop
from tests.live.environments import environment
from tests.live.heavy import bentoml, litserve, llama_cpp_python, llama_server, ray_serve
from tests.live.recognised import Running
from tests.live.watch import Watch, Window, mean_us, print_row, roles

GOOD, BAD, CONNECTIONS = 112, 16, 8
MEAN_TOLERANCE = 0.05
CPU_TOLERANCE = 0.10
TOKENS = 64

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.heavy]


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.close()


@contextmanager
def running(
    start: Callable[[Path, Path], AbstractContextManager[Running]], name: str, folder: Path
) -> Iterator[Running]:
    with start(environment(name), folder / "server") as found:
        yield found


def predict(value: float, **more: bool) -> Request:
    return Request(path="/predict", body=json.dumps({"value": value, **more}))


def post(port: int, path: str, body: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def check_counts(name: str, watch: Watch, service: Service, port: int) -> tuple[float | None, float]:
    """Counts and median are right; (mean by the server, mean by the client) in microseconds for the caller."""
    closed_loop(port, [predict(1.0), predict(-1.0)], 1)  # so that every series is there before
    Window(watch, service).after(2)
    window = Window(watch, service)
    answers = closed_loop(port, [predict(1.0)] * GOOD + [predict(-1.0)] * BAD, CONNECTIONS)
    well = answers.of("200")
    after = window.after(GOOD + BAD)
    print_row(name, window.before, after, answers, well)
    assert answers.codes == {"200": GOOD, "500": BAD}
    assert (after.requests - window.before.requests, after.errors - window.before.errors) == (GOOD, BAD)
    assert after.latency_count - window.before.latency_count == GOOD
    assert after.latency_p50_low_us <= well.p50_us <= after.latency_p50_high_us
    return mean_us(window.before, after), well.mean_us


def test_bentoml(watch: Watch, tmp_path: Path) -> None:
    with running(bentoml, "bentoml", tmp_path) as server:
        service = watch.find(server.pid, lambda s: roles(s) == {Role.FRONT_END: 1, Role.WORKER: 2})
        assert service.name == f"bentoml/Waiting:{server.port}"
        assert service.front_end is not None
        assert service.front_end.pid == server.pid
        assert [model.name for model in service.models] == ["Waiting"]
        ours, clients = check_counts("bentoml", watch, service, server.port)
        assert ours == pytest.approx(clients, rel=MEAN_TOLERANCE)


def test_ray_serve(watch: Watch, tmp_path: Path) -> None:
    with running(ray_serve, "ray", tmp_path) as server:
        service = watch.find(server.pid, lambda s: roles(s).get(Role.WORKER) == 2 and bool(s.metrics_urls))
        assert (service.framework, service.application) == ("ray-serve", "waiting")
        assert service.port in (server.port, None)  # the proxy listens on a port for Ray too
        assert roles(service)[Role.GATEWAY] == 1
        assert [model.name for model in service.models] == ["Waiting"]
        assert all(w.process.argv[0].startswith("ray::ServeReplica:waiting:Waiting") for w in service.serving)
        ours, _ = check_counts("ray-serve", watch, service, server.port)
        assert ours is None  # Ray's agent makes its sums from the middles of the buckets


def test_litserve(watch: Watch, tmp_path: Path) -> None:
    with running(litserve, "litserve", tmp_path) as server:
        service = watch.find(server.pid, lambda s: roles(s).get(Role.WORKER) == 2)
        assert service.name == f"litserve/litserve_app:{server.port}"
        assert roles(service) == {Role.FRONT_END: 1, Role.WORKER: 2, Role.GATEWAY: 3, Role.SUPPORT: 1}
        assert list(ServingCollector().collect(watch.host, [service])) == []
        ask = Request(path="/predict", body='{"who": true}')
        own, ours = cpu_of_workers(server.port, service), watch.cpu_seconds(service)
        burn = Request(path="/predict", body='{"burn": true}')
        assert closed_loop(server.port, [burn] * GOOD, CONNECTIONS).codes == {"200": GOOD}
        own_after, ours_after = cpu_of_workers(server.port, service), watch.cpu_seconds(service)
        for pid in own:
            counted, read = own_after[pid] - own[pid], ours_after[pid] - ours[pid]
            print(f"litserve worker {pid}: {counted:6.2f} s counted itself, {read:6.2f} s read")
            assert read == pytest.approx(counted, rel=CPU_TOLERANCE, abs=0.05)
        assert closed_loop(server.port, [ask], 1).codes == {"200": 1}


def cpu_of_workers(port: int, service: Service) -> dict[int, float]:
    """CPU time of each worker, as it tells itself."""
    found: dict[int, float] = {}
    for _ in range(200):
        told = post(port, "/predict", {"who": True})
        found[int(told["pid"])] = told["cpu_seconds"]
        if len(found) == len(service.serving):
            return found
    raise AssertionError(f"only {sorted(found)} answer")


def test_llama_server(watch: Watch, tmp_path: Path) -> None:
    with running(lambda *where: llama_server(*where, "--metrics"), "llama-server", tmp_path) as server:
        service = watch.find(server.pid, lambda s: bool(s.models) and bool(s.models[0].files))
        assert service.name == f"llama-server/tiny:{server.port}"
        assert roles(service) == {Role.FRONT_END: 1}
        (model,) = service.models
        assert (model.format, model.files[0].architecture) == ("gguf", "llama")
        before = Window(watch, service).before
        with ThreadPoolExecutor(2) as pool:
            ask = {"n_predict": TOKENS, "cache_prompt": False, "ignore_eos": True}
            bodies = [{"prompt": "a" * (10 + number % 7), **ask} for number in range(GOOD)]
            told = list(pool.map(lambda body: post(server.port, "/completion", body), bodies))
        after = Window(watch, service).before
        tokens_in, tokens_out = (sum(each[name] for each in told) for name in ("tokens_evaluated", "tokens_predicted"))
        seconds = sum(each["timings"]["predicted_ms"] for each in told) / 1e3
        counted_seconds = (after.inter_token_sum_us - before.inter_token_sum_us) / 1e6
        print(
            f"llama-server {GOOD} sent, tokens in {tokens_in} / {after.tokens_in - before.tokens_in} counted, out "
            f"{tokens_out} / {after.tokens_out - before.tokens_out}, generating {seconds:.3f} s / {counted_seconds:.3f} s"
        )
        assert after.tokens_in - before.tokens_in == tokens_in
        assert after.tokens_out - before.tokens_out == tokens_out == GOOD * TOKENS
        assert after.inter_token_count - before.inter_token_count == tokens_out
        assert counted_seconds == pytest.approx(seconds, rel=MEAN_TOLERANCE)
        assert (after.in_flight, after.queue, after.requests, after.latency_count) == (0, 0, None, None)


def test_llama_server_without_metrics_says_which_flag_is_missing(watch: Watch, tmp_path: Path) -> None:
    with running(llama_server, "llama-server", tmp_path) as server:
        service = watch.find(server.pid, lambda s: s.framework == "llama-server")
        framework = framework_named("llama-server")
        assert framework is not None
        assert [gap.turn_on for gap in framework.gaps(service, watch.discovery.facts)] == ["--metrics"]
        assert list(ServingCollector().collect(watch.host, [service])) == []


def test_llama_cpp_python_is_a_python_server_of_its_own_kind(watch: Watch, tmp_path: Path) -> None:
    with running(llama_cpp_python, "llama-cpp-python", tmp_path) as server:
        service = watch.find(server.pid, lambda s: s.port == server.port)
        assert (service.framework, service.application) == ("generic", "server")
        assert roles(service) == {Role.FRONT_END: 1}
        assert post(server.port, "/v1/completions", {"prompt": "a", "max_tokens": 4})["object"] == "text_completion"
