"""Dynamo: which processes are its front-end and its workers, and what do options, variables and metrics say?

Front-end, router and workers are started apart from each other, often on other nodes, so each is a service of its own:
a front-end takes requests and runs no model. A worker (`python -m dynamo.vllm`) starts the processes of its engine,
which belong to it. Its metrics, and those of its engine, are printed only where DYN_SYSTEM_PORT is set.

`dynamo_frontend_queued_requests` counts requests until their first token, which includes the work on their prompts: it
is not taken for a queue. What waits in the engine is on the worker's own page.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import helper_role, option, parse_command
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Gap, ModelRequest, Traits
from collectors.knobs import Knob, argument, env
from collectors.learned import server_environment
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.option_spelling import Spelling, spellings
from collectors.servers.llm_arguments import (
    LanguageModelServer,
    front_of,
    has_environment,
    model_request,
    port_number,
    short_name,
    together,
    variable,
)
from collectors.servers.sglang_engine import KNOBS as SGLANG_KNOBS
from collectors.servers.sglang_engine import METRICS as SGLANG_METRICS
from collectors.servers.sglang_engine import SPELLING as SGLANG_SPELLING
from collectors.servers.sglang_engine import scheduler_role
from collectors.servers.vllm_engine import KNOBS as VLLM_KNOBS
from collectors.servers.vllm_engine import METRICS as VLLM_METRICS
from collectors.servers.vllm_engine import SPELLING as VLLM_SPELLING
from collectors.servers.vllm_engine import engine_role, settled_engines
from collectors.shared_levers import shared_places, shared_setting, whole_number

_FRONT = frozenset(("frontend", "router", "global_router", "thunderagent_router"))
_ENGINES = frozenset(("vllm", "sglang", "trtllm", "tokenspeed", "triton", "mocker"))
_PARTS = frozenset(("prefill", "decode", "encode"))
_FILES_THAT_WIN = ("--extra-engine-args", "--override-engine-args")

_TRTLLM_KNOBS = tuple(
    Knob(lever=lever, sources=(argument(name), env(f"DYN_TRTLLM_{name[2:].replace('-', '_').upper()}")), advise=advise)
    for lever, name, advise in (
        (Lever.MAX_BATCH_SIZE, "--max-batch-size", "requests wait while the KV cache has room: raise"),
        (Lever.MAX_BATCH_TOKENS, "--max-num-tokens", "the first token comes late: raise; uneven tokens: lower"),
        (Lever.CONTEXT_LENGTH, "--max-seq-len", "the KV cache does not hold enough requests: lower"),
        (Lever.GPU_MEMORY_SHARE, "--free-gpu-memory-fraction", "the KV cache is full and GPU memory is free: raise"),
        (Lever.TENSOR_PARALLEL, "--tensor-parallel-size", "the model and its KV cache do not fit one GPU"),
    )
)
_TRTLLM_SPELLING = Spelling(*spellings(_TRTLLM_KNOBS, ("--model", "--model-path"), ("--served-model-name",)))
_KNOBS = {"vllm": VLLM_KNOBS, "sglang": SGLANG_KNOBS, "trtllm": _TRTLLM_KNOBS}
_SPELLINGS = {"vllm": VLLM_SPELLING, "sglang": SGLANG_SPELLING}

_FRONTEND_METRICS = MetricMap(
    requests=(series("dynamo_frontend_requests_total", status="success"),),
    # a request that was cancelled, or was wrong, is its client's doing
    errors=(series("dynamo_frontend_requests_total", status="error", error_type="|overload|internal|not_implemented"),),
    latency=Distribution(of=(series("dynamo_frontend_request_duration_seconds"),)),
    in_flight=(series("dynamo_frontend_inflight_requests"),),
    queue=(series("dynamo_frontend_router_queue_pending_requests"),),
    tokens_in=(series("dynamo_frontend_input_sequence_tokens_sum"),),
    tokens_out=(series("dynamo_frontend_output_sequence_tokens_sum"),),
    first_token=Distribution(of=(series("dynamo_frontend_time_to_first_token_seconds"),)),
    inter_token=Distribution(of=(series("dynamo_frontend_inter_token_latency_seconds"),)),
    marks=("dynamo_frontend_", "# HELP dynamo_frontend_", "# TYPE dynamo_frontend_"),
)
_TRTLLM_METRICS = MetricMap(
    requests=(series("trtllm_request_success_total"),),
    latency=Distribution(of=(series("trtllm_e2e_request_latency_seconds"),)),
    in_flight=(series("trtllm_num_requests_running"),),
    queue=(series("trtllm_num_requests_waiting"),),
    queue_time=Distribution(of=(series("trtllm_request_queue_time_seconds"),)),
    first_token=Distribution(of=(series("trtllm_time_to_first_token_seconds"),)),
    inter_token=Distribution(of=(series("trtllm_time_per_output_token_seconds"),)),
    kv_cache=(series("trtllm_kv_cache_utilization"),),
    marks=("dynamo_component_", "# HELP dynamo_component_", "# TYPE dynamo_component_", "trtllm_"),
)


class Dynamo(LanguageModelServer):
    order: ClassVar[int] = 40
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "ai-dynamo 1.6.1"
    recognised_by: ClassVar[str] = "`python -m dynamo.frontend`, `dynamo.vllm`, `dynamo.sglang`, `dynamo.trtllm`, …"
    metrics: ClassVar[MetricMap | None] = together(
        "model", _FRONTEND_METRICS, VLLM_METRICS, SGLANG_METRICS, _TRTLLM_METRICS
    )
    knobs: ClassVar[tuple[Knob, ...]] = VLLM_KNOBS
    claims: ClassVar[frozenset[str]] = frozenset(("vllm", "sglang"))
    config: ClassVar[str] = "--config"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        part = _part(process)
        if part:
            return Role.FRONT_END if parent is None else Role.WORKER
        if parent is None:
            return None
        engine = engine_role(process, parent) or scheduler_role(process)
        return engine or helper_role(parse_command(process.argv), parent)

    def settled_roles(self, processes: Sequence[tuple[Process, Role]]) -> Sequence[Role]:
        return settled_engines(processes)

    def spelling_of(self, process: Process) -> Spelling:
        return _SPELLINGS.get(_part(process), _TRTLLM_SPELLING)

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        return model_request(self._model(((process, Role.WORKER),), {process.key: facts} if facts else {}))

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        part, arguments = _part(process), self.arguments(process)
        if part in _FRONT:
            return self._front(processes, facts, part)
        model = self._model(processes, facts)
        served = self.given(process, facts, "--served-model-name")
        served = served or variable(processes, facts, "DYN_TRTLLM_SERVED_MODEL_NAME")
        name = str(served).partition(",")[0].strip() if served else model
        mode = option(arguments, "--disaggregation-mode")
        application = (name if served else short_name(model or "")) or part or "dynamo"
        port = port_number(variable(processes, facts, "DYN_SYSTEM_PORT"))
        members = [each for each, _ in processes]
        return Traits(
            application=f"{application}-{mode}" if mode in _PARTS else application,
            port=port,
            models=(msgspec.structs.replace(self.model(name, model, members, facts), runtime=part),) if name else (),
            metrics_urls=local_urls(port),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        if self.knob_of(lever, service) is None:
            return shared_setting(lever, service, facts)
        file = next((name for name in _FILES_THAT_WIN if option(self.arguments(front_of(service)), name)), None)
        if file is not None:
            return Setting(lever=lever, value=None, origin=f"{file} may set it and wins")
        return super().setting(lever, service, facts)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        if self.knob_of(lever, service) is None:
            return shared_places(lever, value, service, facts)
        return super().places(lever, value, service, facts)

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        part = _part(front_of(service))
        values = server_environment(service, facts).values
        if part not in _ENGINES or values is None:
            return ()
        port = whole_number(values.get("DYN_SYSTEM_PORT"))
        if port is not None and port >= 0:
            return ()
        return (
            Gap(
                missing="the worker's page: queue, KV cache and latency of its engine",
                turn_on="DYN_SYSTEM_PORT=8081",
                where=f"the environment of python -m dynamo.{part}",
            ),
        )

    def knob_of(self, lever: Lever, service: Service) -> Knob | None:
        own = _KNOBS.get(_part(front_of(service)), ())
        knob = next((knob for knob in own if knob.lever is lever), None)
        return self.with_config(knob, service) if knob else None

    def _front(self, processes: Sequence[tuple[Process, Role]], facts: Facts, part: str) -> Traits:
        """A front-end; a router has no port of its own for requests."""
        arguments = self.arguments(processes[0][0])
        if part != "frontend":
            port = port_number(variable(processes, facts, "DYN_SYSTEM_PORT"))
            return Traits(application=part, metrics_urls=local_urls(port))
        given = option(arguments, "--http-port") or variable(processes, facts, "DYN_HTTP_PORT")
        port = port_number(given) if given else (8000 if has_environment(processes, facts) else None)
        host = option(arguments, "--http-host") or variable(processes, facts, "DYN_HTTP_HOST")
        encrypted = option(arguments, "--tls-cert-path") is not None
        urls = () if encrypted else local_urls(port or 8000, host=host)
        return Traits(application="frontend", port=port, metrics_urls=urls)

    def _model(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> str | None:
        """What a worker was told to load."""
        process = processes[0][0]
        if _part(process) not in _ENGINES:
            return None
        given = self.given(process, facts, "--model-path" if _part(process) == "sglang" else "--model")
        return str(given) if given else variable(processes, facts, "DYN_TRTLLM_MODEL")


def _part(process: Process) -> str:
    """Which part of Dynamo a process is (`frontend`, `vllm`); empty if it is none that serves."""
    command = parse_command(process.argv)
    if not command.python or not command.program.startswith("dynamo."):
        return ""
    part = command.program.removeprefix("dynamo.").removesuffix(".__main__").removesuffix(".main")
    return part if part in _FRONT or part in _ENGINES else ""
