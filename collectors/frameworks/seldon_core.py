"""Seldon Core 2: which of its components run here, at which ports, and what do their metrics mean?

In the pod of a server the agent is a reverse proxy before MLServer or Triton, in a container of its own: the model server
is a service of its own, and the agent another one, whose page counts the requests of each model. The gateways connect
Kafka with the models and the callers with pipelines. Which models a pipeline joins, none of them shows.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import Command, option, parse_command
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.knobs import Knob, argument, env
from collectors.learned import environment_of
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.shared_levers import shared_places, shared_setting, whole_number

_AGENT, _MODELS, _PIPELINES, _ENVOY = "agent", "modelgateway", "pipelinegateway", "envoy"
_AGENT_OPTIONS = (
    "--tracing-config-path", "--server-type", "--server-name", "--scheduler-host", "--reverse-proxy-http-port",
    "--agent-folder", "--replica-config",
)  # fmt: skip
"""What tells its agent from the many programs of that name."""
_OVERCOMMIT = "--over-commit-percentage"
_PROGRAM_OF = {Lever.GATEWAY_WORKERS: _MODELS, Lever.MODEL_OVERCOMMIT: _AGENT}
_START_ENVOY = "/start-envoy.sh"
_ENVOY_FILES = frozenset(("/etc/envoy.yaml", "/etc/envoy-tls.yaml"))
_SHELLS = frozenset(("sh", "bash"))
_WELL = "OK|2.."
"""Codes of gRPC and of HTTP."""
_FAILED = f"(?!(?:{_WELL})$).+"
_LISTENERS = "seldon_.+"
"""Envoy's listeners for calls; another one serves the page itself."""


class _Port(msgspec.Struct, frozen=True):
    """Where a port is set, the place that wins first, and which it is otherwise."""

    option: str
    variable: str | None
    default: int


class _Component(msgspec.Struct, frozen=True):
    port: _Port | None = None
    metrics: _Port | None = None
    path: str = "/metrics"


_COMPONENTS: Mapping[str, _Component] = {
    _AGENT: _Component(
        _Port("--reverse-proxy-http-port", "SELDON_REVERSE_PROXY_HTTP_PORT", 9999),
        _Port("--metrics-port", "SELDON_METRICS_PORT", 9006),
    ),
    _PIPELINES: _Component(_Port("--http-port", None, 9010), _Port("--metrics-port", None, 9006)),
    _MODELS: _Component(),
    # The scheduler tells Envoy on which ports to listen; these are in its source.
    _ENVOY: _Component(_Port("", None, 9000), _Port("", None, 9003), "/stats/prometheus"),
}


def _spellings(name: str) -> tuple[str, str]:
    """Go takes an option with one hyphen too."""
    return name, name[1:]


