"""Which models does an OpenVINO Model Server hold, and what is set on each?

One model is described on the command line, several in a JSON file of --config_path. Options of the device plugin are an
object in the file and its text on the command line.
"""

import re
from collections.abc import Mapping
from os.path import dirname, join, normpath

import msgspec

from collectors.command_line import option, parse_command
from collectors.entities import Model, Process
from collectors.facts import Facts, SettingsFile
from collectors.framework import ModelRequest, SettingsRequest
from collectors.knobs import plain
from collectors.learned import MODEL_LIMIT, settings_files
from collectors.levers import Lever, Value
from collectors.per_model import ModelValue, files_below
from collectors.switches import switch

CONFIG = "config_path"
PLUGIN_KEYS: Mapping[Lever, str] = {
    Lever.MODEL_INSTANCES: "NUM_STREAMS",
    Lever.COMPUTE_THREADS: "INFERENCE_NUM_THREADS",
    Lever.THREAD_BINDING: "ENABLE_CPU_PINNING",
}
"""Lever -> its option of the device plugin."""
_HINT = "PERFORMANCE_HINT"
_WORDS: Mapping[str, Value] = {"true": True, "false": False}
_AUTO = frozenset((0, "AUTO", ""))
"""What leaves a number to the server."""
_MODEL = "model_config_list.*.config."
_KEYS = (
    "monitoring.metrics.enable",
    *(f"{_MODEL}{key}" for key in ("name", "base_path", "nireq", "target_device")),
    *(f"{_MODEL}plugin_config.{key}" for key in (*PLUGIN_KEYS.values(), _HINT)),
    "mediapipe_config_list.*.name", "mediapipe_config_list.*.base_path", "pipeline_config_list.*.nodes.*.model_name",
)  # fmt: skip
_LISTED = re.compile(r"(model_config_list\.\d+\.config|mediapipe_config_list\.\d+)\.name")
_NODE = re.compile(r"pipeline_config_list\.(\d+)\.nodes\.(\d+)\.model_name")


class OvmsModel(msgspec.Struct, frozen=True):
    """One model as it is configured. `plugin` None: its options could not be understood. `origin`: where they stand;
    `doubt`: why what is not seen there may be set all the same."""

    name: str
    path: str | None
    device: str | None
    nireq: Value
    plugin: Mapping[str, Value] | None
    origin: str
    doubt: str = ""

    def held(self, lever: Lever) -> ModelValue:
        """A setting of the model. What the server works out itself is not known, and the origin says from what."""
        key = PLUGIN_KEYS.get(lever)
        if key is None:
            given = self.nireq not in (None, *_AUTO)
            text = self.doubt or "default (as many as the device has room for)"
            return ModelValue(self.name, self.nireq if given else None, f"{self.origin} nireq" if given else text)
        if self.plugin is None:
            return ModelValue(self.name, None, f"{self.origin} plugin_config is not readable")
        value = self.plugin.get(key)
        if value is False or (value is not None and value not in _AUTO):
            return ModelValue(self.name, value, f"{self.origin} plugin_config {key}")
        hint = self.plugin.get(_HINT)
        text = self.doubt or (f"{self.origin} {_HINT} {hint} decides" if hint else f"default ({_DEFAULTS[lever]})")
        return ModelValue(self.name, None, text)

    def with_plugin(self, key: str, value: Value) -> str:
        """The text of --plugin_config with one option set to `value`."""
        held = dict(self.plugin or {}) | {key: _WORDS.get(str(value).lower(), value)}
        return msgspec.json.encode(held).decode()

    def model(self, process: Process, facts: Facts) -> Model:
        files = files_below(self.path, [process], facts) if self.path else ()
        streams = self.held(Lever.MODEL_INSTANCES).value
        instances = streams if isinstance(streams, int) and streams > 0 else None
        return Model(name=self.name, runtime="openvino", path=self.path, files=files, instances=instances)

    def request(self) -> ModelRequest | None:
        """The model to read; None for one in a bucket (`s3://…`)."""
        if not self.path or ":/" in self.path:
            return None
        return ModelRequest(location=self.path)


