"""TorchServe: which processes are its front-end and workers, which settings hold, and what do its metrics mean?

The front-end is a Java program, which the script `torchserve` starts and leaves; each worker is a Python process whose
working folder is the extracted archive of its model. A worker may stand below a launcher (torchrun, or the one that pins
cores). Models and workers can also be changed over the management API, which no file shows.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import helper_role, parse_command
from collectors.entities import Model, Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Gap, SettingsRequest, Traits
from collectors.knobs import Each, Knob, env, file, knob_places, knob_setting
from collectors.learned import environment_of, listening_port, server_environment
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.per_model import common_setting
from collectors.servers.torchserve_config import (
    MAIN,
    MODEL_CONFIG,
    MODEL_KEYS,
    PROPERTIES,
    ServerConfig,
    archives,
    requests_of,
    server_arguments,
)
from collectors.shared_levers import counted_workers, whole_number
from collectors.switches import truth

_WORKERS = frozenset(("model_service_worker.py", "model_worker_socket"))
_LAUNCHERS = frozenset(("torchrun", "torch.distributed.run", "torch.backends.xeon.run_cpu"))
_REQUESTS = series("ts_inference_requests_total")
_PAGE_MODES = frozenset(("prometheus", "legacy"))
_PER_WORKER = "a model's own configuration wins over config.properties; what its registration said wins over both"


def _properties(
    lever: Lever, key: str, default: Value, text: str = "", advise: str = "", of_each: Each | None = None
) -> Knob:
    """A knob of config.properties, which has a variable each."""
    sources = (env(f"TS_{key.upper()}"), file(PROPERTIES, key))
    return Knob(lever=lever, sources=sources, default=default, default_text=text, advise=advise, of_each=of_each)


class TorchServe(Framework):
    order: ClassVar[int] = 16
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "torchserve 0.12.0"
    recognised_by: ClassVar[str] = (
        "a Java process that runs `org.pytorch.serve.ModelServer`; its workers run `model_service_worker.py`"
    )
    # Requests are counted when they come and times when they are answered, so that failures lengthen no mean but are in
    # the count. Requests4XX and 5XX hold those of the other APIs too.
    metrics: ClassVar[MetricMap | None] = MetricMap(
        requests=(_REQUESTS,),
        errors=(series("Requests4XX"), series("Requests5XX")),
        latency=Distribution(total=(series("ts_inference_latency_microseconds"),), count=(_REQUESTS,), scale=1e-6),
        queue_time=Distribution(total=(series("ts_queue_latency_microseconds"),), count=(_REQUESTS,), scale=1e-6),
        model_label="model_name",
        marks=("ts_inference_requests", "# TYPE ts_inference_requests"),
    )
    knobs: ClassVar[tuple[Knob, ...]] = (
        _properties(
            Lever.WORKERS, "default_workers_per_model", None, "one per GPU, else one per CPU, of each model",
            "workers × threads exceed the CPUs: fewer; they are busy and cores are idle: more", "model",
        ),
        _properties(
            Lever.REQUEST_THREADS, "number_of_netty_threads", None, "one per CPU",
            "threads of the Java front-end; workers take one request (or batch) at a time",
        ),
        Knob(
            lever=Lever.MAX_QUEUE,
            sources=(file(MODEL_CONFIG, "jobQueueSize"), env("TS_JOB_QUEUE_SIZE"), file(PROPERTIES, "job_queue_size")),
            default=100,
            advise="requests wait longer than their callers do: less, to refuse them at once",
        ),
        Knob(
            lever=Lever.MAX_BATCH_SIZE,
            sources=(file(MODEL_CONFIG, "batchSize"), file(PROPERTIES, "models")),
            default=1,
            advise="queue time is high and the model is faster on many at once",
        ),
        Knob(
            lever=Lever.MAX_BATCH_DELAY,
            sources=(file(MODEL_CONFIG, "maxBatchDelay"), file(PROPERTIES, "models")),
            default=100,
            advise="milliseconds that a batch waits to fill: less for latency, more for throughput",
            unit_seconds=1e-3,
        ),
        _properties(Lever.METRICS, "metrics_mode", "log", "", "`prometheus` gives the page on metrics_address"),
    )  # fmt: skip

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if command.program == "java":
            return Role.FRONT_END if MAIN in command.arguments else None
        if command.program in _WORKERS:
            return Role.WORKER
        if parent is None:
            return None
        if command.program in _LAUNCHERS:
            starts_worker = any(item.endswith("model_service_worker.py") for item in command.arguments)
            return Role.SUPPORT if starts_worker else None
        return helper_role(command, parent)

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        return requests_of(process)

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        every = [each for each, _ in processes]
        server = ServerConfig(process, environment_of(every[:1], facts).values, facts)
        return Traits(
            application=server.application,
            port=_port(process, server, facts),
            models=_models(server, every, facts),
            metrics_urls=_metrics_urls(process, server),
            calls="synchronous",
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        knob, server = self.knob(lever), _server(service, facts)
        if knob is None:
            return super().setting(lever, service, facts)
        if lever in MODEL_KEYS:
            return self._of_models(lever, service, server, facts)
        stated = Setting(lever=lever, value=None, origin=server.doubt)
        if not server.doubt:
            stated = knob_setting(msgspec.structs.replace(knob, sources=server.sources(knob.sources)), service, facts)
        return _workers(stated, service, facts) if lever is Lever.WORKERS else stated

    def _of_models(self, lever: Lever, service: Service, server: ServerConfig, facts: Facts) -> Setting:
        if server.load_models is None:
            return Setting(lever=lever, value=None, origin=server.doubt)
        if not server.load_models:
            return Setting(lever=lever, value=None, origin="its models were registered over the management API")
        found = [one.held(lever, server) for one in archives([w.process for w in service.workers], facts)]
        return common_setting(lever, found, "no worker's archive was read")

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        knob, server = self.knob(lever), _server(service, facts)
        if knob is None:
            return super().places(lever, value, service, facts)
        if lever in MODEL_KEYS:
            return _model_places(lever, value, service, server, facts)
        found = knob_places(msgspec.structs.replace(knob, sources=server.sources(knob.sources)), value, service, facts)
        if server.doubt:
            found = tuple(msgspec.structs.replace(one, effective=None, because=server.doubt) for one in found)
        models = len(archives([w.process for w in service.workers], facts))
        if lever is Lever.WORKERS and models > 1:
            because = f"it counts for each of the {models} models"
            found = tuple(msgspec.structs.replace(one, effective=None, because=because) for one in found)
        return found

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        server = _server(service, facts)
        found = []
        if truth(server.text("enable_metrics_api")) is False:
            found.append(Gap(missing="its metrics page", turn_on="enable_metrics_api=true", where=server.path))
        mode = server.text("metrics_mode") or ("" if server.doubt else "log")
        if mode and mode.strip().lower() not in _PAGE_MODES:
            missing = "requests, errors, latency and queue time"
            found.append(Gap(missing=missing, turn_on="metrics_mode=prometheus", where=server.path))
        return found


def _server(service: Service, facts: Facts) -> ServerConfig:
    process = (service.front_end or service.workers[0]).process
    return ServerConfig(process, server_environment(service, facts).values, facts)


def _models(server: ServerConfig, processes: Sequence[Process], facts: Facts) -> tuple[Model, ...]:
    """The models of the workers that run; before there are any, those that are to be loaded."""
    running, named = archives(processes, facts), server.named_models()
    if not running:
        return named
    only = named[0] if len(named) == len(running) == 1 else None
    return tuple(sorted((one.model(only, facts) for one in running), key=lambda model: model.name))


def _port(process: Process, server: ServerConfig, facts: Facts) -> int | None:
    """The port of the inference API; one that is not certain counts only if the server listens on it."""
    if server_arguments(process) is None:
        return None
    _, port, _ = server.address("inference_address", 8080)
    if not server.doubt:
        return port
    known = facts.get(process.key)
    listening = known.listening if known and isinstance(known.listening, tuple) else ()
    likely = port or 8080
    return likely if any(one.port == likely for one in listening) else listening_port(process.key, facts)


def _metrics_urls(process: Process, server: ServerConfig) -> tuple[str, ...]:
    mode = server.text("metrics_mode") or ("prometheus" if server.doubt else "log")
    off = mode.strip().lower() not in _PAGE_MODES or truth(server.text("enable_metrics_api")) is False
    host, port, secure = server.address("metrics_address", 8082)
    if server_arguments(process) is None or off or secure:
        return ()
    return local_urls(port or (8082 if server.doubt else None), host=host)


def _workers(stated: Setting, service: Service, facts: Facts) -> Setting:
    """What runs where that is not as many of each model as is stated: the management API scales."""
    counted = counted_workers(service, stated.origin)
    number = whole_number(stated.value) or None  # 0 means the default
    models = max(1, len(archives([worker.process for worker in service.workers], facts)))
    if counted.value is None or (number is not None and counted.value == number * models):
        return msgspec.structs.replace(stated, value=number)
    reason = stated.origin if number is None else f"{stated.origin} says {number}"
    return msgspec.structs.replace(counted, origin=f"counted; {reason}")


def _model_places(
    lever: Lever, value: Value, service: Service, server: ServerConfig, facts: Facts
) -> tuple[Place, ...]:
    """Each model's own configuration, then the properties, in which no model has the same key."""
    found = []
    for one in archives([worker.process for worker in service.workers], facts):
        target = f"{MODEL_CONFIG} in the archive of {one.name}"
        own = one.config.values.get(MODEL_KEYS[lever]) if one.config else None
        found.append(
            Place(kind="file", target=target, key=MODEL_KEYS[lever], value=value, effective=True, because=_PER_WORKER)
        )
        key = f'models["{one.name}"]["{one.text("modelVersion") or "1.0"}"].{MODEL_KEYS[lever]}'
        key = "job_queue_size" if lever is Lever.MAX_QUEUE else key
        wins: bool | None = None if server.doubt or one.config is None else own is None
        because = f"{MODEL_CONFIG} sets {own} and wins" if own is not None else server.doubt or "the archive sets none"
        found.append(Place(kind="file", target=server.path, key=key, value=value, effective=wins, because=because))
    return tuple(dict.fromkeys(found))
