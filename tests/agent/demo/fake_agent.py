"""An agent that advises one thread per worker for whatever model server of a demo runs, and nothing else."""

import json
import os
from typing import Any

from aiohttp import web

NOTHING = {"services": [], "findings": [], "inconclusive": []}


def server_pids(marker: str) -> list[int]:
    """The processes with `marker` in their command line."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as stream:
                line = stream.read()
        except OSError:
            continue
        if marker.encode() in line and f"/proc/{name}" != f"/proc/{os.getpid()}":
            found.append(int(name))
    return found


def finding(pids: list[int], how: list[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """A finding about `pids` as the contract writes it."""
    return {
        "id": "9f2c",
        "rank": 1,
        "rule": "cpu-oversubscribed-openmp",
        "severity": "high",
        "confidence": 0.86,
        "state": "open",
        "subject": {"kind": "service", "name": "mlserver/demo:8080", "pids": pids},
        "title": "2 workers x 2 threads share 2 cores",
        "summary": "They wait for each other.",
        "evidence": [
            {
                "metric": "waiting_cores",
                "unit": "cores",
                "observed": 1.9,
                "threshold": 0.5,
                "window_seconds": 15,
                "samples": 15,
            }
        ],
        "rejected": [{"cause": "cgroup-cpu-throttled", "because": "nr_throttled did not grow"}],
        "changes": [{"lever": "compute_threads", "current": 2, "proposed": 1, "restart": True, "how": how}],
        "gains": [
            {"metric": "throughput_ratio", "p10": 2.0, "p50": 3.0, "p90": 6.0},
            {"metric": "latency_p50_ratio", "p10": 0.1, "p50": 0.3, "p90": 0.6},
        ],
        "because_of": None,
        "first_seen": "2026-01-01T00:00:00Z",
        "last_seen": "2026-01-01T00:00:00Z",
        **changed,
    }


def place(kind: str, key: str, value: object, **changed: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "target": "mlserver",
        "key": key,
        "value": value,
        "effective": True,
        "because": None,
        **changed,
    }


def advice(findings: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": {"node": "n", "generated_at": "2026-01-01T00:00:00Z", **NOTHING, "findings": findings}}


def application(marker: str, how: list[dict[str, Any]]) -> web.Application:
    """Answers `/v1/advice` with a finding about the processes whose command line holds `marker`."""

    async def answer(_: web.Request) -> web.Response:
        pids = server_pids(marker)
        return web.Response(text=json.dumps(advice([finding(pids, how)] if pids else [])))

    app = web.Application()
    app.router.add_get("/v1/advice", answer)
    return app