_DEFAULTS = {
    Lever.MODEL_INSTANCES: "one stream per CPU socket or GPU",
    Lever.COMPUTE_THREADS: "OpenVINO takes the CPUs that it may use",
    Lever.THREAD_BINDING: "on; newer servers leave it off under a CPU limit",
}


class OvmsConfig:
    """The command line of one server and the file that it names."""

    def __init__(self, process: Process, facts: Facts) -> None:
        self.arguments = parse_command(process.argv).arguments
        self.path = option(self.arguments, "--config_path")
        self.file: SettingsFile | None = next(iter(settings_files(process.key, facts, CONFIG)), None)

    @property
    def metrics_enabled(self) -> bool | None:
        """Whether the metrics page is switched on; None if the file that may do so was not read."""
        if switch(self.arguments, "--metrics_enable"):
            return True
        if self.path is None:
            return False
        given = self.file.values.get("monitoring.metrics.enable") if self.file else None
        if given is None and (self.file is None or self.file.problem):
            return None
        return given is True

    @property
    def models(self) -> list[OvmsModel]:
        """The models and graphs; empty if there is a file and it was not read."""
        if self.path is None:
            return [self._only]
        values = self.file.values if self.file else {}
        found: dict[str, OvmsModel] = {}
        for key, name in values.items():
            if (match := _LISTED.fullmatch(key)) and name:
                found.setdefault(str(name), self._listed(str(name), f"{match[1]}.", values))
        return list(found.values())[:MODEL_LIMIT]

    @property
    def chains(self) -> tuple[tuple[str, ...], ...]:
        """Pipelines of models, in the order in which their nodes are written."""
        nodes: dict[int, dict[int, str]] = {}
        for key, name in (self.file.values if self.file else {}).items():
            if match := _NODE.fullmatch(key):
                nodes.setdefault(int(match[1]), {})[int(match[2])] = str(name)
        return tuple(tuple(nodes[one][node] for node in sorted(nodes[one])) for one in sorted(nodes))

    def requests(self) -> list[SettingsRequest]:
        if not self.path or not self.path.endswith(".json"):
            return []
        return [SettingsRequest(name=CONFIG, pattern=self.path, keys=_KEYS)]

    @property
    def _only(self) -> OvmsModel:
        given = option(self.arguments, "--plugin_config")
        path = option(self.arguments, "--model_path")
        name = option(self.arguments, "--model_name") or option(self.arguments, "--source_model")
        number = option(self.arguments, "--nireq")
        return OvmsModel(
            name or (normpath(path).rpartition("/")[2] if path else "model"), path,
            option(self.arguments, "--target_device"), None if number is None else plain(number), _plugin(given), "argument",
        )  # fmt: skip

    def _listed(self, name: str, at: str, values: Mapping[str, Value]) -> OvmsModel:
        every = (*PLUGIN_KEYS.values(), _HINT)
        plugin = {key: _plain(held) for key in every if (held := values.get(f"{at}plugin_config.{key}")) is not None}
        path, device = self._inside(values.get(f"{at}base_path")), values.get(f"{at}target_device")
        doubt = f"{self.path}: {self.file.problem}" if self.file and self.file.problem else ""
        origin, nireq = f"file {self.path}", values.get(f"{at}nireq")
        return OvmsModel(name, path, str(device) if device else None, nireq, plugin, origin, doubt)

    def _inside(self, path: Value) -> str | None:
        """A path of the file, which counts from the folder of the file."""
        text = str(path) if path else None
        return text if text is None or ":/" in text else normpath(join(dirname(self.path or ""), text))


def _plugin(text: str | None) -> Mapping[str, Value] | None:
    """The options in the text of --plugin_config."""
    try:
        held = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return None
    if not isinstance(held, dict):
        return None
    return {str(key): _plain(value) for key, value in held.items() if isinstance(value, bool | int | float | str)}


def _plain(value: Value) -> Value:
    return plain(value) if isinstance(value, str) else value
