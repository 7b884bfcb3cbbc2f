"""Seldon Core 2 from its documentation: its components, their ports and pages, and what becomes a service."""

from pathlib import Path

import pytest

from collectors.discovery import Discovery
from collectors.entities import Process, Role, Service
from collectors.frameworks.mlserver import MlServer
from collectors.frameworks.seldon_core import SeldonCore
from collectors.levers import Lever
from tests.captures import facts, process, service_of
from tests.hosttree import HostTree
from tests.pages import sample_of_page, samples_of_page

GATEWAY, SUPPORT = Role.GATEWAY, Role.SUPPORT
PAGES = Path(__file__).parents[2] / "fixtures" / "metrics"
AGENT_PAGE = (PAGES / "seldon_agent.prom").read_text()
PIPELINES_PAGE = (PAGES / "seldon_pipelinegateway.prom").read_text()
SELDON = SeldonCore()

AGENT = ("/bin/agent", "--tracing-config-path=/mnt/tracing/tracing.json")
MODELS = ("/bin/modelgateway", "--scheduler-host=seldon-scheduler", "--envoy-port=80", "--health-probe-port=9999")
PIPELINES = ("/bin/pipelinegateway", "--http-port=9010", "--grpc-port=9011", "--metrics-port=9006")
RCLONE = ("rclone", "rcd", "--rc-no-auth", "--config=/rclone/rclone.conf", "--rc-addr=0.0.0.0:5572")
DATAFLOW = ("/usr/bin/java", "-XX:+PreserveFramePointer", "-jar", "dataflow-1.0-SNAPSHOT-all.jar")
SCRIPT = ("/bin/bash", "/start-envoy.sh")
ENVOY = ("/usr/local/bin/envoy", "-c", "/etc/envoy.yaml")
ENVIRONMENT = {"SELDON_REVERSE_PROXY_HTTP_PORT": "9001", "SELDON_METRICS_PORT": "9006"}


def role(*argv: str, parent: Role | None = None) -> Role | None:
    return SELDON.recognise(process(1, *argv), parent, None)


def traits(argv: tuple[str, ...], environ: dict[str, str] | None, ports: tuple[int, ...] = ()) -> tuple[object, ...]:
    one = process(1, *argv)
    found = SELDON.traits([(one, GATEWAY)], {one.key: facts(one, environ=environ, ports=ports)})
    assert (found.models, found.chains) == ((), ())
    return found.application, found.port, found.metrics_urls


def test_each_component_has_a_role() -> None:
    assert [role(*argv) for argv in (AGENT, MODELS, PIPELINES)] == [GATEWAY] * 3
    assert [role(*argv) for argv in (RCLONE, DATAFLOW, SCRIPT)] == [SUPPORT] * 3
    assert role("/bin/agent", "-server-type", "triton") is GATEWAY


def test_envoy_is_seldons_below_its_script_alone() -> None:
    assert role(*ENVOY, parent=SUPPORT) is GATEWAY
    assert role("/usr/local/bin/envoy", "-c", "/etc/envoy-tls.yaml", parent=SUPPORT) is GATEWAY
    assert role(*ENVOY) is None
    assert role("envoy", "-c", "/etc/istio/proxy/envoy-rev.json", parent=SUPPORT) is None


@pytest.mark.parametrize(
    "argv",
    [
        ("/ko-app/agent", "--enable-puller"),
        ("/bin/agent",),
        ("/bin/agent", "--config", "/etc/agent.yaml"),
        ("/opt/datadog/bin/agent", "run", "--server-name=a"),
        ("rclone", "sync", "/a", "/b"),
        ("rclone", "rcd", "--rc-addr=localhost:5572"),
        ("java", "-jar", "app.jar"),
        ("bash", "-c", "modelgateway"),
        ("grep", "pipelinegateway"),
        ("vim", "/start-envoy.sh"),
        (),
    ],
)
def test_programs_of_the_same_names_are_not_seldons(argv: tuple[str, ...]) -> None:
    assert role(*argv) is None


