"""Ollama: which processes are its server and runners, what is set in its environment, and what does /api/ps say?

`ollama serve` is set by variables alone and starts one runner for each loaded model: a llama-server of its own, `ollama
runner` (older releases, and MLX), or `ollama_llama_server` (oldest). `ollama run`, `pull` and the like are clients. It
has no metrics page; GET /api/ps lists the loaded models with their memory, and does no work.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from os.path import basename
from typing import Annotated, ClassVar, Literal

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import option, parse_command
from collectors.entities import Model, Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Gap, ModelRequest, Traits
from collectors.knobs import Knob, code, env, knob_places, plain
from collectors.learned import environment_of, listening_port
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import MetricMap, series
from collectors.reading import Unreadable
from collectors.servers.llm_arguments import model_files, model_request

_SERVE = frozenset(("serve", "start"))
_RUNNERS = frozenset(("llama-server", "ollama_llama_server"))
_OWN_FOLDER = "/lib/ollama/"
_DEFAULT_PORT = 11434
_SCHEME_PORTS = {"http": 80, "https": 443}
_OF_A_MODEL = {Lever.GPU_LAYERS: (("-ngl",), "num_gpu"), Lever.COMPUTE_THREADS: (("-t", "--threads"), "num_thread")}
"""Levers that are parameters of a model: the options with which its runner is told, and their names."""
_ATTENTION = Knob(lever=Lever.KV_CACHE_PRECISION, sources=(env("OLLAMA_FLASH_ATTENTION"),))
_QUANTISED = "q"
"""How the names of types begin that need it."""
_MODELS = 64
_NAME_CHARACTERS = 200
_DIGEST_CHARACTERS = 12

_Bytes = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]


class _Loaded(msgspec.Struct, frozen=True):
    """One model of /api/ps; `size` is all the memory it takes, `size_vram` what of that is on GPUs."""

    name: str
    size: _Bytes
    size_vram: _Bytes = 0
    context_length: _Bytes = 0


class _Page(msgspec.Struct, frozen=True):
    models: list[_Loaded] | None


class Ollama(Framework):
    order: ClassVar[int] = 45
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "ollama of August 2026"
    recognised_by: ClassVar[str] = "`ollama serve` and the runners below it"
    metrics: ClassVar[MetricMap | None] = MetricMap(
        model_bytes=(series("ollama_model_size_bytes"),),
        model_gpu_bytes=(series("ollama_model_vram_bytes"),),
        model_label="model",
        marks=("ollama_loaded_models",),
    )
    json_page: ClassVar[bool] = True
    claims: ClassVar[frozenset[str]] = frozenset(("llama-server",))
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.MAX_REQUESTS_IN_FLIGHT,
            sources=(env("OLLAMA_NUM_PARALLEL"),),
            default=1,
            advise="requests wait for each other while the processor has room: raise; each takes a context of its own",
        ),
        Knob(
            lever=Lever.MAX_QUEUE,
            sources=(env("OLLAMA_MAX_QUEUE"),),
            default=512,
            advise="requests are refused as the server is busy: raise; they wait too long: lower",
        ),
        Knob(
            lever=Lever.KEEP_LOADED,
            sources=(env("OLLAMA_KEEP_ALIVE"),),
            default="5m",
            advise="the first request after a pause waits for the model to load: longer, or -1 for ever",
        ),
        Knob(
            lever=Lever.CONTEXT_LENGTH,
            sources=(env("OLLAMA_CONTEXT_LENGTH"),),
            default_text="4k, 32k or 256k by GPU memory",
            advise="a part of the model runs on the CPU: lower",
        ),
        Knob(
            lever=Lever.KV_CACHE_PRECISION,
            sources=(env("OLLAMA_KV_CACHE_TYPE"),),
            default="f16",
            advise="the KV cache leaves too little memory: q8_0 halves it (needs flash attention)",
        ),
        Knob(
            lever=Lever.GPU_LAYERS,
            sources=(code("PARAMETER num_gpu N in the Modelfile"),),
            default_text="as many as fit",
            advise="size_vram below size: a part of the model runs on the CPU",
        ),
        Knob(
            lever=Lever.COMPUTE_THREADS,
            sources=(code("PARAMETER num_thread N in the Modelfile"),),
            default_text="physical cores of the host, whatever its affinity or quota",
            advise="it has fewer cores than the host",
        ),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if command.program == "ollama" and command.arguments:
            if command.arguments[0] in _SERVE:
                return Role.FRONT_END
            return Role.WORKER if command.arguments[0] == "runner" else None
        if command.program not in _RUNNERS:
            return None
        own = command.program != "llama-server" or (process.ppid == 1 and _OWN_FOLDER in process.argv[0])
        return Role.WORKER if own or parent is not None else None

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        path = _model_path(process)
        return model_request(path) if path and path.startswith("/") else ()

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        members = [each for each, _ in processes]
        values = environment_of(members, facts).values
        host, port = ("127.0.0.1", listening_port(members[0].key, facts))
        if values is not None:
            host, port = _address(values)
        return Traits(
            application="ollama",
            port=port,
            models=tuple(_model(each, facts) for each in members if _model_path(each)),
            metrics_urls=local_urls(port or _DEFAULT_PORT, path="/api/ps", host=host),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        if lever not in _OF_A_MODEL:
            return super().setting(lever, service, facts)
        names, parameter = _OF_A_MODEL[lever]
        lines = [
            parse_command(worker.process.argv).arguments for worker in service.workers if worker.role is Role.WORKER
        ]
        told = {text for line in lines if (text := _exact(line, names)) is not None}
        if len(told) == 1:
            return Setting(lever=lever, value=plain(told.pop()), origin=f"{parameter} of the model, or of the request")
        return Setting(lever=lever, value=None, origin=f"{parameter} of the models is not visible")

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        found = super().places(lever, value, service, facts)
        if lever is not Lever.KV_CACHE_PRECISION or not str(value).startswith(_QUANTISED):
            return found
        beside = knob_places(_ATTENTION, 1, service, facts)
        because = "without flash attention the type of the cache counts for nothing"
        return (*found, *(msgspec.structs.replace(place, because=f"{because}; {place.because}") for place in beside))

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        return (
            Gap(
                missing="requests, latency, queue and tokens: Ollama prints no metrics, only the models that are loaded",
                turn_on="nothing turns them on",
                where="ollama",
            ),
        )

    def page_text(self, body: str) -> str:
        try:
            loaded = msgspec.json.decode(body, type=_Page).models or []
        except msgspec.MsgspecError as error:
            hint = "ask GET /api/ps by hand and look"
            raise Unreadable(f"the answer is not that of Ollama: {str(error)[:120]}", hint) from error
        lines = ["# TYPE ollama_loaded_models gauge", f"ollama_loaded_models {len(loaded)}"]
        for name, field in (("size_bytes", "size"), ("vram_bytes", "size_vram"), ("context_tokens", "context_length")):
            lines.append(f"# TYPE ollama_model_{name} gauge")
            lines += (f'ollama_model_{name}{{model="{_label(m.name)}"}} {getattr(m, field)}' for m in loaded[:_MODELS])
        return "\n".join(lines) + "\n"


def _label(name: str) -> str:
    text = name[:_NAME_CHARACTERS].replace("\\", r"\\").replace('"', r"\"")
    return "".join(char if char.isprintable() else "?" for char in text)


def _address(values: Mapping[str, str]) -> tuple[str, int]:
    """Host and port of OLLAMA_HOST, which may be a host, a port after it, or a URL, and stand in quotes."""
    scheme, found, rest = values.get("OLLAMA_HOST", "").strip().strip("\"'").partition("://")
    default = _SCHEME_PORTS.get(scheme, _DEFAULT_PORT) if found else _DEFAULT_PORT
    text = (rest if found else scheme).partition("/")[0]
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (text.count(":") > 1 and not host.startswith("[")):
        host, port = text, ""
    number = int(port) if port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65535 else default
    return host.strip("[]") or "127.0.0.1", number


def _exact(arguments: Sequence[str], names: Sequence[str]) -> str | None:
    """The value after one of `names`; not that of a longer option that begins alike, as `-tb` does."""
    return next((value for name, value in pairwise(arguments) if name in names), None)


def _model_path(process: Process) -> str | None:
    """The model of a runner: the path of a blob, or for MLX a name."""
    return option(parse_command(process.argv).arguments, "--model")


def _model(process: Process, facts: Facts) -> Model:
    """The model of one runner. Its name stands on no command line: a blob is called after its digest."""
    path = _model_path(process) or ""
    name = basename(path).removeprefix("sha256-")
    blob = basename(path).startswith("sha256-")
    name = f"sha256-{name[:_DIGEST_CHARACTERS]}" if blob else name
    return Model(
        name=name, path=path, runtime="ollama", format="gguf" if blob else None, files=model_files((process,), facts)
    )
