"""MLServer: which processes are its front-end and workers, which settings hold, and what do its metrics mean?

`mlserver start FOLDER` reads FOLDER/settings.json, which wins over MLSERVER_* variables. With `parallel_workers` 0 the
front-end runs the models itself; otherwise it spawns anonymous workers and a resource tracker, once for each pool.
"""

from collections.abc import Sequence
from os.path import basename, normpath
from typing import ClassVar, Literal

from collectors.addresses import local_urls
from collectors.command_line import parse_command, positionals, role_of_program
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Gap, ModelRequest, SettingsRequest, Traits
from collectors.knobs import Knob, env, file
from collectors.learned import environment_of, working_folder
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.servers.mlserver_levers import (
    DEFAULT_WORKERS,
    SERVER_KEYS,
    environment_models,
    metrics_setting,
    model_places,
    model_setting,
    pools_setting,
    server_of,
    server_places,
    workers_setting,
)
from collectors.servers.mlserver_settings import (
    KEYS,
    MODEL_KEYS,
    MODEL_SETTINGS,
    POOL_KEYS,
    SETTINGS,
    ServerSettings,
    requests_of,
    variable_of,
)

_PREFIX = "rest_server"
_INFER = r"/v2/models/[^/]+(/versions/[^/]+)?/(infer|generate)(_stream)?"
"""The path as it is counted: the route's pattern, or the path that was requested, as older exporters have it."""
_MODEL_LEVERS = frozenset((Lever.MAX_BATCH_SIZE, Lever.MAX_BATCH_DELAY))
_READ = {Lever.WORKERS: workers_setting, Lever.METRICS: metrics_setting, Lever.MODEL_POOL: pools_setting}


class MlServer(Framework):
    order: ClassVar[int] = 10
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"
    versions: ClassVar[str] = "mlserver 1.7.1"
    recognised_by: ClassVar[str] = (
        "`mlserver start` or `python -m mlserver start`; its spawned children are the workers"
    )
    metrics: ClassVar[MetricMap | None] = MetricMap(
        # Counted where REST and gRPC meet: gRPC's own counter of handled calls leaves out those that fail.
        requests=(series("model_infer_request_success_total"),),
        errors=(series("model_infer_request_failure_total"),),
        latency=Distribution(
            of=(
                series(f"{_PREFIX}_request_duration_seconds", path=_INFER),
                series("grpc_server_handling_seconds", grpc_method="ModelInfer"),
            )
        ),
        # batch_request_queue is no batch size: it is how many requests wait for a batch when another one comes, and one
        # request can be in it and, with its batch, in this one.
        queue_length=Distribution(of=(series("parallel_request_queue"),)),
        in_flight=(series(f"{_PREFIX}_requests_in_progress", method="POST"),),
        model_label="model",
    )
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.WORKERS,
            sources=(file(SETTINGS, "parallel_workers"), env("MLSERVER_PARALLEL_WORKERS")),
            default=DEFAULT_WORKERS,
            advise="its workers are busy and cores are idle: more, each with a copy of the models; 0 where passing a "
            "request on costs more than the model",
            of_each="pool",
        ),
        Knob(
            lever=Lever.MAX_BATCH_SIZE,
            sources=(file(MODEL_SETTINGS, "max_batch_size"), env("MLSERVER_MODEL_MAX_BATCH_SIZE")),
            default=0,
            advise="requests wait and the model is faster on many at once; off below 2 or without max_batch_time",
        ),
        Knob(
            lever=Lever.MAX_BATCH_DELAY,
            sources=(file(MODEL_SETTINGS, "max_batch_time"), env("MLSERVER_MODEL_MAX_BATCH_TIME")),
            default=0.0,
            advise="seconds that a batch waits to fill: less for latency, more for throughput",
        ),
        Knob(
            lever=Lever.MODEL_POOL,
            sources=(file(MODEL_SETTINGS, POOL_KEYS[0]), env("MLSERVER_MODEL_INFERENCE_POOL_GID")),
            default_text="1 pool for all models",
            advise="one model slows the others: a pool of its own, which is parallel_workers more processes",
        ),
        Knob(
            lever=Lever.METRICS,
            sources=(file(SETTINGS, "metrics_endpoint"), env("MLSERVER_METRICS_ENDPOINT")),
            default="/metrics",
            advise="it is switched off (null or empty)",
        ),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        role = role_of_program(process, parent, "mlserver", "mlserver.cli", "mlserver.cli.main")
        if role is None:
            return None
        command = parse_command(process.argv)
        runs_other_verb = command.program.startswith("mlserver") and _arguments(process)[:1] != ["start"]
        return None if runs_other_verb else role

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        folder = _folder(process)
        if folder is None:
            return ()
        prefix = "" if folder == "." else f"{folder}/"
        wanted = [SettingsRequest(name=SETTINGS, pattern=prefix + SETTINGS, keys=KEYS)]
        for depth in ("", "*/", "*/*/"):
            pattern = f"{prefix}{depth}{MODEL_SETTINGS}"
            wanted.append(SettingsRequest(name=MODEL_SETTINGS, pattern=pattern, keys=MODEL_KEYS))
        return wanted

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        if facts is None or _folder(process) is None:
            return ()
        return tuple(requests_of(environment_models([process], {process.key: facts})))

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        folder = _folder(process) or "."
        name = basename(folder if folder != "." else working_folder(process.key, facts) or "")
        every = [each for each, _ in processes]
        server = ServerSettings(process, environment_of(every, facts).values, facts)
        endpoint = server.endpoint()
        port = server.number("metrics_port", 8082) if endpoint else None
        return Traits(
            application=name or "mlserver",
            port=server.number("http_port", 8080),
            models=tuple(one.model(every, facts) for one in environment_models(every, facts)),
            metrics_urls=local_urls(port, path=endpoint or "", host=server.text("host")),
            request_threads=1,
            # `async def predict` is awaited on the worker's only loop: one that computes blocks its worker meanwhile.
            calls="asynchronous",
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        if lever in _MODEL_LEVERS:
            return model_setting(lever, service, facts)
        read = _READ.get(lever)
        return read(service, facts) if read else super().setting(lever, service, facts)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        if lever in SERVER_KEYS:
            return server_places(lever, value, service, facts)
        if lever in _MODEL_LEVERS or lever is Lever.MODEL_POOL:
            return model_places(lever, value, service, facts)
        return super().places(lever, value, service, facts)

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        server = server_of(service, facts)
        found = []
        if server.endpoint() == "":
            found.append(_gap("requests, errors, latency and queues", "metrics_endpoint", "/metrics", server))
        prefix = server.text("metrics_rest_server_prefix")
        if prefix not in (None, _PREFIX):
            found.append(
                _gap("latency and requests in flight over REST", "metrics_rest_server_prefix", _PREFIX, server)
            )
        return found


def _gap(missing: str, key: str, value: str, server: ServerSettings) -> Gap:
    if server.in_file(key):
        return Gap(missing=missing, turn_on=f'"{key}": "{value}"', where=server.path)
    return Gap(missing=missing, turn_on=f"{variable_of(key)}={value}", where="environment")


def _arguments(process: Process) -> list[str]:
    return positionals(parse_command(process.argv).arguments, frozenset())


def _folder(process: Process) -> str | None:
    """FOLDER of `mlserver start FOLDER`, without a slash at its end; None for a worker."""
    words = _arguments(process)
    return normpath(words[1]) if words[:1] == ["start"] and len(words) > 1 else None
