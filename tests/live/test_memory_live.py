"""The rules on memory against real servers below a real limit, watched by a real agent."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
