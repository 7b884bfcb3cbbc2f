"""What do settings.json, the model-settings.json files and the environment of an MLServer say?

A file wins over the environment, key by key, `null` included. MLSERVER_MODEL_* holds for every model whose file does not
set the key.
"""

from collections.abc import Iterator, Mapping, Sequence
from os.path import basename, dirname, join, normpath

from collectors.entities import Model, Process
from collectors.facts import Facts, SettingsFile
from collectors.framework import ModelRequest
from collectors.learned import MODEL_LIMIT, settings_files
from collectors.levers import Value
from collectors.model_file import ModelFile
from collectors.per_model import files_below
from collectors.shared_levers import whole_number

SETTINGS = "settings.json"
MODEL_SETTINGS = "model-settings.json"
KEYS = (
    "host", "http_port", "metrics_port", "metrics_endpoint", "metrics_rest_server_prefix", "parallel_workers",
)  # fmt: skip
POOL_KEYS = ("parameters.inference_pool_gid", "parameters.environment_tarball", "parameters.environment_path")
"""Each of them, and each combination of values, gives a model a pool of workers of its own."""
_URI, _PRETRAINED = "parameters.uri", "parameters.extra.pretrained_model"
MODEL_KEYS = (
    "name", "implementation", "platform", "max_batch_size", "max_batch_time", _URI, "parameters.version",
    "parameters.format", _PRETRAINED, *POOL_KEYS,
)  # fmt: skip


def variable_of(key: str) -> str:
    """The variable that sets a key of settings.json."""
    return f"MLSERVER_{key.upper()}"


def model_variable_of(key: str) -> str:
    """The variable that sets a key of model-settings.json."""
    name = "HUGGINGFACE_PRETRAINED_MODEL" if key == _PRETRAINED else key.removeprefix("parameters.").upper()
    return f"MLSERVER_MODEL_{name}"


class ServerSettings:
    """settings.json and the environment of one server. `file` None: it could not be looked for; `values` None: the
    environment is not readable."""

    def __init__(self, process: Process, values: Mapping[str, str] | None, facts: Facts) -> None:
        files = settings_files(process.key, facts, SETTINGS)
        self.file: SettingsFile | None = next(iter(files), None)
        self.values = values

    @property
    def path(self) -> str:
        return self.file.path if self.file else SETTINGS

    def in_file(self, key: str) -> bool:
        return self.file is not None and key in self.file.values

    def text(self, key: str) -> str | None:
        """The value of a setting as text, settings.json first; None if neither place sets it."""
        if self.file and self.file.values.get(key) is not None:
            return str(self.file.values[key])
        return None if self.in_file(key) else (self.values or {}).get(variable_of(key))

    def doubt(self, key: str) -> str:
        """Why a setting that neither place shows may be set all the same."""
        if self.file is None or self.file.problem:
            return f"{SETTINGS} is not readable"
        return "the environment is not readable" if self.values is None and not self.in_file(key) else ""

    def number(self, key: str, default: int) -> int | None:
        """The setting, or its default if both places were readable and silent; None if it is not known."""
        given = whole_number(self.text(key))
        return default if given is None and not self.doubt(key) else given

    def endpoint(self) -> str | None:
        """Path of the metrics page; empty if it is switched off, None if that is not known."""
        given = self.text("metrics_endpoint")
        if given is not None:
            return given
        if self.in_file("metrics_endpoint"):
            return ""
        return None if self.doubt("metrics_endpoint") else "/metrics"


class ModelSettings:
    """What is said of one model. `file` None: the environment alone describes it."""

    def __init__(self, file: SettingsFile | None, values: Mapping[str, str] | None) -> None:
        self.file = file
        self.values = values

    def held(self, key: str) -> tuple[Value, str]:
        """(value, where it is set); (None, "") if neither place sets it."""
        if self.file and self.file.values.get(key) is not None:
            return self.file.values[key], f"file {MODEL_SETTINGS}"
        if self.file and key in self.file.values:
            return None, ""
        name = model_variable_of(key)
        text = (self.values or {}).get(name)
        return (None, "") if text is None else (text, f"env {name}")

    def text(self, key: str) -> str | None:
        value, _ = self.held(key)
        return None if value is None else str(value)

    @property
    def name(self) -> str:
        return self.text("name") or basename(self.folder) or "model"

    @property
    def folder(self) -> str:
        """Where the file lies; empty without one."""
        return dirname(self.file.path) if self.file else ""

    @property
    def pool(self) -> tuple[str | None, ...]:
        """Models of the same value here share workers."""
        return tuple(self.text(key) for key in POOL_KEYS)

    def doubt(self, key: str) -> str:
        if self.file and self.file.problem:
            return f"{self.file.path}: {self.file.problem}"
        decided = self.file is not None and key in self.file.values
        return "the environment is not readable" if self.values is None and not decided else ""

    def model(self, processes: Sequence[Process], facts: Facts) -> Model:
        """`processes`: the server's, beside which the headers of its models were read."""
        wanted = self.request()
        return Model(
            name=self.name,
            version=self.text("parameters.version"),
            runtime=self.text("implementation"),
            path=self.text(_PRETRAINED) or self.text(_URI) or self.folder or None,
            format=self.text("parameters.format") or self.text("platform") or None,
            files=_files_of(wanted, processes, facts) if wanted else (),
        )

    def request(self) -> ModelRequest | None:
        """The file or folder to read; None for a model that lies elsewhere."""
        named = self.text(_PRETRAINED)
        if named and not named.startswith((".", "/")):
            return ModelRequest(location=named, hub=True)
        path = (named or self.text(_URI) or self.folder).removeprefix("file:")
        if not path or ":" in path.partition("/")[0]:
            return None
        return ModelRequest(location=normpath(join(self.folder, path)))


def _files_of(wanted: ModelRequest, processes: Sequence[Process], facts: Facts) -> tuple[ModelFile, ...]:
    if not wanted.hub:
        return files_below(wanted.location, processes, facts)
    known = (facts.get(process.key) for process in processes)
    below = f"/models--{wanted.location.replace('/', '--')}/"
    found = {one.path: one for each in known if each for one in each.models if below in one.path}
    return tuple(found.values())


def model_settings(files: Sequence[SettingsFile], values: Mapping[str, str] | None) -> list[ModelSettings]:
    """The models of the repository; without any, the one that the environment describes."""
    present = [ModelSettings(one, values) for one in files if one.name == MODEL_SETTINGS and one.present]
    if present or not (values or {}).get("MLSERVER_MODEL_NAME"):
        return present[:MODEL_LIMIT]
    return [ModelSettings(None, values)]


def pools(models: Sequence[ModelSettings]) -> int:
    """How many pools of workers run: the default one, which is there in any case, and those of single models."""
    return 1 + len({one.pool for one in models if any(one.pool)})


def requests_of(models: Sequence[ModelSettings]) -> Iterator[ModelRequest]:
    for one in models:
        if (wanted := one.request()) is not None:
            yield wanted
