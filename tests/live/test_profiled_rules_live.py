"""The rules that rest on profiles, each against a real server that has its fault, watched by a real agent."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.demo.environment import prepare
from agent.demo.processes import Programs
from agent.demo.serving import LOAD
from tests.agent.running import free_port
from tests.live.environments import environment
from tests.live.recognised import mlserver, server
from tests.live.servers import HERE, ONE_THREAD, Neighbours, gunicorn, load, program

CPUS = len(os.sched_getaffinity(0))
needs_two = pytest.mark.skipif(CPUS < 2, reason="needs two CPUs")
pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.heavy, needs_two]


@contextmanager
def one_process_of_many_threads(folder: Path) -> Iterator[str]:
    arguments = ["-k", "gthread", "--threads", "8"]
    env = {**ONE_THREAD, "KIND": "interpreted"}
    with gunicorn(folder, workers=1, env=env, arguments=arguments, app="kinds:app") as port, load(port, "closed", "8"):
        yield f"gunicorn/kinds:{port}"


@contextmanager
def waiting_for_another_server(folder: Path) -> Iterator[str]:
    remote = free_port()
    env = {**ONE_THREAD, "KIND": "waiting", "DOWNSTREAM": f"http://127.0.0.1:{remote}/"}
    with (
        program([sys.executable, str(HERE / "slow_answer.py"), str(remote)]),
        gunicorn(folder, workers=2, env=env, app="kinds:app") as port,
        load(port, "closed", "16"),
    ):
        yield f"gunicorn/kinds:{port}"


@contextmanager
def json_around_a_sum(folder: Path) -> Iterator[str]:
    env = {**ONE_THREAD, "KIND": "parsing"}
    with gunicorn(folder, workers=CPUS, env=env, app="kinds:app") as port, load(port, "closed", str(2 * CPUS)):
        yield f"gunicorn/kinds:{port}"


@contextmanager
def a_coroutine_that_computes(folder: Path) -> Iterator[str]:
    port = free_port()
    argv = [environment("web") / "uvicorn", "--port", str(port), "--no-access-log", "blocking_app:app"]
    with server(argv, folder, port, "/who") as running, load(running.port, "open", "8", "2"):
        yield f"uvicorn/blocking_app:{running.port}"


@contextmanager
def a_light_model_behind_a_pool(folder: Path) -> Iterator[str]:
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1.5, 2.5, 3.5, 4.5]}]}
    with Programs() as setting_up:
        programs = prepare(setting_up, print)
    with mlserver(programs, folder, 1, {"WAIT_SECONDS": "0"}) as running:
        wanted = {
            "port": running.port, "path": "/v2/models/waiting/infer", "body": json.dumps(body), "connections": 8,
            "seconds": 120,
        }  # fmt: skip
        with program([sys.executable, str(LOAD), json.dumps(wanted)]):
            yield f"mlserver/{running.folder.name}:{running.port}"


FAULTS = [
    ("gil-bound-worker", one_process_of_many_threads, [("workers", 1, CPUS)]),
    ("io-bound-workers", waiting_for_another_server, [("request_threads", 1, None)]),
    ("serialisation-heavy", json_around_a_sum, [("payload_format", "JSON", None)]),
    ("event-loop-blocked", a_coroutine_that_computes, [("loop_offload", None, None)]),
    ("ipc-dominates-light-model", a_light_model_behind_a_pool, [("workers", 1, 0)]),
]


LONGEST = ("event-loop-blocked", "io-bound-workers", "ipc-dominates-light-model", "serialisation-heavy")


@pytest.mark.parametrize(
    ("rule", "fault", "expected"),
    [pytest.param(*each, id=each[0], marks=[pytest.mark.heavy] if each[0] in LONGEST else []) for each in FAULTS],
)
def test_the_fault_is_named_first_from_what_the_workers_do(watching, tmp_path, rule, fault, expected):
    with fault(tmp_path) as name:

        def named(document):
            own = [f for f in document["findings"] if f["subject"]["name"] == name and f["severity"] != "info"]
            return own and min(own, key=lambda f: f["rank"])["rule"] == rule

        neighbours = Neighbours()
        try:
            document = watching.wait_for("/v1/advice", named, seconds=90)
        except AssertionError:
            if neighbours.stolen_ratio > 0.05:
                pytest.skip(f"{neighbours.stolen_ratio:.0%} of this machine's CPU was stolen meanwhile")
            raise
        own = [f for f in document["findings"] if f["subject"]["name"] == name]
        found = next(f for f in own if f["rule"] == rule)
        for lever, current, proposed in expected:
            change = next(c for c in found["changes"] if c["lever"] == lever)
            assert current is None or change["current"] == current
            assert proposed is None or change["proposed"] == proposed
        assert found["evidence"]
        assert found["rejected"]
        others = [
            f["rule"] for f in own
            if f["severity"] != "info" and f["rule"] not in (rule, "cpu-noisy-neighbour") and not f["because_of"]
        ]  # fmt: skip
        assert others == []
        kept = watching.get("/v1/profiles")
        assert any(profile["service"] == name for profile in kept)
