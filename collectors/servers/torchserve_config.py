"""Which settings hold in a TorchServe: config.properties, the environment, and the configuration in each model's archive?

TS_* variables win over the file, but only where the file says `enable_envvars_config=true`. A server that is started
without a file and without `-ncs` takes up the snapshot of its last run instead of config.properties. On one model, the
YAML file in its archive wins over `models` in config.properties, and what its registration said over both.
"""

import re
from collections.abc import Mapping, Sequence
from os.path import basename, join, normpath, splitext

from collectors.command_line import option, parse_command
from collectors.entities import Model, Process
from collectors.facts import Facts, ProcessFacts, SettingsFile
from collectors.framework import SettingsRequest
from collectors.knobs import Source
from collectors.learned import MODEL_LIMIT, settings_files, working_folder
from collectors.levers import Lever, Value
from collectors.per_model import ModelValue, files_below
from collectors.shared_levers import whole_number
from collectors.switches import truth

MAIN = "org.pytorch.serve.ModelServer"
PROPERTIES = "config.properties"
MODEL_CONFIG = "model-config.yaml"
MODEL_KEYS: Mapping[Lever, str] = {
    Lever.MAX_BATCH_SIZE: "batchSize",
    Lever.MAX_BATCH_DELAY: "maxBatchDelay",
    Lever.MAX_QUEUE: "jobQueueSize",
}
"""Lever -> its key in a model's own configuration."""
_DEFAULTS: Mapping[Lever, int] = {Lever.MAX_BATCH_SIZE: 1, Lever.MAX_BATCH_DELAY: 100, Lever.MAX_QUEUE: 100}
_MANIFEST = "MAR-INF/MANIFEST.json"
_MANIFEST_KEYS = ("model.modelName", "model.modelVersion", "model.handler", "model.configFile")
_PROPERTIES = (
    "inference_address", "metrics_address", "metrics_mode", "enable_metrics_api", "default_workers_per_model",
    "job_queue_size", "number_of_netty_threads", "load_models", "model_store", "enable_envvars_config",
    "models.*.*.batchSize", "models.*.*.maxBatchDelay",
)  # fmt: skip
_WITHOUT_PORT = {"inference_address": (80, 443), "metrics_address": (8082, 8445)}
"""The ports of an http and of an https address that names none."""
_ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<host>[^:/]+)(?::(?P<port>\d+))?", re.IGNORECASE)


def server_arguments(process: Process) -> tuple[str, ...] | None:
    """The options behind the main class; None if the process is not the front-end."""
    arguments = parse_command(process.argv).arguments
    return arguments[arguments.index(MAIN) + 1 :] if MAIN in arguments else None


def requests_of(process: Process) -> Sequence[SettingsRequest]:
    """Beside the front-end its properties, beside a worker what is in the archive of its model."""
    arguments = server_arguments(process)
    if arguments is None:
        return (
            SettingsRequest(name=_MANIFEST, pattern=_MANIFEST, keys=_MANIFEST_KEYS),
            SettingsRequest(name=MODEL_CONFIG, pattern=MODEL_CONFIG, keys=tuple(MODEL_KEYS.values())),
        )
    path = option(arguments, "-f", "--ts-config-file") or PROPERTIES
    return (SettingsRequest(name=PROPERTIES, pattern=path, keys=_PROPERTIES),) if path.endswith(".properties") else ()


