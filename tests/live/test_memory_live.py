"""The rules on memory against real servers below a real limit, watched by a real agent."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.inside.memory import ProcessMemory, read_memory
from collectors.procfs import parse_stat
from tests.agent.running import Agent, agent
from tests.live.servers import MEMORY_CGROUPS, ONE_THREAD, gunicorn, load, memory_limit

MIB = 1 << 20
FILE_BYTES = 192 * MIB
LIMIT_BYTES = 128 * MIB

pytestmark = [
    pytest.mark.live,
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.access(MEMORY_CGROUPS / "cgroup.procs", os.W_OK), reason="needs root and cgroup v1 to set a memory limit"
    ),
    pytest.mark.skipif(not os.path.exists("/proc/pressure/memory"), reason="needs pressure stall information"),
]


@pytest.fixture(scope="module")
def watching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with agent(tmp_path_factory.mktemp("agent")) as running:
        yield running


@contextmanager
def model_file(folder: Path) -> Iterator[Path]:
    """A model of one tensor that nobody has in memory: pages are charged to the cgroup that reads them first."""
    path = folder / "model.safetensors"
    header = json.dumps({"w": {"dtype": "U8", "shape": [FILE_BYTES], "data_offsets": [0, FILE_BYTES]}}).encode()
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(FILE_BYTES // MIB):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        yield path
    finally:
        path.unlink()


def findings(document, name: str) -> dict[str, dict]:
    return {f["rule"]: f for f in document["findings"] if f["subject"]["name"] == name}


@pytest.mark.heavy
def test_a_mapped_model_larger_than_its_limit_is_named_with_the_limit_that_it_needs(
    watching: Agent, tmp_path: Path
) -> None:
    with (
        model_file(tmp_path) as path,
        memory_limit(LIMIT_BYTES) as enter,
        gunicorn(
            tmp_path, workers=1, env={**ONE_THREAD, "MODEL_FILE": str(path)}, before=enter, app="mapped:app"
        ) as port,
        load(port, "closed", "4"),
    ):
        name = f"gunicorn/mapped:{port}"

        def named(document):
            own = findings(document, name)
            return {"memory-pressure", "swap-or-major-faults"} <= own.keys()

        own = findings(watching.wait_for("/v1/advice", named, seconds=90), name)
    cause, symptom = own["memory-pressure"], own["swap-or-major-faults"]
    assert cause["rank"] == 1
    assert symptom["because_of"] == cause["id"]
    assert "the files that it maps do not fit" in cause["title"]
    (change,) = cause["changes"]
    assert (change["lever"], change["current"]) == ("memory_limit", LIMIT_BYTES)
    assert FILE_BYTES < change["proposed"] < 2 * FILE_BYTES
    assert change["how"][0]["key"] == "memory.limit_in_bytes"
    evidence = {e["metric"]: e["observed"] for e in cause["evidence"]}
    assert evidence["memory_limit_hits_per_second"] > 100


@pytest.mark.heavy
def test_a_leak_towards_a_limit_is_named_after_a_minute_of_load(watching: Agent, tmp_path: Path) -> None:
    env = {**ONE_THREAD, "LEAK_KIB": "512", "MOST_MIB": "800"}
    with (
        memory_limit(1024 * MIB) as enter,
        gunicorn(tmp_path, workers=1, env=env, before=enter, app="keeps:app") as port,
        load(port, "open", "10", "1"),
    ):
        name = f"gunicorn/keeps:{port}"
        document = watching.wait_for("/v1/advice", lambda d: "oom-eta" in findings(d, name), seconds=110)
        found = findings(document, name)["oom-eta"]
    evidence = {e["metric"]: e for e in found["evidence"]}
    assert evidence["memory_growth"]["observed"] == pytest.approx(5 * MIB, rel=0.25)
    assert evidence["memory_growth"]["window_seconds"] < 100
    assert evidence["memory_limit"]["observed"] == 1024 * MIB
    assert found["severity"] in ("low", "high")


@pytest.mark.heavy
def test_workers_that_are_killed_for_memory_are_named(watching: Agent, tmp_path: Path) -> None:
    env = {**ONE_THREAD, "LEAK_KIB": "4096", "MOST_MIB": "400"}
    with (
        memory_limit(192 * MIB) as enter,
        gunicorn(tmp_path, workers=1, env=env, before=enter, app="keeps:app") as port,
        load(port, "open", "10", "1"),
    ):
        name = f"gunicorn/keeps:{port}"
        document = watching.wait_for("/v1/advice", lambda d: "oom-eta" in findings(d, name), seconds=90)
        found = findings(document, name)["oom-eta"]
    assert "killed for memory at its limit of 192 MiB" in found["title"]
    assert found["severity"] == "high"
    assert [c["lever"] for c in found["changes"]] in (["memory_limit"], ["recycle_after"])


@pytest.mark.heavy
@pytest.mark.parametrize("preloaded", [False, True])
def test_copies_in_workers_are_named_and_those_that_they_share_are_not(
    watching: Agent, tmp_path: Path, preloaded: bool
) -> None:
    arguments = ["--preload"] if preloaded else []
    with gunicorn(
        tmp_path, workers=2, env={**ONE_THREAD, "HELD_MIB": "300"}, arguments=arguments, app="keeps:app"
    ) as port:
        name = f"gunicorn/keeps:{port}"

        def looked_at(document):
            workers = [w for w in watching.get("/v1/workers") if w["service"] == name and w["role"] == "worker"]
            return len(workers) == 2 and (preloaded or "model-replicated-per-worker" in findings(document, name))

        own = findings(watching.wait_for("/v1/advice", looked_at, seconds=60), name)
        private = measured_private(watching, name)
    if preloaded:
        assert max(private) < 100 * MIB
        assert "model-replicated-per-worker" not in own
    else:
        assert min(private) > 300 * MIB
        found = own["model-replicated-per-worker"]
        assert [(c["lever"], c["proposed"]) for c in found["changes"]] == [("preload", True)]
        assert found["changes"][0]["how"][0]["key"] == "--preload"
        assert found["gains"][0]["p50"] < 0.8


def measured_private(watching: Agent, name: str) -> list[int]:
    """What each worker has of its own, counted here."""
    host = Host.real()
    found = []
    for worker in watching.get("/v1/workers"):
        if worker["service"] == name and worker["role"] == "worker":
            started = parse_stat(host.read(f"/proc/{worker['pid']}/stat")).started
            memory = read_memory(host, WorkerKey(worker["pid"], started))
            assert isinstance(memory, ProcessMemory)
            found.append(memory.private_dirty_bytes or 0)
    return found
