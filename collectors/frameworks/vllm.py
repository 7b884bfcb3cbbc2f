"""vLLM: which processes are its API servers, engines and workers, and what do its options and its metrics say?

The first process keeps its command line; the others give themselves titles (`VLLM::EngineCore_DP0`, `VLLM::Worker_TP1`)
that erase command line and environment. An engine without workers of its own runs the model itself; with them it only
schedules. That shows once the whole group is known, so `settled_roles` decides it. API servers beside the first, and a
front-end written in Rust, take requests and run no model: gateways.
"""

import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from collectors.addresses import local_urls
from collectors.command_line import helper_role, option, parse_command, positionals
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Gap, ModelRequest, Traits
from collectors.knobs import Knob, flag
from collectors.learned import listening_port
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import MetricMap
from collectors.option_spelling import Spelling
from collectors.servers.llm_arguments import LanguageModelServer, front_of, model_request, short_name
from collectors.servers.vllm_engine import KNOBS, KV_BYTES, METRICS, SPELLING, engine_role, settled_engines

_MODULES = frozenset(("vllm.entrypoints.openai.api_server", "vllm.entrypoints.api_server"))
_COMMANDS = frozenset(("vllm", "vllm.entrypoints.cli.main"))
_FLAGS = frozenset((
    "--headless", "--enforce-eager", "--trust-remote-code", "--numa-bind", "--async-scheduling", "--skip-tokenizer-init",
    "--language-model-only", "--tokens-only", "--allow-credentials", "-ep", "-dph", "-dpe", "-dpm",
))  # fmt: skip
_EAGER, _GRAPHS = "--enforce-eager", "--no-enforce-eager"
_COMPILES = ("--compilation-config", "-cc", "--cc", "--optimization-level", "-O", "--O")
"""Beginnings of options that may turn CUDA graphs off, too; what they say is not read."""
_EAGER_KNOB = Knob(
    lever=Lever.CUDA_GRAPHS,
    sources=(flag(_EAGER),),
    default=False,
    default_text="graphs, unless --enforce-eager is given",
    advise="the GPU waits for launches: remove --enforce-eager; the graphs take memory and time at the start",
)
_SWITCH = re.compile(r"--(?:enable|disable|no)-(?!access-log-for-endpoints)[\w-]+")


class Vllm(LanguageModelServer):
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "vllm 0.33.0"
    recognised_by: ClassVar[str] = (
        "`vllm serve`, `python -m vllm.entrypoints.openai.api_server`, or a title such as `VLLM::EngineCore`"
    )
    metrics: ClassVar[MetricMap | None] = METRICS
    knobs: ClassVar[tuple[Knob, ...]] = (*KNOBS, _EAGER_KNOB)
    spelling: ClassVar[Spelling] = SPELLING
    config: ClassVar[str] = "--config"
    runtime: ClassVar[str] = "vllm"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if command.program in _MODULES or (command.program in _COMMANDS and command.arguments[:1] == ("serve",)):
            return Role.FRONT_END if parent is None else Role.WORKER
        if command.program == "vllm-rs" and parent is not None:
            return Role.GATEWAY
        return engine_role(process, parent) or helper_role(command, parent)

    def settled_roles(self, processes: Sequence[tuple[Process, Role]]) -> Sequence[Role]:
        return settled_engines(processes)

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        return model_request(self._model(process, {process.key: facts} if facts else {}))

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        model = self._model(process, facts)
        served = self.given(process, facts, "--served-model-name")
        name = str(served) if served else None
        members = [each for each, _ in processes]
        models = (self.model(name or str(model), model, members, facts),) if model or name else ()
        application = name or (short_name(model) if model else "")
        arguments = self.arguments(process)
        if "--headless" in arguments or option(arguments, "--uds"):
            return Traits(application=application or "vllm", models=models)
        port = self.port_of(process, facts, 8000) or listening_port(process.key, facts)
        host = self.given(process, facts, "--host")
        encrypted = option(arguments, "--ssl-keyfile") is not None
        return Traits(
            application=application or ("vllm" if arguments else "engine"),
            port=port,
            models=models,
            metrics_urls=() if encrypted else local_urls(port, host=str(host) if host else None),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        if lever is Lever.GPU_MEMORY_SHARE and (size := self._kv_bytes(service)):
            return Setting(lever=lever, value=None, origin=f"argument {KV_BYTES} sets {size} and wins")
        found = super().setting(lever, service, facts)
        return self._graphs(found, service) if found and lever is Lever.CUDA_GRAPHS else found

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        if lever is Lever.CUDA_GRAPHS:
            because = f"the last of {_EAGER} and {_GRAPHS} counts; removing {_EAGER} does the same"
            key = _GRAPHS if value else _EAGER
            return [Place(kind="argument", target=self.name, key=key, value=None, effective=True, because=because)]
        places = super().places(lever, value, service, facts)
        if lever is not Lever.GPU_MEMORY_SHARE or not (size := self._kv_bytes(service)):
            return places
        because = f"argument {KV_BYTES} sets {size} and wins"
        return [
            Place(kind=p.kind, target=p.target, key=p.key, value=p.value, effective=False, because=because)
            for p in places
        ]

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        if "--disable-log-stats" not in self.arguments(front_of(service)):
            return ()
        return (
            Gap(
                missing="every `vllm:` series: requests, latency, queue, tokens, KV cache",
                turn_on="remove --disable-log-stats",
                where="the command line of vllm",
            ),
        )

    def _graphs(self, eager: Setting, service: Service) -> Setting:
        """Whether CUDA graphs are used, from whether the option that rules them out is given."""
        given = self.arguments(front_of(service))
        if [item for item in given if item in (_EAGER, _GRAPHS)][-1:] == [_GRAPHS]:
            return Setting(lever=eager.lever, value=True, origin=f"argument {_GRAPHS}")
        if eager.value is True:
            return Setting(lever=eager.lever, value=False, origin=eager.origin)
        doubt = _compiles(given) or ("" if eager.value is not None else eager.origin)
        return Setting(lever=eager.lever, value=None if doubt else True, origin=doubt or eager.origin)

    def _kv_bytes(self, service: Service) -> str | None:
        return option(self.arguments(front_of(service)), KV_BYTES)

    def _model(self, process: Process, facts: Facts) -> str | None:
        """What is served: the word after `serve`, `--model`, or the file of options."""
        arguments = self.arguments(process)
        if arguments[:1] == ("serve",):
            rest = arguments[1:]
            if rest and not rest[0].startswith("-"):
                return rest[0]
            given = self.given(process, facts, "--model")
            if given is not None:
                return str(given)
            flags = _FLAGS.union(item for item in rest if _SWITCH.fullmatch(item))
            return next(iter(positionals(rest, flags)), None)
        given = self.given(process, facts, "--model")
        return None if given is None else str(given)


def _compiles(arguments: Sequence[str]) -> str:
    """The option that may say of CUDA graphs what is not read here."""
    return next((f"argument {item} may turn them off" for item in arguments if item.startswith(_COMPILES)), "")
