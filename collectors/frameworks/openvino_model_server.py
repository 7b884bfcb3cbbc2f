"""OpenVINO Model Server: how is its one process told, what is set on it and its models, and what do its metrics mean?

Everything is one process. A model runs in streams, each of which takes one request at a time; requests wait for a free
inference request. Neither the REST port nor the metrics page is there unless it is asked for.
"""

from collections.abc import Sequence
from os.path import basename, splitext
from typing import ClassVar, Literal

from collectors.addresses import local_urls
from collectors.command_line import option, parse_command
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Gap, ModelRequest, SettingsRequest, Traits
from collectors.knobs import Knob, argument, file, flag
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.per_model import common_setting
from collectors.servers.ovms_models import CONFIG, PLUGIN_KEYS, OvmsConfig, OvmsModel
from collectors.shared_levers import shared_places, whole_number

_OPTIONS = frozenset((
    "--port", "--rest_port", "--config_path", "--model_path", "--model_name", "--source_model", "--model_repository_path",
))  # fmt: skip
_OTHER_VERBS = frozenset((
    "--pull", "--list_models", "--add_to_config", "--remove_from_config", "--configure", "--help", "-h", "--version",
))  # fmt: skip
_CALLS = "ModelInfer|ModelInferStream|ModelStreamInfer|Predict|Unary|Stream"
"""Methods that run a model; the others ask whether it is there and what it is."""
_PER_MODEL = frozenset((*PLUGIN_KEYS, Lever.MAX_REQUESTS_IN_FLIGHT))
_UNREAD = f"--{CONFIG} was not read, or lists no model"
_WHERE = "command line"


def _plugin_knob(lever: Lever, default_text: str, advise: str) -> Knob:
    key = PLUGIN_KEYS[lever]
    sources = (argument(f"--plugin_config {key}"), file(CONFIG, f"model_config_list.N.config.plugin_config.{key}"))
    return Knob(lever=lever, sources=sources, default_text=default_text, advise=advise)


