"""A real server is set otherwise, without a hint: the agent names what was changed, and measures what its clients count."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.demo.environment import prepare
from agent.demo.processes import Programs
from agent.demo.serving import free_ports
from tests.agent.running import Agent, free_port
from tests.live.counted_load import Counted, counted_load
from tests.live.recognised import server
from tests.live.servers import CPU_CGROUPS, ONE_THREAD, cpu_quota, gunicorn

CPUS = len(os.sched_getaffinity(0))
CLIENTS = 8
BEFORE_SECONDS = 18.0
"""Of load: three stretches of five seconds."""
COMPARED_SECONDS = 70.0
"""So many connections as here are looked at every half a minute, and the first look tells nothing of the load alone."""
pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(CPUS < 2, reason="needs two CPUs"),
]


def outcomes(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Of one service, the oldest first."""
    return [one for one in document["outcomes"] if one["service"] == name][::-1]


def changes(outcome: Mapping[str, Any]) -> list[tuple[str, object, object]]:
    return [(change["lever"], change["old"], change["new"]) for change in outcome["changes"]]


def wait_until_known(watching: Agent, name: str, seconds: float = BEFORE_SECONDS) -> None:
    """Until it is under load, and what it did before the change has been seen."""
    watching.wait_for(
        "/v1/services", lambda found: any(s["name"] == name and s["state"] == "loaded" for s in found), seconds=40
    )
    time.sleep(seconds)


def named(watching: Agent, name: str) -> dict[str, Any]:
    """The first change that was noticed."""
    return outcomes(watching.wait_for("/v1/outcomes", lambda found: outcomes(found, name)), name)[0]


def compare(watching: Agent, name: str, clients: Counted, since: float, left: float) -> None:
    """The measured ratio with the one that the clients counted from `since` to `left`, and from some time after it."""
    noticed = time.monotonic()
    document = watching.wait_for("/v1/outcomes", lambda found: outcomes(found, name)[0]["final"], seconds=150)
    counted = clients.per_second(noticed + 10, time.monotonic()) / clients.per_second(since, left)
    (outcome,) = outcomes(document, name)
    measured = next(m for m in outcome["measured"] if m["metric"] == "throughput_ratio")
    print(name, outcome["state"], outcome["because"], "clients:", counted)
    assert measured["ratio"] == pytest.approx(counted, rel=0.3)


def workers_of(watching: Agent, name: str) -> list[int]:
    return [w["pid"] for w in watching.get("/v1/workers") if w["service"] == name and w["role"] == "worker"]


@contextmanager
def restarted(
    watching: Agent, folder: Path, old: Mapping[str, Any], new: Mapping[str, Any], seconds: float
) -> Iterator[tuple[Any, ...]]:
    """A server under load that ends and comes back at the same port, set otherwise."""
    port = free_port()
    name = f"gunicorn/mlp:{port}"
    with counted_load(port, CLIENTS) as clients:
        with gunicorn(folder, port=port, **old):
            since = time.monotonic()
            wait_until_known(watching, name, seconds)
            left = time.monotonic()
        with gunicorn(folder, port=port, **new):
            yield name, clients, since + 3, left


THREADS = ({"workers": CPUS}, {"workers": CPUS, "env": ONE_THREAD}, ("compute_threads", "default", 1))
WORKERS = ({"workers": 1, "env": ONE_THREAD}, {"workers": CPUS, "env": ONE_THREAD}, ("workers", 1, CPUS))


def test_a_restart_with_other_threads_is_named_with_the_old_and_the_new_value(watching, tmp_path):
    old, new, change = THREADS
    with restarted(watching, tmp_path, old, new, BEFORE_SECONDS) as (name, *_):
        outcome = named(watching, name)
    assert changes(outcome) == [change]
    assert outcome["because"] == "waits for load after the change"


@pytest.mark.heavy
@pytest.mark.parametrize(("old", "new", "change"), [THREADS, WORKERS], ids=["threads", "workers"])
def test_what_a_restart_brought_is_what_the_clients_counted(watching, tmp_path, old, new, change):
    with restarted(watching, tmp_path, old, new, COMPARED_SECONDS) as (name, clients, since, left):
        assert changes(named(watching, name)) == [change]
        compare(watching, name, clients, since, left)