@pytest.mark.parametrize(
    ("argv", "environ", "ports", "expected"),
    [
        (AGENT, ENVIRONMENT, (), ("agent", 9001, ("http://127.0.0.1:9006/metrics",))),
        ((*AGENT, "--metrics-port=9106", "-reverse-proxy-http-port", "9101"), ENVIRONMENT, (),
         ("agent", 9101, ("http://127.0.0.1:9106/metrics",))),
        (AGENT, {}, (), ("agent", 9999, ("http://127.0.0.1:9006/metrics",))),
        (AGENT, None, (), ("agent", None, ())),
        (AGENT, None, (9001, 9006), ("agent", None, ("http://127.0.0.1:9006/metrics",))),
        (PIPELINES, {}, (), ("pipelinegateway", 9010, ("http://127.0.0.1:9006/metrics",))),
        (("/bin/pipelinegateway",), None, (), ("pipelinegateway", 9010, ("http://127.0.0.1:9006/metrics",))),
        (MODELS, {}, (), ("modelgateway", None, ())),
        (ENVOY, {}, (), ("envoy", 9000, ("http://127.0.0.1:9003/stats/prometheus",))),
    ],
)  # fmt: skip
def test_ports_and_pages(
    argv: tuple[str, ...], environ: dict[str, str] | None, ports: tuple[int, ...], expected: tuple[object, ...]
) -> None:
    assert traits(argv, environ, ports) == expected


def gateway(argv: tuple[str, ...]) -> tuple[Process, Service]:
    one = process(1, *argv)
    return one, service_of("seldon-core", (one, GATEWAY))


def test_the_model_gateway_has_workers_of_its_own() -> None:
    one, service = gateway(MODELS)
    set_to = {one.key: facts(one, environ={"MODELGATEWAY_NUM_WORKERS": "16"})}
    found = [
        SELDON.setting(Lever.GATEWAY_WORKERS, service, known) for known in (set_to, {one.key: facts(one, environ={})})
    ]
    assert [(each.value, each.origin) for each in found if each] == [
        (16, "env MODELGATEWAY_NUM_WORKERS"),
        (8, "default (of the model gateway, for each consumer)"),
    ]
    unread = SELDON.setting(Lever.GATEWAY_WORKERS, service, {one.key: facts(one, environ=None)})
    assert unread is not None
    assert unread.value is None
    (place,) = SELDON.places(Lever.GATEWAY_WORKERS, 16, service, set_to)
    assert (place.kind, place.key, place.value, place.effective) == ("env", "MODELGATEWAY_NUM_WORKERS", "16", True)


def test_the_other_gateways_have_none() -> None:
    _, service = gateway(AGENT)
    assert SELDON.setting(Lever.GATEWAY_WORKERS, service, {}) is None
    assert SELDON.places(Lever.GATEWAY_WORKERS, 16, service, {}) == ()
    assert SELDON.gaps(service, {}) == ()


def test_the_agent_has_an_overcommit_of_which_its_option_wins() -> None:
    one, service = gateway(AGENT)
    known = {one.key: facts(one, environ={"SELDON_OVERCOMMIT_PERCENTAGE": "10"})}
    found = SELDON.setting(Lever.MODEL_OVERCOMMIT, service, known)
    assert found is not None
    assert (found.value, found.origin) == (10, "env SELDON_OVERCOMMIT_PERCENTAGE")
    places = SELDON.places(Lever.MODEL_OVERCOMMIT, 0, service, known)
    assert [(place.kind, place.key, place.value, place.effective) for place in places] == [
        ("env", "SELDON_OVERCOMMIT_PERCENTAGE", "0", True),
        ("argument", "--over-commit-percentage", "0", True),
    ]
    one, service = gateway((*AGENT, "-over-commit-percentage", "20"))
    given = SELDON.setting(Lever.MODEL_OVERCOMMIT, service, known)
    assert given is not None
    assert given.value == 20


