"""Does a real agent tell what it said at a moment that is past, also after it was killed, and nothing where it is not to?"""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.agent.running import Agent, agent, prefork_server

NO_PROFILES = {"NODEWRIGHT_PROFILING_ENABLED": "false"}
"""What a rule was told of them is not stored."""


def said(running: Agent, count: int) -> dict[str, dict[str, Any]]:
    """Documents of so many moments, by their time."""
    found: dict[str, dict[str, Any]] = {}
    while len(found) < count:
        at = running.wait_for("/v1/node", lambda node: node["at"] not in found)["at"]
        documents = {name: running.get(f"/v1/{name}") for name in ("services", "workers", "node", "advice")}
        if documents["node"]["at"] == at == running.get("/v1/node")["at"]:
            found[at] = documents
    return found


@pytest.mark.slow
def test_what_an_agent_said_is_told_again_after_it_was_killed(tmp_path: Path) -> None:
    with prefork_server(tmp_path / "server", environ={"SHARE": "0.4"}):
        with agent(tmp_path / "agent", "--no-sidecar", environ=NO_PROFILES) as first:
            first.wait_for("/v1/services", lambda services: any(one["state"] == "loaded" for one in services))
            live = said(first, 3)
            last = datetime.fromisoformat(max(live)).timestamp()
            begun = first.wait_for("/v1/timeline", lambda timeline: timeline["moments"][-1] >= last)
            first.process.kill()
        with agent(tmp_path / "agent", "--no-sidecar", environ=NO_PROFILES) as second:
            second.wait_for("/v1/services", lambda services: services)
            timeline = second.wait_for("/v1/timeline", lambda timeline: len(timeline["stretches"]) == 2)
            assert timeline["first"] == begun["first"]
            assert timeline["moments"][: len(begun["moments"])] == begun["moments"]
            restarted = timeline["stretches"][1]["first"] - 0.001  # moments are told to the millisecond
            for at, documents in live.items():
                second_of = datetime.fromisoformat(at).timestamp()
                (asked,) = (one for one in timeline["moments"] if second_of <= one < min(second_of + 1, restarted))
                then = {name: second.get(f"/v1/{name}?at={asked}", timeout=60) for name in documents}
                assert then["node"]["at"] == at
                assert then["services"] == documents["services"]
                assert then["node"]["cores"] == documents["node"]["cores"]
                assert then["advice"]["findings"] == documents["advice"]["findings"]
                for now, before in zip(then["workers"], documents["workers"], strict=True):
                    for known in (
                        "pid",
                        "slot",
                        "cores_used",
                        "waiting_cores",
                        "resident_bytes",
                        "threads",
                        "allowed_cpus",
                    ):
                        assert now[known] == before[known], (at, known)
            past = second.get("/v1/self")
            assert past["late_ticks"] is not None
            assert second.get(f"/v1/self?at={asked}")["late_ticks"] is None
            assert "past.before" in second.text("/v1/node?at=1000")
            assert second.get("/v1/node?at=9999999999")["past"] is None


def test_an_agent_that_is_to_keep_no_moments_says_so(tmp_path: Path) -> None:
    with agent(tmp_path, "--no-sidecar", environ={"NODEWRIGHT_STORE_MOMENTS": "false"}) as running:
        running.wait_for("/v1/self", lambda status: status["ticks"] >= 2)
        assert running.get(f"/v1/node?at={2**32}")["past"] is None
        for asked in ("timeline", "node?at=1000"):
            assert "past.not-kept" in running.text(f"/v1/{asked}")
