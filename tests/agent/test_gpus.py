"""The daemon on a node with GPUs: a stand-in for NVML says what a driver would, and a real server's workers are on it."""

import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.running import Agent, agent, command, prefork_server
from tests.nvml import COMPILER, Scenario, build, clock, environment
from tests.programs.driver_build import build_driver

pytestmark = pytest.mark.skipif(COMPILER is None, reason="the stand-in for NVML needs a C compiler")

GIB = 1 << 30
UNKNOWN = 999_999
"""A process of another PID namespace."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.getbasetemp() / "nvml")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp() / "driver"
    folder.mkdir(exist_ok=True)
    return build_driver(folder)


@pytest.fixture
def server(tmp_path: Path, driver: Path) -> Iterator[str]:
    """Its processes have a driver mapped, as those that use a GPU do: where the tests run in a PID namespace of their own,
    numbers count for such alone."""
    with prefork_server(tmp_path / "server", environ={"LD_PRELOAD": str(driver)}) as port:
        yield f"gunicorn/shop:{port}"


def node(*pids: int) -> Scenario:
    """One card on which these processes hold 3 GiB each, and one of a namespace that is not ours."""
    told = Scenario()
    card = told.card("GPU-7b1c", name="NVIDIA H100 80GB HBM3", memory_total=80 * GIB, memory_reserved=GIB // 2)
    told.set(card, "memory.used", 3 * GIB * len(pids) + GIB).set(card, "memory.free", 60 * GIB)
    told.set(card, "busy", 97).set(card, "busy.memory", 34).set(card, "power", 512_000).set(card, clock("sm"), 1440)
    told.set(card, "gpm.support", 1).set(card, "gpm.2", 23.5).set(card, "gpm.10", 12.25)
    for pid in pids:
        told.process(card, pid, 3 * GIB, "compute", sm=40, mem=10)
    told.process(card, UNKNOWN, None, "compute")
    return told


def watching(tmp_path: Path, library: Path, told: Scenario) -> Any:
    told.write(tmp_path / "scenario")
    (tmp_path / "config.toml").write_text('[gpu]\nalways = ["nvidia"]\n')
    arguments = ("--no-sidecar", "--config", str(tmp_path / "config.toml"))
    return agent(tmp_path / "a", *arguments, environ=environment(library, tmp_path / "scenario"))


def workers_of(running: Agent, service: str) -> list[dict[str, Any]]:
    found = running.wait_for("/v1/workers", lambda found: sum(w["service"] == service for w in found) == 3)
    return [w for w in found if w["service"] == service and w["role"] == "worker"]


def reader(of: dict[str, Any]) -> dict[str, Any]:
    return next((r for r in of["gpu_readers"] if r["name"] == "nvidia"), {"state": None})


def seconds_until(running: Agent, state: str) -> float:
    began = time.monotonic()
    running.wait_for("/v1/node", lambda of: reader(of)["state"] == state, 15)
    return time.monotonic() - began


def test_devices_services_and_workers_say_what_is_on_the_gpu(tmp_path: Path, library: Path, server: str) -> None:
    told = node()
    with watching(tmp_path, library, told) as running:
        pids = [w["pid"] for w in workers_of(running, server)]
        node(*pids).write(tmp_path / "scenario")
        found = running.wait_for("/v1/node", lambda of: of["gpus"] and len(of["gpus"][0]["processes"]) == 3)
        (gpu,) = found["gpus"]
        assert (gpu["uuid"], gpu["name"], gpu["state"]) == ("GPU-7b1c", "NVIDIA H100 80GB HBM3", "ok")
        assert gpu["memory_total_bytes"] == 80 * GIB
        assert gpu["memory_used_bytes"] == 7 * GIB
        assert gpu["memory_unknown_bytes"] == GIB
        assert gpu["temperature_celsius"] is None, "what is not given is not zero"
        assert gpu["unknown_processes"] == 1
        joined = {p["pid"]: (p["service"], p["memory_bytes"], p["joined"]) for p in gpu["processes"]}
        assert joined == dict.fromkeys(pids, (server, 3 * GIB, True)) | {UNKNOWN: (None, None, False)}
        running.wait_for("/v1/node", lambda of: of["gpus"][0]["sm_active_ratio"] == 0.235)
        service = running.wait_for("/v1/services", lambda found: (of_name(found, server)["gpu_sm_ratio"] or 0) > 0.7)
        assert of_name(service, server)["gpu_memory_bytes"] == 6 * GIB
        assert of_name(service, server)["gpu_contexts"] == 2
        assert of_name(service, server)["gpus"] == ["GPU-7b1c"]
        assert {w["gpu_memory_bytes"] for w in workers_of(running, server)} == {3 * GIB}
        text = running.text("/metrics")
        assert 'nodewright_gpu_memory_used_bytes{gpu="GPU-7b1c"} 7.516192768e+09' in text
        assert f'nodewright_service_gpu_memory_bytes{{service="{server}"}}' in text
        assert 'nodewright_gpu_reader_state{reader="nvidia",state="ok"} 1.0' in text
        assert "nodewright_gpu_temperature_celsius{" not in text
        of_gpus = [line for line in text.splitlines() if line.startswith(("nodewright_gpu", "nodewright_service_gpu"))]
        labels = {name for line in of_gpus for name in re.findall(r'(\w+)="', line)}
        known = {"gpu", "service", "slot", "reader", "state", "index", "name", "vendor", "architecture", "driver"}
        assert labels <= known, "no pid is one of them"
    shard = next((tmp_path / "a").glob("raw-*.db"))
    with sqlite3.connect(shard) as raw:
        used = raw.execute("SELECT max(memory_used_bytes) FROM gpu").fetchone()[0]
        assert used == 7 * GIB
        assert raw.execute("SELECT count(*) FROM gpu_process WHERE memory_bytes IS NULL").fetchone()[0] >= 1


def of_name(services: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(s for s in services if s["name"] == name)


def test_a_hang_and_a_loss_are_told_in_time_and_pass_while_the_beat_is_kept(
    tmp_path: Path, library: Path, server: str
) -> None:
    told = node()
    with watching(tmp_path, library, told) as running:
        seconds_until(running, "ok")
        told.hang("*", "nvmlDeviceGetUtilizationRates").write(tmp_path / "scenario")
        assert seconds_until(running, "unresponsive") <= 5.0
        during = running.wait_for(
            "/v1/node", lambda of: "nvmlDeviceGet" in reader(of)["detail"] or "UtilizationRates" in reader(of)["detail"]
        )
        assert during["gpus"] == [] or during["gpus"][0]["busy_ratio"] == 0.97, "what is shown was read"
        told.mend("*", "nvmlDeviceGetUtilizationRates").write(tmp_path / "scenario")
        assert seconds_until(running, "ok") <= 5.0
        told.fail("*", "*", "GPU_IS_LOST").write(tmp_path / "scenario")
        assert seconds_until(running, "lost") <= 5.0
        told.mend("*", "*").write(tmp_path / "scenario")
        seconds_until(running, "ok")
        status = running.get("/v1/self")
        assert status["late_ticks"] <= 2, (
            "the CPU's samples come in time all the while, but for what a shared machine does"
        )
        assert status["ticks"] >= 8
        assert [r["restarts"] for r in status["readers"] if r["name"] == "nvidia"] == [0]


def test_a_node_without_a_driver_runs_no_reader(tmp_path: Path) -> None:
    with agent(tmp_path / "a", "--no-sidecar") as running:
        found = running.wait_for("/v1/node", lambda of: len(of["gpu_readers"]) >= 1 and of["collectors"])
        here = [r for r in found["gpu_readers"] if r["state"] != "absent"]
        assert here == []
        assert all(r["cpu_seconds"] is None and r["resident_bytes"] is None for r in found["gpu_readers"])
        assert "nodewright_gpu_reader" not in running.text("/metrics")


def test_a_recording_holds_the_gpus_and_is_replayed(tmp_path: Path, library: Path) -> None:
    told = node()
    told.write(tmp_path / "scenario")
    (tmp_path / "config.toml").write_text('[gpu]\nalways = ["nvidia"]\n')
    output = tmp_path / "node.rec"
    record = command("record", "--output", str(output), "--seconds", "4", "--config", str(tmp_path / "config.toml"))
    subprocess.run(record, check=True, timeout=60, env=environment(library, tmp_path / "scenario"), capture_output=True)
    copy = tmp_path / "copy.rec"
    shutil.copy(output, copy)
    from agent.config_sources import load_config
    from agent.played import play
    from agent.snapshots import Snapshots

    played = play(load_config(), copy)
    (gpu,) = Snapshots(played).take(1).node.gpus
    assert (gpu.uuid, gpu.memory_used_bytes, gpu.busy_ratio) == ("GPU-7b1c", GIB, 0.97)
