"""TensorFlow Serving: how is its one process told, which options hold, and what do its metrics mean?

Everything is one process with many threads. Options stand on its command line as `--name=value`; those of batching in a
file that it names. Its metrics page is on the REST port, and only if another file switches it on.
"""

import re
from collections.abc import Mapping, Sequence
from os.path import basename, splitext
from typing import ClassVar, Literal

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import option, parse_command, role_of_program
from collectors.compute_threads import UNSET
from collectors.entities import Model, Process, Role, Service
from collectors.facts import ProcessFacts, SettingsFile
from collectors.framework import Facts, Framework, Gap, SettingsRequest, Traits
from collectors.knobs import Knob, argument, env, file, held_by, knob_places
from collectors.learned import MODEL_LIMIT, settings_files
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.shared_levers import argument_place, whole_number
from collectors.switches import switch, truth

_PROGRAM = "tensorflow_model_server"
_BATCHING, _MONITORING, _MODELS = "batching_parameters_file", "monitoring_config_file", "model_config_file"
_BATCH_KEYS: Mapping[Lever, str] = {
    Lever.MAX_BATCH_SIZE: "max_batch_size.value",
    Lever.MAX_BATCH_DELAY: "batch_timeout_micros.value",
    Lever.MAX_QUEUE: "max_enqueued_batches.value",
}
_BATCH_DEFAULTS = {Lever.MAX_BATCH_SIZE: 1000, Lever.MAX_BATCH_DELAY: 0, Lever.MAX_QUEUE: 10}
_THREADS: Mapping[Lever, Lever] = {
    Lever.COMPUTE_THREADS: Lever.INTER_OP_THREADS,
    Lever.INTER_OP_THREADS: Lever.COMPUTE_THREADS,
}
"""Lever -> the other one: if either has an option, the common option of both is not read."""
_SESSION = "--tensorflow_session_parallelism"
_ENDINGS = (".pbtxt", ".config", ".txt", ".textproto")
"""Of files in protobuf's text format that are read."""
_LISTED = re.compile(r"model_config_list\.config\.\d+\.name")
_PREFIX = ":tensorflow:serving:"
_PAGE_PATH = "/monitoring/prometheus/metrics"
_WHERE = "command line"


