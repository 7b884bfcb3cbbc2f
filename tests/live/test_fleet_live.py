"""Three real agents before a real Prometheus: the rules load and speak, and `nodewright fleet` says what is to be said."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.agent.running import Agent, agent, command, prefork_server
from tests.live.debian import NoDebianError
from tests.live.prometheus import RunningPrometheus, prometheus, scraping

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yaml"
LEAST_SAMPLES = 12
pytestmark = pytest.mark.live


class Fleet(NamedTuple):
    agents: list[Agent]
    server: RunningPrometheus
    port: int
    """Of the service that all three see."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "rules.yaml").write_text(re.sub(r"for: \w+", "for: 1s", RULES.read_text()))
    price = folder / "price.toml"
    price.write_text('[prices]\ncurrency = "EUR"\nhourly = 2.0\n')
    with ExitStack() as stack:
        port = stack.enter_context(prefork_server(folder / "server"))
        agents = [
            stack.enter_context(agent(folder / f"agent-{n}", "--no-sidecar", "--config", str(price), wait=False))
            for n in range(3)
        ]
        targets = [f"127.0.0.1:{one.port}" for one in agents]
        try:
            server = stack.enter_context(prometheus(folder, scraping(targets, folder / "rules.yaml")))
        except NoDebianError as problem:
            pytest.skip(str(problem))
        own = f'nodewright_service_worker_processes{{service=~".*:{port}"}}'
        enough = f"count(count_over_time({own}[5m]) >= {LEAST_SAMPLES}) >= 3"
        server.wait_for(enough, bool)
        yield Fleet(agents, server, port)


def test_the_rules_load_and_record_figures_of_the_three(fleet: Fleet) -> None:
    groups = fleet.server.get("/api/v1/rules")["groups"]
    wrong = {rule["name"]: rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")}
    assert wrong == {}
    assert sum(len(group["rules"]) for group in groups) == RULES.read_text().count("expr:")
    found = fleet.server.wait_for("instance:nodewright_node_used_cores:ratio", lambda result: len(result) == 3)
    assert all(0 <= float(one["value"][1]) <= 1.01 for one in found)


def test_fleet_tells_of_the_service_on_three_nodes_and_what_is_missing(fleet: Fleet) -> None:
    done = subprocess.run(
        command("fleet", "--prometheus", fleet.server.url, "--since", "5min", "--format", "json"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["data"]
    assert (told["node_count"], told["notes"]) == (3, [])
    missing = {(one["kind"], one["service"]): one["needs"] for one in told["inconclusive"]}
    [service] = {one for _, one in missing if one and one.endswith(f":{fleet.port}")}
    assert "5 nodes" in missing["outlier", service]
    assert "capacity on none of 3 nodes" in missing["headroom", service]
    for one in (*told["items"], *told["inconclusive"]):
        for promql in one["promql"]:
            fleet.server.query(promql)


def test_an_agent_that_ends_is_told_by_its_rule(fleet: Fleet) -> None:
    """The last of this file."""
    gone = fleet.agents[2]
    gone.process.terminate()
    assert gone.process.wait(10) == 0
    firing = 'ALERTS{alertname="NodewrightAgentDown",alertstate="firing"}'
    [alert] = fleet.server.wait_for(firing, bool)
    assert alert["metric"]["instance"] == f"127.0.0.1:{gone.port}"
