"""What do the command line of a Triton and the config.pbtxt of each of its models say?

Triton completes what a config.pbtxt leaves out from the model itself unless it is told not to, so that a batch size that
is not written, or written as 0, need not be 0.
"""

import re
from collections.abc import Mapping, Sequence
from os.path import basename, dirname, normpath

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import option, options, parse_command
from collectors.entities import Model, Process, WorkerKey
from collectors.facts import Facts, SettingsFile
from collectors.framework import SettingsRequest
from collectors.knobs import plain
from collectors.learned import MODEL_LIMIT, settings_files
from collectors.levers import Lever, Value
from collectors.model_file import ModelFile
from collectors.per_model import ModelValue
from collectors.shared_levers import whole_number
from collectors.switches import switch, truth

SERVER = "tritonserver"
CONFIG = "config.pbtxt"
ONNX_RUNTIME = "onnxruntime"
FILE_KEYS: Mapping[Lever, str] = {
    Lever.MODEL_INSTANCES: "instance_group.0.count",
    Lever.MAX_BATCH_SIZE: "max_batch_size",
    Lever.MAX_BATCH_DELAY: "dynamic_batching.max_queue_delay_microseconds",
    Lever.MAX_QUEUE: "dynamic_batching.default_queue_policy.max_queue_size",
    Lever.COMPUTE_THREADS: "parameters.intra_op_thread_count",
    Lever.INTER_OP_THREADS: "parameters.inter_op_thread_count",
}
"""Lever -> its key in config.pbtxt."""
THREADS = frozenset((Lever.COMPUTE_THREADS, Lever.INTER_OP_THREADS))
_KEYS = (
    "name", "platform", "backend", *FILE_KEYS.values(), "instance_group.*", "instance_group.0.kind",
    "ensemble_scheduling.step.*.model_name",
)  # fmt: skip
_GROUP = re.compile(r"instance_group\.\d+")
_BACKENDS = {
    "onnxruntime_onnx": ONNX_RUNTIME, "tensorflow_savedmodel": "tensorflow", "tensorflow_graphdef": "tensorflow",
    "pytorch_libtorch": "pytorch", "tensorrt_plan": "tensorrt",
}  # fmt: skip
"""Older configurations name a platform instead of a backend."""
_WEIGHTS = {ONNX_RUNTIME: "model.onnx", "pytorch": "model.pt"}
_TWO_ON_CPU = frozenset((ONNX_RUNTIME, "tensorflow"))
"""Backends of which Triton runs two instances where a group on the CPU has no count."""
_LOADED_BY_AGENT = "/mnt/agent/models"
"""Where Seldon Core 2 puts a model just before it has it loaded."""


class TritonCommand:
    """The command line of one tritonserver; that of a Python model whose server is gone says nothing."""

    def __init__(self, process: Process) -> None:
        command = parse_command(process.argv)
        self.is_server = command.program == SERVER
        self.arguments = command.arguments if self.is_server else ()
        given = options(self.arguments, "--model-repository", "--model-store")
        self.repositories = [normpath(path) for path in given if path]

    @property
    def local(self) -> list[str]:
        """The repositories that are folders; others are buckets (`s3://…`)."""
        return [path for path in self.repositories if ":/" not in path]

    @property
    def port(self) -> int | None:
        """The HTTP port, or the gRPC port of a server without HTTP."""
        http = switch(self.arguments, "--allow-http") is not False
        name, default = ("--http-port", 8000) if http else ("--grpc-port", 8001)
        return whole_number(option(self.arguments, name) or default) if self.is_server else None

    @property
    def metrics_urls(self) -> tuple[str, ...]:
        if not self.is_server or switch(self.arguments, "--allow-metrics") is False:
            return ()
        host = option(self.arguments, "--metrics-address") or option(self.arguments, "--http-address")
        return local_urls(whole_number(option(self.arguments, "--metrics-port") or 8002), host=host)

    @property
    def reads_again(self) -> bool:
        """Whether a changed config.pbtxt holds without a restart: the repository is polled, or models are loaded over
        the management API."""
        return option(self.arguments, "--model-control-mode") in ("poll", "explicit")

    @property
    def completes(self) -> bool:
        """Whether Triton completes configurations from the models."""
        strict = switch(self.arguments, "--strict-model-config")
        return "--disable-auto-complete-config" not in self.arguments and not strict

    def is_loaded(self, name: str, path: str) -> bool:
        """Whether a model of a repository is loaded at start; which ones clients had loaded later is not visible."""
        named = options(self.arguments, "--load-model")
        explicit = option(self.arguments, "--model-control-mode") == "explicit"
        return not explicit or name in named or named == ["*"] or path.startswith(_LOADED_BY_AGENT)

    def requests(self) -> list[SettingsRequest]:
        """The configurations to read: that of the name which --model-config-name gives wins over config.pbtxt."""
        named = option(self.arguments, "--model-config-name")
        ends = (f"configs/{named}.pbtxt", CONFIG) if named and "/" not in named else (CONFIG,)
        return [
            SettingsRequest(name=CONFIG, pattern=f"{folder}/*/{end}", keys=_KEYS)
            for end in ends
            for folder in self.local
        ]

    def backend_threads(self, lever: Lever) -> ModelValue | None:
        """What ONNX Runtime's own options say of its threads; None if they leave them to the models."""
        given = dict(
            text.partition(",")[2].partition("=")[::2]
            for text in options(self.arguments, "--backend-config")
            if text.startswith(f"{ONNX_RUNTIME},")
        )
        if not truth(given.get("enable-global-threadpool", "")):
            return None
        name = FILE_KEYS[lever].rpartition(".")[2]
        return ModelValue("", plain(given.get(name, "0")), f"argument --backend-config={ONNX_RUNTIME},{name}")