class ServerConfig:
    """The settings of one server. `values` None: its environment is not readable."""

    def __init__(self, process: Process, values: Mapping[str, str] | None, facts: Facts) -> None:
        self.arguments = server_arguments(process) or ()
        self.path = option(self.arguments, "-f", "--ts-config-file") or PROPERTIES
        self.file: SettingsFile | None = next(iter(settings_files(process.key, facts, PROPERTIES)), None)
        self._values = values
        self.doubt = self._doubt()
        """Why a setting that is not seen may be set all the same; empty if all is known."""

    def _doubt(self) -> str:
        if self.file is None:
            return f"{self.path} is not readable"
        if self.file.problem:
            return f"{self.path}: {self.file.problem}"
        told = option(self.arguments, "-f", "--ts-config-file") or "-ncs" in self.arguments
        if not told and "--no-config-snapshot" not in self.arguments:
            return "a snapshot of the last run may hold instead of config.properties (no -f, no -ncs)"
        return "the environment is not readable" if self._reads_environment and self._values is None else ""

    @property
    def _reads_environment(self) -> bool:
        return bool(self.file and truth(self.file.values.get("enable_envvars_config")))

    def sources(self, every: Sequence[Source]) -> tuple[Source, ...]:
        """The places of a knob that this server reads."""
        return tuple(source for source in every if source.kind != "env" or self._reads_environment)

    def text(self, key: str) -> str | None:
        """A setting as text; None if no place that was read sets it."""
        held = (self._values or {}).get(f"TS_{key.upper()}") if self._reads_environment else None
        value = held if held is not None or self.file is None else self.file.values.get(key)
        return None if value is None else str(value)

    def address(self, key: str, default: int) -> tuple[str | None, int | None, bool]:
        """(host, port, whether it is TLS) of an address; (None, None, False) if it is not known."""
        text = self.text(key)
        if text is None:
            return (None, None, False) if self.doubt else (None, default, False)
        found = _ADDRESS.fullmatch(text.strip())
        if found is None:
            return None, None, False
        secure = found["scheme"].lower() == "https"
        return found["host"], whole_number(found["port"]) or _WITHOUT_PORT[key][secure], secure

    @property
    def load_models(self) -> tuple[str, ...] | None:
        """What is loaded at start (`name=file.mar`, `file.mar`, `all`); None if it is not known."""
        if "-m" in self.arguments or "--models" in self.arguments:
            start = next(at for at, item in enumerate(self.arguments) if item in ("-m", "--models")) + 1
            rest = self.arguments[start:]
            return rest[: next((at for at, item in enumerate(rest) if item.startswith("-")), len(rest))]
        text = self.text("load_models")
        if text is None:
            return None if self.doubt else ()
        return tuple(part.strip() for part in text.split(",") if part.strip() and part.strip() != "standalone")

    @property
    def store(self) -> str:
        """The folder of the archives; empty if it is not known."""
        return option(self.arguments, "-s", "--model-store") or self.text("model_store") or ""

    @property
    def application(self) -> str:
        """What the server is called, which does not depend on how far it has started: its one model, else its store."""
        named = self.named_models()
        return named[0].name if len(named) == 1 else basename(normpath(self.store)).strip(".") or "torchserve"

    def named_models(self) -> tuple[Model, ...]:
        """The models that are loaded at start, as far as they are named."""
        found = []
        for item in self.load_models or ():
            name, equals, archive = item.rpartition("=")
            if item.lower() != "all":
                path = archive if "://" in archive else join(self.store, archive)
                found.append(Model(name=name if equals else splitext(basename(archive))[0], path=path))
        return tuple(found[:MODEL_LIMIT])

    def of_model(self, name: str, version: str | None, key: str) -> Value:
        """A model's value in `models`, which is an object in JSON; None if it is not there."""
        return self.file.values.get(f"models.{name}.{version or '1.0'}.{key}") if self.file else None


class ModelArchive:
    """What is in the archive of one model, by its worker: the working folder is the extracted archive."""

    def __init__(self, process: Process, known: ProcessFacts, facts: Facts) -> None:
        self.process, self.folder = process, working_folder(process.key, facts)
        manifest = next((one for one in known.settings_files if one.name == _MANIFEST and one.present), None)
        self._values = manifest.values if manifest else {}
        self.config = next((one for one in known.settings_files if one.name == MODEL_CONFIG), None)

    def text(self, key: str) -> str | None:
        value = self._values.get(f"model.{key}")
        return None if value is None else str(value)

    @property
    def name(self) -> str:
        return self.text("modelName") or basename(self.folder or "") or "model"

    def model(self, given: Model | None, facts: Facts) -> Model:
        """The model; `given` is how the server was told to load it, if it loads no other."""
        return Model(
            name=given.name if given else self.name,
            version=self.text("modelVersion"),
            runtime=self.text("handler"),
            path=given.path if given else self.folder,
            files=files_below(".", [self.process], facts),
        )

    def held(self, lever: Lever, server: ServerConfig) -> ModelValue:
        """A setting of this model where nothing was said when it was registered."""
        key, other = MODEL_KEYS[lever], self.text("configFile")
        if other not in (None, "", MODEL_CONFIG) or self.config is None or self.config.problem:
            return ModelValue(self.name, None, f"{other or MODEL_CONFIG} in its archive is not readable")
        value = whole_number(self.config.values.get(key))
        if value is not None and value > 0:
            return ModelValue(self.name, value, f"file {MODEL_CONFIG}")
        if server.doubt:
            return ModelValue(self.name, None, server.doubt)
        if lever is Lever.MAX_QUEUE:
            return self._or_default(lever, whole_number(server.text("job_queue_size")), "job_queue_size")
        return self._or_default(lever, server.of_model(self.name, self.text("modelVersion"), key), "models")

    def _or_default(self, lever: Lever, value: Value, key: str) -> ModelValue:
        if value is None:
            return ModelValue(self.name, _DEFAULTS[lever], "default")
        return ModelValue(self.name, value, f"file {PROPERTIES} ({key})")


def archives(processes: Sequence[Process], facts: Facts) -> list[ModelArchive]:
    """One archive a model, by the first worker that runs it."""
    found: dict[str, ModelArchive] = {}
    for process in processes:
        known, folder = facts.get(process.key), working_folder(process.key, facts)
        if known is not None and folder is not None and server_arguments(process) is None:
            found.setdefault(folder, ModelArchive(process, known, facts))
    return list(found.values())[:MODEL_LIMIT]
