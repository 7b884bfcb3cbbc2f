"""KServe's Python servers: which processes are its own, which options hold, and what do their metrics mean?

`python -m sklearnserver --model_name=… --model_dir=…`, and the same for the other libraries and for custom models that
are built on the package. With `--workers` above 1 it spawns anonymous workers. What runs beside it in the pod (the agent,
queue-proxy, the storage initializer) is no model server, runs in containers of its own, and is left out.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import Command, helper_role, option, parse_command
from collectors.entities import Model, Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Gap, ModelRequest, Traits
from collectors.knobs import Knob, Source, argument, knob_places, knob_setting
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.model_file import ModelFile
from collectors.per_model import files_below
from collectors.servers.llm_arguments import together
from collectors.servers.vllm_engine import KNOBS as VLLM_KNOBS
from collectors.servers.vllm_engine import METRICS as VLLM_METRICS
from collectors.servers.vllm_engine import engine_role, settled_engines
from collectors.shared_levers import shared_places, shared_setting, whole_number

_RUNTIMES = frozenset((
    "sklearnserver", "xgbserver", "lgbserver", "pmmlserver", "paddleserver", "predictiveserver", "huggingfaceserver",
    "autogluonserver", "artserver", "aifserver",
))  # fmt: skip
_CUSTOM = (".model", ".model_grpc", ".transformer")
"""How the modules of custom models and transformers end; the options that only this server has tell them from others."""
_OWN_OPTIONS = ("--predictor_host", "--predictor_protocol", "--http_port", "--enable_docs_url")
_WITH_THREADS = frozenset(("xgbserver", "lgbserver", "predictiveserver"))
_LLM = "huggingfaceserver"


def _both_spellings(source: Source) -> Source:
    underscored = (f"--{name[2:].replace('-', '_')}" for name in source.names if name.startswith("--"))
    return msgspec.structs.replace(source, names=tuple(dict.fromkeys((*source.names, *underscored))))


_VLLM_KNOBS = {
    knob.lever: msgspec.structs.replace(knob, sources=tuple(_both_spellings(each) for each in knob.sources))
    for knob in VLLM_KNOBS
}
"""As vLLM has them; the Hugging Face server takes underscores too."""
_DEFAULT_FOLDER = "/mnt/models"
_WHERE = "command line"


_OWN_METRICS = MetricMap(
    # Time in predict alone: pre- and post-processing have histograms of their own, of other spans of the same request. A
    # predict that fails is counted too.
    requests=(series("request_predict_seconds_count"),),
    latency=Distribution(of=(series("request_predict_seconds"),)),
    marks=("request_predict_seconds", "# TYPE request_predict_seconds"),
)


class KServe(Framework):
    order: ClassVar[int] = 15
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "kserve 0.20"
    recognised_by: ClassVar[str] = (
        "`python -m sklearnserver` and its like, or a custom `….model` or `….transformer` with `--model_name` and one of "
        "its own options; its spawned children are the workers"
    )
    metrics: ClassVar[MetricMap | None] = together("model_name", _OWN_METRICS, VLLM_METRICS)
    claims: ClassVar[frozenset[str]] = frozenset(("vllm",))
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.WORKERS,
            sources=(argument("--workers"),),
            default=1,
            advise="its one process is busy and cores are idle: more, each with a copy of the model",
        ),
        Knob(
            lever=Lever.REQUEST_THREADS,
            sources=(argument("--max_asyncio_workers"),),
            default_text="min(32, CPUs + 4), and the CPUs are those of the node where cgroup v2 sets the limit",
            advise="the pool is larger than the CPU limit; gRPC has --max_threads (4) of its own",
        ),
        Knob(
            lever=Lever.COMPUTE_THREADS,
            sources=(argument("--nthread"),),
            default=1,
            default_text="of XGBoost and LightGBM; the others read OMP_NUM_THREADS",
            advise="workers × threads exceed the CPUs, or one request computes on one core while others idle",
        ),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if _is_server(command):
            return Role.FRONT_END if parent is None else Role.WORKER
        engine = engine_role(process, parent) if parent is not None else None
        return engine or helper_role(command, parent)

    def settled_roles(self, processes: Sequence[tuple[Process, Role]]) -> Sequence[Role]:
        return settled_engines(processes)

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        command = parse_command(process.argv)
        if not _is_server(command):
            return ()
        name = option(command.arguments, "--model_id")
        if name and not name.startswith((".", "/")):
            return (ModelRequest(location=name, hub=True),)
        folder = _folder(command)
        return (ModelRequest(location=folder),) if folder else ()

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        command = parse_command(processes[0][0].argv)
        if not _is_server(command):
            return Traits(application="kserve")
        arguments = command.arguments
        name = option(arguments, "--model_name") or "model"
        transforms = option(arguments, "--predictor_host") is not None
        port = whole_number(option(arguments, "--http_port") or 8080)
        path = option(arguments, "--model_id") or _folder(command)
        runtime = command.program.partition(".")[0]
        return Traits(
            application=f"{name}-transformer" if transforms else name,
            port=port,
            models=()
            if transforms
            else (Model(name=name, runtime=runtime, path=path, files=_files(path, processes, facts)),),
            metrics_urls=local_urls(port) if _workers(arguments) == 1 else (),
            # The event loop calls `predict` itself; the servers of the libraries compute in it, and all others wait.
            calls="synchronous" if command.program in _RUNTIMES - {_LLM} else None,
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        knob = self._knob(lever, service)
        return knob_setting(knob, service, facts) if knob else shared_setting(lever, service, facts)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        knob = self._knob(lever, service)
        return knob_places(knob, value, service, facts) if knob else shared_places(lever, value, service, facts)

    def _knob(self, lever: Lever, service: Service) -> Knob | None:
        """The knob, if this server has it: only those of boosted trees set their threads themselves, and vLLM's options
        count where vLLM runs."""
        if lever is Lever.COMPUTE_THREADS and _command(service).program not in _WITH_THREADS:
            return None
        runs_vllm = any(engine_role(worker.process, worker.role) for worker in service.workers)
        return self.knob(lever) or (_VLLM_KNOBS.get(lever) if runs_vllm else None)

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        command = _command(service)
        if not _is_server(command) or _workers(command.arguments) == 1:
            return ()
        missing = "requests and latency: each worker counts for itself, and whichever answers prints its own page"
        return (Gap(missing=missing, turn_on="--workers=1, with more replicas instead", where=_WHERE),)


def _is_server(command: Command) -> bool:
    if not command.python or command.code:
        return False
    if command.program in _RUNTIMES:
        return True
    custom = command.program.endswith(_CUSTOM) and option(command.arguments, "--model_name") is not None
    return custom and any(option(command.arguments, name) is not None for name in _OWN_OPTIONS)


def _command(service: Service) -> Command:
    return parse_command((service.front_end or service.workers[0]).process.argv)


def _workers(arguments: Sequence[str]) -> int | None:
    return whole_number(option(arguments, "--workers") or 1)


def _files(path: str | None, processes: Sequence[tuple[Process, Role]], facts: Facts) -> tuple[ModelFile, ...]:
    """The headers of the model's files; those of a model of the hub lie in the cache, and it is the only one."""
    folder = path if path and path.startswith((".", "/")) else "/"
    return files_below(folder, (each for each, _ in processes), facts)


def _folder(command: Command) -> str | None:
    """The folder of the model as given; the Hugging Face server has a default."""
    return option(command.arguments, "--model_dir") or (_DEFAULT_FOLDER if command.program == _LLM else None)
