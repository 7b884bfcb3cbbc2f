"""NIM for language models: which processes are it, what do its options, its variables and its metrics say?

A NIM is a container with one engine inside: vLLM or SGLang, TensorRT-LLM in older releases. It is known by the module it
runs; the engine's own processes below it belong to it. From 2.0 on nginx stands before it and passes /v1/metrics on. An
option wins over NIM_PASSTHROUGH_ARGS, that over NIM_… variables, and those over the model's profile, which cannot be
read: where none of them says anything, the value is not known.
"""

import shlex
from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import helper_role, option, parse_command
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, ModelRequest, Traits
from collectors.knobs import Knob, env, plain
from collectors.learned import server_environment
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.option_spelling import Spelling
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
from collectors.servers.sglang_engine import METRICS as SGLANG_METRICS
from collectors.servers.sglang_engine import scheduler_role
from collectors.servers.vllm_engine import KNOBS as VLLM_KNOBS
from collectors.servers.vllm_engine import METRICS as VLLM_METRICS
from collectors.servers.vllm_engine import SPELLING, engine_role, settled_engines
from collectors.shared_levers import env_place

_NEW = frozenset(("nim_llm.start_server", "nim_llm.start_server.__main__"))
_OLD = ("nim_llm_sdk.entrypoints.", "vllm_nvext.entrypoints.")
_VERB = "nim-serve"
_PASSTHROUGH = "NIM_PASSTHROUGH_ARGS"
_DEFAULT_PORT = 8000
_VARIABLES = {
    Lever.CONTEXT_LENGTH: "NIM_MAX_MODEL_LEN",
    Lever.TENSOR_PARALLEL: "NIM_TENSOR_PARALLEL_SIZE",
    Lever.GPU_MEMORY_SHARE: "NIM_KVCACHE_PERCENT",
}
_PLAIN_METRICS = MetricMap(
    requests=(series("request_success_total"),),
    errors=(series("request_failure_total"),),
    latency=Distribution(of=(series("e2e_request_latency_seconds"),)),
    in_flight=(series("num_requests_running"),),
    queue=(series("num_requests_waiting"),),
    tokens_in=(series("prompt_tokens_total"),),
    tokens_out=(series("generation_tokens_total"),),
    first_token=Distribution(of=(series("time_to_first_token_seconds"),)),
    inter_token=Distribution(of=(series("time_per_output_token_seconds"),)),
    kv_cache=(series("gpu_cache_usage_perc"),),
    marks=("gpu_cache_usage_perc", "# TYPE gpu_cache_usage_perc", "num_request_max", "# TYPE num_request_max"),
)


def _knob(knob: Knob) -> Knob:
    """A knob of the engine as NIM sets it."""
    name = _VARIABLES.get(knob.lever)
    sources = (*knob.sources, env(name)) if name else knob.sources
    return msgspec.structs.replace(knob, sources=sources, default=None, default_text="the model's profile decides")


