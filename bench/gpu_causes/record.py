"""Does the advice hold for services on a GPU? Each fault is recorded under load, mended as advised, and measured both ways.

    python bench/gpu_causes/record.py FOLDER [--seconds 28] [--pairs 2] [--measured 3] [CAUSE ...]

Needs a GPU, and torch, Pillow, gunicorn and MLServer in the interpreter that runs it. Writes `CAUSE.db`, the recording of
each fault (`nodewright advise --recording` judges it), and `measured.json`: requests a second before and after in pairs, and
memory. Servers are on loopback and are ended by pid.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from agent.demo.launch import DemoError, clean_environment
from agent.demo.processes import Programs, members, process_table
from agent.demo.serving import LOAD, free_ports, wait_until_ready
from bench.gpu_causes.causes import CAUSES, Cause, Setup, body_of, path_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
START_SECONDS = 40.0
WARM_SECONDS = 0.7
FIRST_SECONDS = 6.0
"""Until each worker has its context and its model, under load from as many clients as would find all of them."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@contextmanager
def served(setup: Setup, folder: Path) -> Iterator[tuple[int, int]]:
    """The pid of what was started, and the port that answers."""
    folder.mkdir(parents=True, exist_ok=True)
    http, grpc, metrics = free_ports(3)
    if setup.model is None:
        argv = ["gunicorn", "--chdir", str(HERE), "-b", f"127.0.0.1:{http}", "-w", str(setup.workers), "app:app"]
        ready = "/health"
    else:
        ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics}
        settings = {"host": "127.0.0.1", "debug": False, "parallel_workers": setup.workers, **ports}
        (folder / "settings.json").write_text(json.dumps(settings))
        model = {"name": "net", "implementation": "net_model.NetModel", "platform": "none", **setup.model}
        (folder / "net").mkdir(exist_ok=True)
        (folder / "net" / "model-settings.json").write_text(json.dumps(model))
        argv, ready = ["mlserver", "start", "."], "/v2/models/net/ready"
    environment = {
        **clean_environment(os.environ),
        **ONE_THREAD,
        "KIND": setup.kind,
        "FOLDER": str(folder),
        "PYTHONPATH": str(HERE),
    }
    log = folder / "server.log"
    with Programs() as programs:
        program = programs.start(
            [str(Path(sys.executable).with_name(argv[0])), *argv[1:]], env=environment, cwd=folder, log=log
        )
        wait_until_ready(program, f"http://127.0.0.1:{http}{ready}", START_SECONDS, log)
        yield program.pid, http


def load(setup: Setup, port: int, clients: int, seconds: float) -> subprocess.Popen[bytes]:
    wanted = {
        "port": port, "path": path_of(setup), "body": body_of(setup), "connections": clients, "seconds": seconds,
        "skip_seconds": WARM_SECONDS,
    }  # fmt: skip
    return subprocess.Popen([sys.executable, str(LOAD), json.dumps(wanted)], stdout=subprocess.PIPE)