class TensorFlowServing(Framework):
    order: ClassVar[int] = 17
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "tensorflow_model_server 2.20"
    recognised_by: ClassVar[str] = "`tensorflow_model_server`"
    metrics: ClassVar[MetricMap | None] = MetricMap(
        requests=(series(f"{_PREFIX}request_count", status="OK"),),
        errors=(series(f"{_PREFIX}request_count", status="(?!OK$).+"),),
        latency=Distribution(of=(series(f"{_PREFIX}request_latency"),), scale=1e-6),
        queue_time=Distribution(of=(series(f"{_PREFIX}batching_session:queuing_latency"),), scale=1e-6),
        model_label="model_name",
        marks=(_PREFIX, f"# TYPE {_PREFIX}"),
    )
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.COMPUTE_THREADS,
            sources=(argument("--tensorflow_intra_op_parallelism"), argument(_SESSION), env("TF_NUM_INTRAOP_THREADS")),
            default=UNSET,
            default_text="one per CPU",
            advise="threads exceed the CPU limit, which TensorFlow does not see",
        ),
        Knob(
            lever=Lever.INTER_OP_THREADS,
            sources=(argument("--tensorflow_inter_op_parallelism"), argument(_SESSION), env("TF_NUM_INTEROP_THREADS")),
            default=UNSET,
            default_text="one per CPU",
            advise="threads exceed the CPU limit, which TensorFlow does not see",
        ),
        Knob(
            lever=Lever.REQUEST_THREADS,
            sources=(argument("--rest_api_num_threads"),),
            default_text="4 per CPU",
            advise="many threads on few CPUs; gRPC has --grpc_max_threads of its own",
        ),
        Knob(
            lever=Lever.MAX_BATCH_SIZE,
            sources=(file(_BATCHING, _BATCH_KEYS[Lever.MAX_BATCH_SIZE]),),
            default=1000,
            default_text="with --enable_batching; without it requests run one by one",
            advise="many small requests and a model that is faster on many at once",
        ),
        Knob(
            lever=Lever.MAX_BATCH_DELAY,
            sources=(file(_BATCHING, _BATCH_KEYS[Lever.MAX_BATCH_DELAY]),),
            default=0,
            advise="microseconds that a batch waits to fill: less for latency, more for throughput",
            unit_seconds=1e-6,
        ),
        Knob(
            lever=Lever.MAX_QUEUE,
            sources=(file(_BATCHING, _BATCH_KEYS[Lever.MAX_QUEUE]),),
            default=10,
            default_text="batches, not requests",
            advise="requests are refused while queue time is low: more; they wait too long: fewer",
        ),
        Knob(
            lever=Lever.GPU_MEMORY_SHARE,
            sources=(argument("--per_process_gpu_memory_fraction"),),
            default=0.0,
            default_text="0: TensorFlow decides",
        ),
        Knob(lever=Lever.METRICS, sources=(argument(f"--{_MONITORING}"),), default=False, default_text="off"),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        return role_of_program(process, parent, _PROGRAM)

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        keys = {
            _BATCHING: tuple(_BATCH_KEYS.values()),
            _MONITORING: ("prometheus_config.enable", "prometheus_config.path"),
            _MODELS: ("model_config_list.config.*.name", "model_config_list.config.*.base_path"),
        }
        given = {name: option(_arguments(process), f"--{name}") for name in keys}
        return [
            SettingsRequest(name=name, pattern=path, keys=keys[name])
            for name, path in given.items()
            if path and path.endswith(_ENDINGS)
        ]

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        arguments = _arguments(process)
        listed = option(arguments, f"--{_MODELS}")
        name = option(arguments, "--model_name") or "default"
        only = Model(name=name, runtime="tensorflow", path=option(arguments, "--model_base_path"))
        rest = whole_number(option(arguments, "--rest_api_port"))
        port = rest or whole_number(option(arguments, "--port") or 8500)
        return Traits(
            application=splitext(basename(listed))[0] if listed else name,
            port=port or None,
            models=_listed_models(process, facts) if listed else (only,),
            metrics_urls=_metrics_urls(process, rest, facts),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        arguments = _arguments(_front(service))
        knob = self.knob(lever)
        if knob is not None and lever in _THREADS:
            return self._threads(knob, service, facts)
        if lever in _BATCH_KEYS:
            return _batching(lever, arguments, _file(_front(service), _BATCHING, facts))
        return super().setting(lever, service, facts)

    def _threads(self, knob: Knob, service: Service, facts: Facts) -> Setting:
        """The number of threads; 0 in any place leaves it to the next one."""
        arguments = _arguments(_front(service))
        if option(arguments, "--platform_config_file"):
            return Setting(lever=knob.lever, value=None, origin="--platform_config_file sets it")
        other = self.knob(_THREADS[knob.lever])
        is_split = other is not None and whole_number(option(arguments, *other.sources[0].names))
        for held in held_by(knob, service, facts):
            if held.doubt:
                return Setting(lever=knob.lever, value=None, origin=held.doubt)
            if held.value and not (is_split and held.source.names == (_SESSION,)):
                return Setting(lever=knob.lever, value=held.value, origin=held.source.origin)
        return Setting(lever=knob.lever, value=knob.default, origin=f"default ({knob.default_text})")

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        arguments, knob = _arguments(_front(service)), self.knob(lever)
        if knob is None or lever not in (*_BATCH_KEYS, *_THREADS):
            return super().places(lever, value, service, facts)
        found = list(knob_places(knob, value, service, facts))
        path = option(arguments, f"--{_BATCHING}")
        doubt = "--platform_config_file sets it" if option(arguments, "--platform_config_file") else ""
        if lever in _BATCH_KEYS:
            target = path or f"the file of --{_BATCHING}"
            found = [msgspec.structs.replace(one, target=target) for one in found]
            if switch(arguments, "--enable_per_model_batching_parameters"):
                doubt = "each model's own batching_params.pbtxt decides"
            elif not switch(arguments, "--enable_batching"):
                found.insert(0, argument_place(service, "--enable_batching", "true", "batching is off without it"))
        return [msgspec.structs.replace(one, effective=None, because=doubt) for one in found] if doubt else found

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        process = _front(service)
        arguments = _arguments(process)
        found = []
        if not whole_number(option(arguments, "--rest_api_port")):
            found.append(
                Gap(missing="its metrics page, on the REST port", turn_on="--rest_api_port=8501", where=_WHERE)
            )
        line = "prometheus_config { enable: true }"
        path, read = option(arguments, f"--{_MONITORING}"), _file(process, _MONITORING, facts)
        missing = "requests, errors, latency and queue time"
        if not path:
            found.append(Gap(missing=missing, turn_on=f"--{_MONITORING}=FILE, in it: {line}", where=_WHERE))
        elif read and not read.problem and not truth(read.values.get("prometheus_config.enable")):
            found.append(Gap(missing=missing, turn_on=line, where=path))
        return found


def _front(service: Service) -> Process:
    return (service.front_end or service.workers[0]).process


def _arguments(process: Process) -> tuple[str, ...]:
    return parse_command(process.argv).arguments


def _file(process: Process, name: str, facts: Facts) -> SettingsFile | None:
    """The file that an option names; None if it was not read."""
    return next((one for one in settings_files(process.key, facts, name) if one.present), None)


def _batching(lever: Lever, arguments: Sequence[str], read: SettingsFile | None) -> Setting | None:
    """What holds of batches; None for a lever that there is not while batching is off."""
    if option(arguments, "--platform_config_file"):
        return Setting(lever=lever, value=None, origin="--platform_config_file sets it")
    if not switch(arguments, "--enable_batching"):
        off = Setting(lever=lever, value=0, origin="default (off without --enable_batching)")
        return off if lever is Lever.MAX_BATCH_SIZE else None
    if switch(arguments, "--enable_per_model_batching_parameters"):
        return Setting(lever=lever, value=None, origin="each model's own batching_params.pbtxt decides")
    path = option(arguments, f"--{_BATCHING}")
    value = read.values.get(_BATCH_KEYS[lever]) if read else None
    if value is not None:
        return Setting(lever=lever, value=value, origin=f"file {path}")
    if path and (read is None or read.problem):
        return Setting(lever=lever, value=None, origin=f"{path} is not readable")
    return Setting(lever=lever, value=_BATCH_DEFAULTS[lever], origin="default")


def _metrics_urls(process: Process, rest: int | None, facts: Facts) -> tuple[str, ...]:
    read = _file(process, _MONITORING, facts)
    off = read and not read.problem and not truth(read.values.get("prometheus_config.enable"))
    if off or not option(_arguments(process), f"--{_MONITORING}"):
        return ()
    path = read.values.get("prometheus_config.path") if read else None
    return local_urls(rest, path=str(path or _PAGE_PATH))


def _listed_models(process: Process, facts: Facts) -> tuple[Model, ...]:
    read = _file(process, _MODELS, facts)
    values = read.values if read else {}
    names = [key for key in values if _LISTED.fullmatch(key)]
    paths = [values.get(f"{key.removesuffix('name')}base_path") for key in names]
    return tuple(
        Model(name=str(values[key]), runtime="tensorflow", path=str(path) if path else None)
        for key, path in list(zip(names, paths, strict=True))[:MODEL_LIMIT]
    )