class Nim(LanguageModelServer):
    order: ClassVar[int] = 40
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "NIM for LLMs 1.1 to 3.0"
    recognised_by: ClassVar[str] = (
        "`python -m nim_llm.start_server`, `nim_llm_sdk.entrypoints.…`, `vllm_nvext.entrypoints.…`"
    )
    metrics: ClassVar[MetricMap | None] = together("model_name", VLLM_METRICS, SGLANG_METRICS, _PLAIN_METRICS)
    knobs: ClassVar[tuple[Knob, ...]] = tuple(_knob(knob) for knob in VLLM_KNOBS)
    claims: ClassVar[frozenset[str]] = frozenset(("vllm", "sglang"))
    spelling: ClassVar[Spelling] = SPELLING
    runtime: ClassVar[str] = "nim"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if command.python and (command.program in _NEW or command.program.startswith(_OLD)):
            return Role.FRONT_END if parent is None else Role.WORKER
        if parent is None:
            return None
        return engine_role(process, parent) or scheduler_role(process) or helper_role(command, parent)

    def settled_roles(self, processes: Sequence[tuple[Process, Role]]) -> Sequence[Role]:
        return settled_engines(processes)

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        known = {process.key: facts} if facts else {}
        return model_request(self._location(((process, Role.WORKER),), known))

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process, members = processes[0][0], [each for each, _ in processes]
        location = self._location(processes, facts)
        served = self._option(process, facts, "--served-model-name")
        served = served or variable(processes, facts, "NIM_SERVED_MODEL_NAME", "NIM_MODEL_NAME")
        name = (served or "").partition(",")[0].strip() or (short_name(location) if location else "")
        given = option(self.arguments(process), "--port") or variable(processes, facts, "NIM_SERVER_PORT")
        port = port_number(given) if given else (_DEFAULT_PORT if has_environment(processes, facts) else None)
        encrypted = (variable(processes, facts, "NIM_SSL_MODE") or "disabled").lower() != "disabled"
        at = port or _DEFAULT_PORT
        urls = (*local_urls(at, path="/v1/metrics"), *local_urls(at))
        return Traits(
            application=name or "nim",
            port=port,
            models=(self.model(name, location, members, facts),) if name else (),
            metrics_urls=() if encrypted else urls,
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        held, text = super().setting(lever, service, facts), self._passed(lever, service, facts)
        if text is None or (held is not None and held.origin.startswith("argument")):
            return held
        return Setting(lever=lever, value=plain(text), origin=f"env {_PASSTHROUGH}")

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        places = list(super().places(lever, value, service, facts))
        knob = self.knob(lever)
        if knob is None or parse_command(front_of(service).argv).program not in _NEW:
            return places
        values = server_environment(service, facts).values
        on_line = option(self.arguments(front_of(service)), knob.sources[0].names[0])
        passed = self._passed(lever, service, facts)
        effective: bool | None = True if values is not None else None
        because = "it wins over the NIM_… variables and the model's profile"
        if on_line is not None:
            effective, because = False, f"argument {knob.sources[0].names[0]} sets {on_line} and wins"
        elif values is None:
            because = "the environment is not readable"
        text = f"{(values or {}).get(_PASSTHROUGH, '')} {knob.sources[0].names[0]} {value}".strip()
        place = env_place(service, _PASSTHROUGH, text, effective, because)
        lost = f"env {_PASSTHROUGH} sets {passed} and wins"
        others = [
            msgspec.structs.replace(p, effective=False, because=lost) if passed is not None and p.kind == "env" else p
            for p in places
        ]
        first = [p for p in others if p.kind == "argument"]
        rest = [p for p in others if p.kind != "argument"]
        return [place, *first, *rest] if passed is not None and on_line is None else [*first, place, *rest]

    def _passed(self, lever: Lever, service: Service, facts: Facts) -> str | None:
        """What NIM_PASSTHROUGH_ARGS sets; None if nothing, or if it is not readable."""
        knob = self.knob(lever)
        values = server_environment(service, facts).values or {}
        return None if knob is None else option(_words(values.get(_PASSTHROUGH, "")), knob.sources[0].names[0])

    def _option(self, process: Process, facts: Facts, name: str) -> str | None:
        """An option of the command line, else of NIM_PASSTHROUGH_ARGS."""
        passed = variable(((process, Role.FRONT_END),), facts, _PASSTHROUGH) or ""
        return option(self.arguments(process), name) or option(_words(passed), name)

    def _location(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> str | None:
        """Where the model comes from: the word after the verb, an option, or NIM_MODEL_PATH."""
        process = processes[0][0]
        words = [word for word in self.arguments(process)[:2] if word != _VERB]
        if words and not words[0].startswith("-"):
            return words[0]
        return self._option(process, facts, "--model") or variable(processes, facts, "NIM_MODEL_PATH")


def _words(text: str) -> tuple[str, ...]:
    try:
        return SPELLING.of(shlex.split(text))
    except ValueError:  # an open quotation mark: NIM itself does not start with it
        return ()
