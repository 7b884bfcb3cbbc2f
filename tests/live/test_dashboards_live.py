"""Every query of the dashboards, asked of a real Prometheus that scrapes a real agent and a large node's page, has an answer,
and names no metric and no label that is not there."""

import importlib.util
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from agent.http.exposition import Exposition
from agent.http.page import Pages
from bench.large_node import LargeNode
from tests.agent.running import agent
from tests.live.debian import NoDebianError
from tests.live.prometheus import RunningPrometheus, prometheus, scraping

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards.py"
SELECTOR = re.compile(r"(nodewright_[a-z0-9_]+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|on|group_left)\s*\(([^)]*)\)")
pytestmark = [pytest.mark.live, pytest.mark.heavy]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboards", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


QUERIES = [
    (panel.title, query.expr, query.legend)
    for rows in (generator().FLEET, generator().NODE)
    for row in rows
    for panel in row.panels
    for query in panel.queries
]


@pytest.fixture(scope="module")
def large_node() -> Iterator[str]:
    """The address of a page with everything on it."""
    node, pages = LargeNode(), Pages()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            families = Exposition(node.snapshot, node.second(), node.cgroups).families()
            body, content_type = pages.written(families, self.headers.get("Accept", ""))
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(large_node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPrometheus]:
    folder = tmp_path_factory.mktemp("dashboards")
    with ExitStack() as stack:
        running = stack.enter_context(agent(folder / "agent", "--no-sidecar"))
        try:
            made = stack.enter_context(prometheus(folder, scraping([f"127.0.0.1:{running.port}", large_node])))
        except NoDebianError as problem:
            pytest.skip(str(problem))
        made.wait_for("count(count_over_time(nodewright_self_ticks_total[1m]) >= 4) == 2", bool)
        yield made


def test_the_files_are_what_the_generator_makes() -> None:
    for name, made in generator().dashboards().items():
        assert (FILE.parent / name).read_text("utf-8") == made, "python deploy/grafana/dashboards.py"


@pytest.mark.parametrize(("title", "expr", "legend"), QUERIES)
def test_a_query_has_an_answer_and_names_what_is_there(
    server: RunningPrometheus, title: str, expr: str, legend: str
) -> None:
    written = expr.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$service", ".*")
    assert "$" not in written
    found = server.query(written)
    assert found, f"{title}: nothing at all"
    assert all(set(re.findall(r"\{\{(\w+)\}\}", legend)) <= set(one["metric"]) for one in found), title
    labels: set[str] = set()
    for name, matchers in SELECTOR.findall(expr):
        known = _labels(server, name)
        assert known, f"{title}: there is no {name}"
        assert set(re.findall(r"(\w+)\s*=~?\"", matchers)) <= known, f"{title}: {name}"
        labels |= known
    assert {one.strip() for group in GROUPING.findall(expr) for one in group.split(",")} <= labels, title


def _labels(server: RunningPrometheus, metric: str) -> set[str]:
    return set(server.get("/api/v1/labels", **{"match[]": metric}))


def test_variables_have_values(server: RunningPrometheus) -> None:
    assert len(server.get("/api/v1/label/instance/values", **{"match[]": "nodewright_build_info"})) == 2
    assert len(server.get("/api/v1/label/service/values", **{"match[]": "nodewright_service_worker_processes"})) >= 16