class ModelConfig(msgspec.Struct, frozen=True):
    """The configuration of one model and the folder of the model."""

    file: SettingsFile
    folder: str

    @property
    def name(self) -> str:
        return str(self.file.values.get("name") or basename(self.folder))

    @property
    def backend(self) -> str:
        platform = str(self.file.values.get("platform") or "")
        return str(self.file.values.get("backend") or _BACKENDS.get(platform, platform))

    @property
    def steps(self) -> tuple[str, ...]:
        """The models of an ensemble, as written; empty for a model."""
        held = (item for item in self.file.values.items() if item[0].startswith("ensemble_scheduling.step."))
        return tuple(str(name) for _, name in sorted(held, key=lambda item: int(item[0].split(".")[2])))

    @property
    def is_ensemble(self) -> bool:
        return bool(self.steps) or self.backend == "ensemble"

    @property
    def weights(self) -> str | None:
        """The file of the model's first version under the name that its backend expects; None for other backends."""
        name = _WEIGHTS.get(self.backend)
        return f"{self.folder}/1/{name}" if name else None

    def model(self, command: TritonCommand, files: tuple[ModelFile, ...] = ()) -> Model:
        platform = self.file.values.get("platform")
        instances = self.held(Lever.MODEL_INSTANCES, command).value
        return Model(
            name=self.name,
            runtime=self.backend or None,
            path=self.folder,
            format=str(platform) if platform else None,
            files=files,
            instances=instances if isinstance(instances, int) and instances > 0 and not self.is_ensemble else None,
        )

    def held(self, lever: Lever, command: TritonCommand) -> ModelValue:
        """What the file says, or what holds if it does not."""
        value, origin = self.file.values.get(FILE_KEYS[lever]), f"file {self.file.path}"
        value = plain(value) if isinstance(value, str) else value
        if lever is Lever.MODEL_INSTANCES and self._groups > 1:
            return ModelValue(self.name, None, f"{self.file.path} has several instance groups")
        if value is not None and (value != 0 or lever is Lever.MAX_BATCH_DELAY):
            return ModelValue(self.name, value, origin)
        if self.file.problem:
            return ModelValue(self.name, None, f"{self.file.path}: {self.file.problem}")
        return self._default(lever, command)

    @property
    def _groups(self) -> int:
        return sum(_GROUP.fullmatch(key) is not None for key in self.file.values)

    def _default(self, lever: Lever, command: TritonCommand) -> ModelValue:
        default: Value = 0
        text = "default"
        if lever is Lever.MODEL_INSTANCES:
            default, text = self._instances()
        elif lever is Lever.MAX_BATCH_SIZE and command.completes:
            default, text = None, f"{self.file.path} does not set it, and Triton completes it from the model"
        elif lever in THREADS:
            text = "default (0: one per core)"
        elif lever is Lever.MAX_QUEUE:
            text = "default (0: no limit)"
        return ModelValue(self.name, default, text)

    def _instances(self) -> tuple[Value, str]:
        kind = self.file.values.get("instance_group.0.kind")
        if self.backend not in _TWO_ON_CPU or kind == "KIND_GPU":
            return (
                (1, "default (1 per GPU, 1 on the CPU)")
                if self.backend
                else (None, f"{self.file.path} names no backend")
            )
        return (2, "default (2 on the CPU)") if kind == "KIND_CPU" else (None, "default (1 per GPU, 2 on the CPU)")


def model_configs(key: WorkerKey, command: TritonCommand, facts: Facts) -> list[ModelConfig]:
    """The configurations of the models that are loaded, one a model, by name."""
    found: dict[str, ModelConfig] = {}
    for each in settings_files(key, facts, CONFIG):
        folder = dirname(each.path)
        folder = folder if basename(each.path) == CONFIG else dirname(folder)
        one = ModelConfig(each, folder)
        if each.present and command.is_loaded(one.name, folder):
            found.setdefault(folder, one)  # the named configuration is asked for first and wins
    return sorted(found.values(), key=lambda one: one.name)[:MODEL_LIMIT]


def chains_of(configs: Sequence[ModelConfig]) -> tuple[tuple[str, ...], ...]:
    """The ensembles, each as its models in the order of its steps, which is how they are written; Triton itself goes by
    which tensors a step needs."""
    return tuple(one.steps for one in configs if one.steps)