class OpenVinoModelServer(Framework):
    order: ClassVar[int] = 18
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "ovms 2026.3"
    recognised_by: ClassVar[str] = "`ovms` with a port, a model or a configuration; not `ovms --pull` and its like"
    # A call of a pipeline counts once for the pipeline and once for each of its models.
    metrics: ClassVar[MetricMap | None] = MetricMap(
        requests=(series("ovms_requests_success", method=_CALLS), series("ovms_requests_accepted", method=_CALLS)),
        errors=(
            series("ovms_requests_fail", method=_CALLS),
            series("ovms_requests_rejected", method=_CALLS),
            series("ovms_graph_error"),
        ),
        # Of a streamed call to a graph it is the time until the stream is closed.
        latency=Distribution(of=(series("ovms_request_time_us"), series("ovms_graph_processing_time_us")), scale=1e-6),
        queue_time=Distribution(of=(series("ovms_wait_for_infer_req_time_us"),), scale=1e-6),
        in_flight=(series("ovms_current_requests"), series("ovms_current_graphs")),
        model_label="name",
        marks=("ovms_", "# TYPE ovms_"),
    )
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.MAX_REQUESTS_IN_FLIGHT,
            sources=(argument("--nireq"), file(CONFIG, "model_config_list.N.config.nireq")),
            default_text="as many as the device has room for",
            advise="requests wait for a free inference request: at least as many as streams",
        ),
        _plugin_knob(
            Lever.MODEL_INSTANCES,
            "one stream per CPU socket or GPU",
            "many requests at once and cores idle: more, at most one per core; PERFORMANCE_HINT THROUGHPUT does it too",
        ),
        _plugin_knob(
            Lever.COMPUTE_THREADS,
            "OpenVINO takes the CPUs that it may use",
            "several servers share the CPUs: each its part",
        ),
        _plugin_knob(
            Lever.THREAD_BINDING,
            "on; newer servers leave it off under a CPU limit",
            "several servers on one node are bound to the same cores: false",
        ),
        Knob(lever=Lever.REQUEST_THREADS, sources=(argument("--rest_workers"),), default_text="one per CPU"),
        Knob(
            lever=Lever.API_SERVERS,
            sources=(argument("--grpc_workers"),),
            default=1,
            advise="very many gRPC connections and the model is not the limit",
        ),
        Knob(
            lever=Lever.METRICS,
            sources=(flag("--metrics_enable"), file(CONFIG, "monitoring.metrics.enable")),
            default=False,
        ),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if command.program != "ovms":
            return None
        given = {item.partition("=")[0] for item in command.arguments}
        if given & _OTHER_VERBS or not given & _OPTIONS:
            return None
        return Role.FRONT_END if parent is None else Role.WORKER

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        return OvmsConfig(process, {}).requests()

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        models = OvmsConfig(process, {} if facts is None else {process.key: facts}).models
        return [wanted for one in models if (wanted := one.request()) is not None]

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        config = OvmsConfig(process, facts)
        rest = whole_number(option(config.arguments, "--rest_port"))
        host = (option(config.arguments, "--rest_bind_address") or "").partition(",")[0]
        shown = rest if config.metrics_enabled is not False else None
        return Traits(
            application=splitext(basename(config.path or ""))[0]
            or next((one.name for one in config.models), self.name),
            port=rest or whole_number(option(config.arguments, "--port")) or None,
            models=tuple(one.model(process, facts) for one in config.models),
            metrics_urls=local_urls(shown, host=host),
            chains=config.chains,
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        config = OvmsConfig(_front(service), facts)
        if lever is Lever.METRICS:
            origin = "argument --metrics_enable" if "--metrics_enable" in config.arguments else f"file {config.path}"
            on = config.metrics_enabled
            unread = f"{config.path} is not readable"
            return Setting(lever=lever, value=on, origin=unread if on is None else origin if on else "default")
        if lever not in _PER_MODEL:
            return super().setting(lever, service, facts)
        return common_setting(lever, [one.held(lever) for one in config.models], _UNREAD)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        config, key = OvmsConfig(_front(service), facts), PLUGIN_KEYS.get(lever, "nireq")
        if lever is Lever.METRICS:
            return _metrics_places(value, service, config)
        if lever not in _PER_MODEL:
            return super().places(lever, value, service, facts)
        others = shared_places(lever, value, service, facts) if lever is Lever.THREAD_BINDING else ()
        if config.path is None:
            return (_argument(config.models[0], lever, key, value, service), *others)
        because = "a model's entry in the file of --config_path decides, without a restart"
        found = [
            Place(
                kind="file", target=config.path, effective=True, because=because, value=value, restart=False,
                key=f'"{one.name}": {key}' if lever not in PLUGIN_KEYS else f'"{one.name}": plugin_config.{key}',
            )
            for one in config.models
        ]  # fmt: skip
        return (*found, *others)

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        config = OvmsConfig(_front(service), facts)
        found = []
        if not whole_number(option(config.arguments, "--rest_port")):
            found.append(Gap(missing="its metrics page, on the REST port", turn_on="--rest_port 8000", where=_WHERE))
        if config.metrics_enabled is False:
            missing = "requests, errors, latency and queue time"
            found.append(_metrics_gap(missing, config))
        return found


def _metrics_gap(missing: str, config: OvmsConfig) -> Gap:
    if config.path is None:
        return Gap(missing=missing, turn_on="--metrics_enable", where=_WHERE)
    return Gap(missing=missing, turn_on='"monitoring": {"metrics": {"enable": true}}', where=config.path)


def _metrics_places(value: Value, service: Service, config: OvmsConfig) -> tuple[Place, ...]:
    because = "either place switches it on"
    flagged = Place(
        kind="argument", target=service.framework, key="--metrics_enable", value=None, effective=True, because=because
    )
    if config.path is None:
        return (flagged,)
    key = "monitoring.metrics.enable"
    return (
        Place(kind="file", target=config.path, key=key, value=value, effective=True, because=because),
        flagged,
    )


def _front(service: Service) -> Process:
    return (service.front_end or service.workers[0]).process


def _argument(one: OvmsModel, lever: Lever, key: str, value: Value, service: Service) -> Place:
    """The option of the only model; those of its plugin are one JSON object, which is written whole."""
    name, text = "--nireq", str(value)
    effective: bool | None = True
    because = "the command line describes the only model"
    if lever in PLUGIN_KEYS:
        name, text = "--plugin_config", one.with_plugin(key, value)
        if one.plugin is None:
            effective, because = None, "the present --plugin_config is not readable, and would be replaced"
    return Place(kind="argument", target=service.framework, key=name, value=text, effective=effective, because=because)