@pytest.mark.heavy
def test_a_mask_that_is_set_in_place_is_named_and_measured(watching, tmp_path):
    with gunicorn(tmp_path, workers=2, env=ONE_THREAD) as port, counted_load(port, CLIENTS) as clients:
        name, since = f"gunicorn/mlp:{port}", time.monotonic()
        wait_until_known(watching, name, COMPARED_SECONDS)
        left = time.monotonic()
        for pid in workers_of(watching, name):
            subprocess.run(["taskset", "-acp", "0", str(pid)], check=True, capture_output=True)
        assert changes(named(watching, name)) == [("affinity", f"0-{CPUS - 1}", "0")]
        compare(watching, name, clients, since + 3, left)


@pytest.mark.heavy
@pytest.mark.root
@pytest.mark.skipif(not os.access(CPU_CGROUPS / "cgroup.procs", os.W_OK), reason="needs root and cgroup v1")
def test_a_quota_that_is_set_in_place_is_named_and_measured(watching, tmp_path):
    with (
        cpu_quota(0.5) as enter,
        gunicorn(tmp_path, workers=2, env=ONE_THREAD, before=enter) as port,
        counted_load(port, CLIENTS) as clients,
    ):
        name, since = f"gunicorn/mlp:{port}", time.monotonic()
        wait_until_known(watching, name, COMPARED_SECONDS)
        left = time.monotonic()
        (CPU_CGROUPS / f"nodewright-test-{os.getpid()}" / "cpu.cfs_quota_us").write_text("100000")
        assert changes(named(watching, name)) == [("cpu_quota", 0.5, 1.0)]
        compare(watching, name, clients, since + 3, left)


@pytest.mark.heavy
def test_a_batch_size_in_a_settings_file_counts_from_the_restart(watching, tmp_path):
    with Programs() as setting_up:
        programs = prepare(setting_up, print)
    http, grpc, metrics = free_ports(3)
    folder = tmp_path / "models"
    (folder / "waiting").mkdir(parents=True)
    ports = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    (folder / "settings.json").write_text(json.dumps({"debug": False, "parallel_workers": 0, **ports}))
    model = {"name": "waiting", "implementation": "mlserver_model.WaitingModel", "platform": "none"}
    settings = folder / "waiting" / "model-settings.json"
    name, ready = f"mlserver/models:{http}", "/v2/models/waiting/ready"
    tensor = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}
    body = json.dumps({"inputs": [tensor]})
    argv, more = [programs / "mlserver", "start", "."], {"WAIT_SECONDS": "0.01"}
    settings.write_text(json.dumps(model))
    with counted_load(http, CLIENTS, "/v2/models/waiting/infer", body):
        with server(argv, folder, http, ready, more):
            wait_until_known(watching, name)
            settings.write_text(json.dumps({**model, "max_batch_size": 4, "max_batch_time": 0.02}))
            time.sleep(8)
            assert outcomes(watching.get("/v1/outcomes"), name) == []
        with server(argv, folder, http, ready, more):
            found = named(watching, name)
    assert ("max_batch_size", 0, 4) in changes(found)
    assert {lever for lever, _, _ in changes(found)} == {"max_batch_size", "max_batch_delay"}


@pytest.mark.heavy
def test_what_leaves_the_settings_as_they_were_is_no_change(watching, tmp_path):
    """Workers that are killed, recycled, or replaced, and a restart; the change after all of these is the only one."""
    port = free_port()
    name, old = f"gunicorn/mlp:{port}", {"workers": 2, "env": ONE_THREAD}
    with counted_load(port, CLIENTS):
        with gunicorn(tmp_path, port=port, **old, arguments=["--max-requests", "200"]):
            wait_until_known(watching, name)
            for number in (signal.SIGKILL, signal.SIGTERM):
                os.kill(workers_of(watching, name)[0], number)
                time.sleep(10)
        with gunicorn(tmp_path, port=port, **old, arguments=["--max-requests", "200"]):
            time.sleep(15)
            assert outcomes(watching.get("/v1/outcomes"), name) == []
        with gunicorn(tmp_path, port=port, workers=3, env=ONE_THREAD, arguments=["--max-requests", "200"]):
            found = named(watching, name)
    assert changes(found) == [("workers", 2, 3)]
    assert len(outcomes(watching.get("/v1/outcomes"), name)) == 1
