"""MLServer, from no worker to three, over REST and gRPC: recognised, grouped, and counted as its clients count."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.demo.environment import prepare
from agent.demo.processes import Programs
from collectors.entities import Role, Service
from collectors.levers import Lever
from collectors.places import settings_of
from tests.live.client import Answers, Request, closed_loop
from tests.live.recognised import APPS, Running, mlserver
from tests.live.watch import Watch, Window, mean_us, print_row, roles

GOOD, BAD, CONNECTIONS = 112, 16, 8
INFER = "/v2/models/waiting/infer"
MEAN_TOLERANCE = 0.05

pytestmark = [pytest.mark.live, pytest.mark.slow]


@dataclass
class Served:
    running: Running
    service: Service
    watch: Watch
    workers: int
    programs: Path
    grpc_port: int


@pytest.fixture(scope="module")
def programs() -> Path:
    with Programs() as setting_up:
        return prepare(setting_up, print)


@pytest.fixture(
    scope="module", params=[0, pytest.param(1, marks=pytest.mark.heavy), 2, 3], ids=lambda workers: f"{workers}-workers"
)
def served(
    request: pytest.FixtureRequest, programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("models")
    watch = Watch()
    with mlserver(programs, folder, request.param) as running:
        grpc_port = json.loads((folder / "settings.json").read_text())["grpc_port"]
        service = watch.find(running.pid, lambda s: roles(s).get(Role.WORKER, 0) == request.param and bool(s.models))
        yield Served(running, service, watch, request.param, programs, grpc_port)
    watch.close()


def infer(value: float) -> Request:
    tensor = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [value]}
    return Request(path=INFER, body=json.dumps({"inputs": [tensor]}))


def over_rest(served: Served, good: int, bad: int) -> Answers:
    return closed_loop(served.running.port, [infer(1.0)] * good + [infer(-1.0)] * bad, CONNECTIONS)


def over_grpc(served: Served, good: int, bad: int) -> Answers:
    client = [str(served.programs / "python"), str(APPS / "mlserver_grpc.py"), str(served.grpc_port), "waiting"]
    done = subprocess.run(
        [*client, *map(str, (CONNECTIONS, good, bad))], capture_output=True, timeout=120, check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return Answers(json.loads(done.stdout))


def test_it_is_recognised_with_its_workers(served: Served) -> None:
    service, folder = served.service, served.running.folder
    assert service.name == f"mlserver/{folder.name}:{served.running.port}"
    assert (service.framework, service.application, service.calls) == ("mlserver", folder.name, "asynchronous")
    expected = {Role.FRONT_END: 1}
    if served.workers:
        expected |= {Role.WORKER: served.workers, Role.SUPPORT: 1}
    assert roles(service) == expected
    assert service.front_end is not None
    assert service.front_end.pid == served.running.pid
    assert len(service.serving) == max(1, served.workers)
    (model,) = service.models
    assert (model.name, model.runtime) == ("waiting", "mlserver_model.WaitingModel")
    held = {s.lever: (s.value, s.origin) for s in settings_of(service, served.watch.discovery.facts)}
    assert held[Lever.WORKERS] == (served.workers, "file settings.json")
    assert held[Lever.MAX_BATCH_SIZE] == (0, "default")
    assert held[Lever.METRICS] == ("/metrics", "default")


@pytest.mark.parametrize("over", [over_rest, over_grpc], ids=["rest", "grpc"])
def test_what_it_counts_is_what_its_clients_saw(served: Served, over) -> None:
    over(served, 1, 1)  # so that every series is there before
    window = Window(served.watch, served.service)
    answers = over(served, GOOD, BAD)
    after = window.after(GOOD + BAD)
    print_row(f"mlserver {served.workers} {over.__name__}", window.before, after, answers, answers)
    assert answers.number == GOOD + BAD
    assert sorted(answers.codes.values()) == [BAD, GOOD]
    assert after.requests - window.before.requests == GOOD
    assert after.errors - window.before.errors == BAD
    assert after.latency_count - window.before.latency_count == GOOD + BAD
    assert mean_us(window.before, after) == pytest.approx(answers.mean_us, rel=MEAN_TOLERANCE)
    assert after.latency_p50_low_us <= answers.p50_us <= after.latency_p50_high_us
    queue_seen = None if served.workers == 0 else GOOD + BAD
    before_queue, after_queue = window.before.queue_length_count, after.queue_length_count
    assert (None if after_queue is None else after_queue - before_queue) == queue_seen
    assert after.batch_size_count is None


def test_a_pool_of_its_own_and_a_batch_are_seen(programs: Path, tmp_path: Path) -> None:
    variables = {"MLSERVER_MODEL_MAX_BATCH_SIZE": "4"}
    more = {"max_batch_time": 0.02, "parameters": {"inference_pool_gid": "own"}}
    watch = Watch()
    with mlserver(programs, tmp_path / "models", 1, variables, **more) as running:
        service = watch.find(running.pid, lambda s: roles(s).get(Role.WORKER) == 2 and bool(s.models))
        held = {s.lever: (s.value, s.origin) for s in settings_of(service, watch.discovery.facts)}
        assert held[Lever.WORKERS] == (1, "file settings.json")
        assert held[Lever.MODEL_POOL] == (2, "file model-settings.json")
        assert held[Lever.MAX_BATCH_SIZE] == (4, "env MLSERVER_MODEL_MAX_BATCH_SIZE")
        assert held[Lever.MAX_BATCH_DELAY] == (0.02, "file model-settings.json")
        closed_loop(running.port, [infer(1.0)], 1)
        window = Window(watch, service)
        answers = closed_loop(running.port, [infer(1.0)] * 40, CONNECTIONS)
        after = window.after(40)
        assert answers.codes == {"200": 40}
        assert after.requests - window.before.requests == 40
        assert 10 <= after.queue_length_count - window.before.queue_length_count < 40  # batches, not requests
        assert after.batch_size_count is None
    watch.close()