def answer(program: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, _ = program.communicate(timeout=120)
    told: dict[str, Any] = json.loads(out)
    return told


def gpu_bytes(root: int) -> int | None:
    """Memory of the first device that the processes under `root` hold; None where the driver does not tell."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        own = {row.pid for row in members([root], process_table())}
        rows = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        return sum(row.usedGpuMemory or 0 for row in rows if row.pid in own)
    except Exception as problem:  # a bench: says so and goes on
        print(f"  device memory: {problem}", flush=True)
        return None


def proposed(advice: Mapping[str, Any], cause: Cause) -> tuple[Setup | None, list[dict[str, Any]]]:
    """What is measured as mended: the values that the finding proposes, in the setup of the cause."""
    found = [f for f in advice.get("findings", []) if f["rule"] == cause.rule]
    mended = cause.mended
    for change in found[0]["changes"] if found and mended is not None else ():
        name = cause.by.get(change["lever"])
        if name == "workers" and isinstance(change["proposed"], int):
            mended = replace(mended, workers=change["proposed"])
        elif name is not None and mended is not None and mended.model is not None:
            places = {place["key"]: place["value"] for place in change["how"]}
            if name in places:
                mended = replace(mended, model={**mended.model, name: json.loads(str(places[name]))})
    return mended, found


def observe(cause: Cause, folder: Path, recording: Path, seconds: float) -> dict[str, Any]:
    """The advice that the recorder gave at its end."""
    with served(cause.bad, folder / "seen") as (pid, port):
        loading = load(cause.bad, port, cause.clients, seconds + 6)
        time.sleep(2.0)
        watching = [sys.executable, str(ROOT / "nodewright.py"), "record", "--output", str(recording)]
        done = subprocess.run(
            [*watching, "--seconds", str(seconds)], check=False, capture_output=True, text=True,
            env={**os.environ, "XDG_STATE_HOME": str(folder / "state"), "XDG_RUNTIME_DIR": str(folder)},
        )  # fmt: skip
        memory = gpu_bytes(pid)
        loaded = answer(loading)
    if done.returncode:
        print(f"  record: {done.stderr.strip()[-400:]}", flush=True)
        return {"load": loaded, "memory": memory, "advice": {}}
    return {"load": loaded, "memory": memory, "advice": advice_of(recording)}


def advice_of(recording: Path) -> dict[str, Any]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(recording)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = 'advice'").fetchone()
    told: dict[str, Any] = json.loads(row[0]) if row else {}
    return told


def compare(cause: Cause, mended: Setup, folder: Path, pairs: int, seconds: float) -> dict[str, Any]:
    """Requests a second of both setups in turn, both servers up."""
    with served(cause.bad, folder / "before") as (_, before), served(mended, folder / "after") as (pid, after):
        rates: dict[str, list[dict[str, Any]]] = {"before": [], "after": []}
        first = [
            load(setup, port, 3 * max(cause.clients, setup.workers), FIRST_SECONDS)
            for setup, port in ((cause.bad, before), (mended, after))
        ]
        for each in first:
            answer(each)
        for number in range(pairs):
            turns = [("before", cause.bad, before), ("after", mended, after)]
            for name, setup, port in turns if number % 2 else reversed(turns):
                rates[name].append(answer(load(setup, port, cause.clients, seconds)))
        return {**rates, "workers": mended.workers, "model": mended.model, "memory": gpu_bytes(pid)}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("causes", nargs="*", default=list(CAUSES))
    parser.add_argument("--seconds", type=float, default=28.0)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--measured", type=float, default=3.0)
    parser.add_argument("--compare-only", action="store_true", help="with the cause's own mended setup, without advice")
    wanted = parser.parse_intermixed_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {}
    for name in wanted.causes:
        cause, began = CAUSES[name], time.monotonic()
        folder = Path("/tmp") / "gpu-causes" / name.replace(" ", "-")
        recording = wanted.folder / f"{name.replace(' ', '-')}.db"
        try:
            nothing: dict[str, Any] = {"load": None, "memory": None, "advice": {}}
            seen = nothing if wanted.compare_only else observe(cause, folder, recording, wanted.seconds)
            mended, found = proposed(seen["advice"], cause)
            others = [(f["rule"], f["severity"]) for f in seen["advice"].get("findings", [])]
            print(f"{name}: {seen['load']}; wanted {cause.rule}; found {others}", flush=True)
            for each in found:
                print(f"  {each['title']}; {[(c['lever'], c['proposed']) for c in each['changes']]}", flush=True)
                print(f"  {[(g['metric'], g['p10'], g['p50'], g['p90']) for g in each['gains']]}", flush=True)
            results[name] = {key: seen[key] for key in ("load", "memory")}
            if mended is not None:
                results[name]["compared"] = told = compare(cause, mended, folder, wanted.pairs, wanted.measured)
                rates = [[one["rps"] for one in told[side]] for side in ("before", "after")]
                print(f"  measured {rates}, memory {seen['memory']} -> {told['memory']}", flush=True)
        except (DemoError, subprocess.SubprocessError, OSError, ValueError, KeyError) as problem:
            print(f"{name}: {type(problem).__name__}: {problem}", flush=True)
        (wanted.folder / "measured.json").write_text(json.dumps(results, indent=1))
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