class SeldonCore(Framework):
    order: ClassVar[int] = 12
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "seldon-core 2.10"
    recognised_by: ClassVar[str] = (
        "`/bin/agent` with an option of its own, `modelgateway`, `pipelinegateway`, and `envoy` below `/start-envoy.sh`"
    )
    # Each component prints its own. The agent's histogram has no model's name on it, its counters have. Envoy's times
    # are in milliseconds and left out.
    metrics: ClassVar[MetricMap | None] = MetricMap(
        requests=(
            series("seldon_model_infer_total", code=_WELL),
            series("seldon_pipeline_infer_total", code=_WELL),
            series(
                "envoy_http_downstream_rq_xx", envoy_response_code_class="2", envoy_http_conn_manager_prefix=_LISTENERS
            ),
        ),
        errors=(
            series("seldon_model_infer_total", code=_FAILED),
            series("seldon_pipeline_infer_total", code=_FAILED),
            series(
                "envoy_http_downstream_rq_xx",
                envoy_response_code_class="[45]",
                envoy_http_conn_manager_prefix=_LISTENERS,
            ),
        ),
        latency=Distribution(
            of=(series("seldon_model_infer_api_seconds"), series("seldon_pipeline_infer_api_seconds")),
            total=(series("seldon_model_infer_seconds_total"),),
            count=(series("seldon_model_infer_total"),),
        ),
        in_flight=(series("envoy_http_downstream_rq_active", envoy_http_conn_manager_prefix=_LISTENERS),),
        model_bytes=(series("seldon_loaded_model_memory_bytes_gauge"),),
        # A request for a model that was evicted is a miss, and loads it again; the other counter has first loads only.
        model_loads=(series("seldon_load_model_counter"), series("seldon_cache_miss_count")),
        model_evictions=(series("seldon_cache_evict_count"),),
        model_label="model",
        marks=("seldon_", "# TYPE seldon_", "envoy_http_", "# TYPE envoy_http_"),
    )
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.GATEWAY_WORKERS,
            sources=(env("MODELGATEWAY_NUM_WORKERS"),),
            default=8,
            default_text="of the model gateway, for each consumer",
            advise="Kafka's lag grows and the models have room",
        ),
        Knob(
            lever=Lever.MODEL_OVERCOMMIT,
            sources=(argument(*_spellings(_OVERCOMMIT)), env("SELDON_OVERCOMMIT_PERCENTAGE")),
            default=0,
            default_text="percent of the server's memory, of its agent; server configurations come with 10",
            advise="models are taken out of memory and loaded again: less",
        ),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        match command.program:
            case "agent":
                return Role.GATEWAY if _is_agent(process, command) else None
            case "modelgateway" | "pipelinegateway":
                return Role.GATEWAY
            case "envoy":
                told = option(command.arguments, "-c", "--config-path")
                return Role.GATEWAY if parent is not None and told in _ENVOY_FILES else None
            case "rclone":
                own = "rcd" in command.arguments and option(command.arguments, "--config") == "/rclone/rclone.conf"
                return Role.SUPPORT if own else None
            case "java":
                jar = option(command.arguments, "-jar") or ""
                return Role.SUPPORT if jar.startswith("dataflow-") and jar.endswith("-all.jar") else None
        starts = command.program in _SHELLS and _START_ENVOY in command.arguments
        return Role.SUPPORT if starts else None

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = next((each for each, role in processes if role is Role.GATEWAY), processes[0][0])
        command = parse_command(process.argv)
        component = _COMPONENTS.get(command.program, _Component())
        metrics = _port(component.metrics, process, command, facts)
        if component.metrics and metrics is None and _listens(process, component.metrics.default, facts):
            metrics = component.metrics.default
        return Traits(
            application=command.program,
            port=_port(component.port, process, command, facts),
            metrics_urls=local_urls(metrics, path=component.path),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        return super().setting(lever, service, facts) if _has(lever, service) else shared_setting(lever, service, facts)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        if _has(lever, service):
            return super().places(lever, value, service, facts)
        return shared_places(lever, value, service, facts)


def _is_agent(process: Process, command: Command) -> bool:
    """Whether it is Seldon's agent: KServe's, and many others, have the same name."""
    in_its_place = process.argv[0] == "/bin/agent"
    return in_its_place and any(option(command.arguments, *_spellings(name)) is not None for name in _AGENT_OPTIONS)


def _has(lever: Lever, service: Service) -> bool:
    """Whether the lever is one of a component that runs here."""
    program = _PROGRAM_OF.get(lever)
    return program is not None and any(
        parse_command(worker.process.argv).program == program for worker in service.workers
    )


def _port(port: _Port | None, process: Process, command: Command, facts: Facts) -> int | None:
    """The port as its option, its variable, or its default says; None where the variable could not be read."""
    if port is None:
        return None
    given = option(command.arguments, *_spellings(port.option)) if port.option else None
    if given is None and port.variable:
        values = environment_of([process], facts).values
        if values is None:
            return None
        given = values.get(port.variable)
    return port.default if given is None else whole_number(given)


def _listens(process: Process, port: int, facts: Facts) -> bool:
    known = facts.get(process.key)
    return known is not None and isinstance(known.listening, tuple) and any(one.port == port for one in known.listening)
