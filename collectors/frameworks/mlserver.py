"""MLServer: which processes are its front-end and workers, where is settings.json, and what do its metrics mean?

`mlserver start FOLDER` reads FOLDER/settings.json, which wins over MLSERVER_* variables. With `parallel_workers` 0 the
front-end runs the models itself; otherwise it spawns anonymous workers and a resource tracker.
"""

from collections.abc import Mapping, Sequence
from os.path import basename, dirname, normpath
from typing import ClassVar, Literal

from collectors.command_line import parse_command, positionals, role_of_program
from collectors.entities import Model, Process, Role, Service
from collectors.facts import ProcessFacts, SettingsFile
from collectors.framework import Facts, Framework, MetricMap, SettingsRequest, Traits
from collectors.learned import environment_of, server_environment, settings_files, working_folder
from collectors.levers import Lever, Place, Setting, Value
from collectors.shared_levers import counted_workers, env_place, shared_places, shared_setting, whole_number

_SETTINGS = "settings.json"
_MODEL_SETTINGS = "model-settings.json"
_KEYS = ("host", "http_port", "grpc_port", "metrics_port", "metrics_endpoint", "parallel_workers")
_MODEL_KEYS = ("name", "implementation", "parameters.uri", "parameters.version", "max_batch_size", "max_batch_time")
_WORKERS = "parallel_workers"
_WORKERS_VARIABLE = "MLSERVER_PARALLEL_WORKERS"
_ANY_ADDRESS = frozenset(("", "0.0.0.0", "::", "[::]"))  # noqa: S104 - compared with, not bound to


class MlServer(Framework):
    order: ClassVar[int] = 10
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"
    metrics: ClassVar[MetricMap | None] = MetricMap(
        requests=("model_infer_request_success",),
        errors=("model_infer_request_failure",),
        latency=("model_infer_request_duration",),
        queue=("parallel_request_queue",),
        in_flight=("rest_server_requests_in_progress",),
        batch=("batch_request_queue",),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        role = role_of_program(process, parent, "mlserver", "mlserver.cli", "mlserver.cli.main")
        command = parse_command(process.argv)
        runs_other_verb = command.program.startswith("mlserver") and "start" not in command.arguments
        return None if runs_other_verb else role

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        folder = _folder(process)
        if folder is None:
            return ()
        prefix = "" if folder == "." else f"{folder}/"
        wanted = [SettingsRequest(name=_SETTINGS, pattern=prefix + _SETTINGS, keys=_KEYS)]
        for depth in ("", "*/", "*/*/"):
            pattern = f"{prefix}{depth}{_MODEL_SETTINGS}"
            wanted.append(SettingsRequest(name=_MODEL_SETTINGS, pattern=pattern, keys=_MODEL_KEYS))
        return wanted

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        folder = _folder(process) or "."
        name = basename(folder if folder != "." else working_folder(process.key, facts) or "")
        values = environment_of((p for p, _ in processes), facts).values
        server = _Settings(process, values, facts)
        return Traits(
            application=name or "mlserver",
            port=server.number("http_port", 8080),
            models=_models(process, server, facts),
            metrics_url=_metrics_url(server),
            request_threads=1,
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        if lever is not Lever.WORKERS:
            return shared_setting(lever, service, facts)
        server = _settings(service, facts)
        if server.file and server.file.values.get(_WORKERS) is not None:
            number = whole_number(server.file.values[_WORKERS])
            return Setting(lever=lever, value=number, origin=f"file {_SETTINGS}")
        if not server.file:
            return counted_workers(service, f"{_SETTINGS} is not readable")
        if server.values is None:
            return counted_workers(service, "the environment is not readable")
        number = whole_number(server.values.get(_WORKERS_VARIABLE))
        origin = "default" if number is None else f"env {_WORKERS_VARIABLE}"
        return Setting(lever=lever, value=1 if number is None else number, origin=origin)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        if lever is not Lever.WORKERS:
            return shared_places(lever, value, service, facts)
        server = _settings(service, facts)
        because = f"{_SETTINGS} wins over the environment"
        path = server.file.path if server.file else _SETTINGS
        in_file = Place(kind="file", target=path, key=_WORKERS, value=value, effective=True, because=because)
        if server.file is None:
            env = env_place(service, _WORKERS_VARIABLE, value, None, f"{_SETTINGS} is not readable, and would win")
            return (in_file, env)
        held = server.file.values.get(_WORKERS)
        if held is not None:
            wins = f"{_SETTINGS} sets {_WORKERS} to {held} and wins"
            return (in_file, env_place(service, _WORKERS_VARIABLE, value, False, wins))
        env = env_place(service, _WORKERS_VARIABLE, value, True, f"{_SETTINGS} does not set it")
        return (env, in_file)


class _Settings:
    """settings.json and the environment of one server. `file` None: it could not be looked for; `values` None: the
    environment is not readable."""

    def __init__(self, process: Process, values: Mapping[str, str] | None, facts: Facts) -> None:
        files = settings_files(process.key, facts, _SETTINGS)
        self.file: SettingsFile | None = next(iter(files), None)
        self.values = values

    def text(self, key: str) -> str | None:
        """The value of a setting as text, settings.json first; None if neither place sets it."""
        if self.file and self.file.values.get(key) is not None:
            return str(self.file.values[key])
        return (self.values or {}).get(f"MLSERVER_{key.upper()}")

    def number(self, key: str, default: int) -> int | None:
        """The setting, or its default if both places were readable and silent; None if it is not known."""
        given = whole_number(self.text(key))
        return given if given is not None or self.file is None else default


def _settings(service: Service, facts: Facts) -> _Settings:
    process = (service.front_end or service.workers[0]).process
    return _Settings(process, server_environment(service, facts).values, facts)


def _folder(process: Process) -> str | None:
    """FOLDER of `mlserver start FOLDER`, without a slash at its end; None for a worker."""
    words = positionals(parse_command(process.argv).arguments, frozenset())
    return normpath(words[1]) if words[:1] == ["start"] and len(words) > 1 else None


def _metrics_url(server: _Settings) -> str | None:
    port = server.number("metrics_port", 8082)
    file_says_off = server.file is not None and "metrics_endpoint" in server.file.values
    endpoint = server.text("metrics_endpoint") or (None if file_says_off else "/metrics")
    if port is None or endpoint is None:
        return None
    host = server.text("host") or ""
    return f"http://{'127.0.0.1' if host in _ANY_ADDRESS else host}:{port}/{endpoint.lstrip('/')}"


def _models(process: Process, server: _Settings, facts: Facts) -> tuple[Model, ...]:
    """The models of the repository; without any, the one that the environment describes."""
    files = [file for file in settings_files(process.key, facts, _MODEL_SETTINGS) if file.present]
    if files:
        return tuple(_model(file) for file in files)
    values = server.values or {}
    name = values.get("MLSERVER_MODEL_NAME")
    if not name:
        return ()
    runtime, path = values.get("MLSERVER_MODEL_IMPLEMENTATION"), values.get("MLSERVER_MODEL_URI")
    return (Model(name=name, version=values.get("MLSERVER_MODEL_VERSION"), runtime=runtime, path=path),)


def _model(file: SettingsFile) -> Model:
    held = {key: str(value) for key, value in file.values.items() if value is not None}
    return Model(
        name=held.get("name") or basename(dirname(file.path)) or "model",
        version=held.get("parameters.version"),
        runtime=held.get("implementation"),
        path=held.get("parameters.uri") or dirname(file.path),
    )