def test_the_page_of_the_agent() -> None:
    sample = sample_of_page(SELDON, AGENT_PAGE)
    assert (sample.requests, sample.errors) == (1300, 25)
    assert (sample.latency_sum_us, sample.latency_count) == (317_010_000, 1325)
    assert (sample.model_bytes, sample.queue, sample.in_flight) == (3_500_000, None, None)
    assert (sample.model_loads, sample.model_evictions) == (5 + 2, 3)


def test_the_page_of_the_agent_by_model() -> None:
    samples = samples_of_page(SELDON, AGENT_PAGE)
    iris, wine = samples["model:5e41ce/iris"], samples["model:5e41ce/wine"]
    assert (iris.requests, iris.errors, iris.latency_sum_us, iris.latency_count) == (900, 0, 12_500_000, 900)
    assert (wine.requests, wine.errors, wine.latency_sum_us, wine.latency_count) == (400, 15, 303_000_000, 415)


def test_the_page_of_the_pipeline_gateway() -> None:
    before = "# TYPE seldon_pipeline_infer_api_seconds histogram\n"
    sample = sample_of_page(SELDON, PIPELINES_PAGE, before)
    assert (sample.requests, sample.errors) == (580, 20)
    assert (sample.latency_sum_us, sample.latency_count) == (28_750_000, 600)
    assert (sample.latency_p50_low_us, sample.latency_p50_high_us) == (25_000, 50_000)
    assert (sample.latency_p99_low_us, sample.latency_p99_high_us) == (75_000, 100_000)


def test_the_page_of_envoy() -> None:
    page = """# TYPE envoy_http_downstream_rq_active gauge
envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix="seldon_http"} 4
envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix="util_endpoint_http"} 1
# TYPE envoy_http_downstream_rq_xx counter
envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="seldon_http"} 700
envoy_http_downstream_rq_xx{envoy_response_code_class="4",envoy_http_conn_manager_prefix="seldon_http"} 20
envoy_http_downstream_rq_xx{envoy_response_code_class="5",envoy_http_conn_manager_prefix="seldon_http"} 3
envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="util_endpoint_http"} 5000
"""
    sample = sample_of_page(SELDON, page)
    assert (sample.requests, sample.errors, sample.in_flight, sample.latency_count) == (700, 23, 4, None)


def test_beside_mlserver_the_agent_is_a_service_of_its_own(tmp_path: Path) -> None:
    machine = HostTree(tmp_path)
    machine.process(1, argv=("/pause",), comm="pause", ppid=0)
    machine.process(20, argv=RCLONE, comm="rclone", started=500)
    machine.process(30, argv=AGENT, comm="agent", started=510)
    machine.process(40, argv=("/opt/venv/bin/mlserver", "start", "/mnt/agent/models"), comm="mlserver", started=520)
    machine.process(50, argv=SCRIPT, comm="start-envoy.sh", started=530)
    machine.process(51, argv=ENVOY, comm="envoy", ppid=50, started=531)
    discovery = Discovery(frameworks=(MlServer(), SELDON), managers=())
    for _ in range(2):
        machine.clock.advance(20.0)
        discovery.scan(machine.host)
        for one, _requests in discovery.wanted():
            environ = {"MLSERVER_HTTP_PORT": "9000", **ENVIRONMENT}
            discovery.learn(facts(one, environ=environ))
    discovery.scan(machine.host)
    found = {s.name: ([(w.pid, w.role) for w in s.workers], s.orphaned) for s in discovery.services}
    assert {name: shown for name, shown in found.items() if name.startswith("seldon")} == {
        "seldon-core/agent:9001": ([(30, GATEWAY)], False),
        "seldon-core/envoy:9000": ([(51, GATEWAY), (50, SUPPORT)], False),
    }
    assert sum(name.startswith("mlserver/models") for name in found) == 1
