"""Text Generation Inference: which processes are its launcher, router and shards, and what do options and metrics say?

The launcher is set by options, each of which is also a variable in upper case; the option wins. It starts one shard for
each GPU, which runs the model, and the router, which takes requests and whose own command line repeats what the launcher
settled on: that is read where the launcher's environment is not readable. There is no time to first token and no KV
cache on its page.
"""

import ipaddress
from collections.abc import Sequence
from typing import ClassVar, Literal

from collectors.addresses import local_urls
from collectors.command_line import helper_role, option, parse_command
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, ModelRequest, Traits
from collectors.knobs import Knob, argument, env, plain
from collectors.learned import listening_port
from collectors.levers import Lever, Setting
from collectors.metric_map import Distribution, MetricMap, series
from collectors.option_spelling import Spelling, spellings
from collectors.servers.llm_arguments import (
    LanguageModelServer,
    has_environment,
    model_request,
    port_number,
    short_name,
    variable,
)

_LAUNCHER = "text-generation-launcher"
_ROUTERS = frozenset((
    "text-generation-router", "text-generation-router-v2", "text-generation-router-llamacpp",
    "text-generation-backends-trtllm",
))  # fmt: skip
_SHARD = "text-generation-server"


def _knob(lever: Lever, name: str, default: int | float | None, advise: str, default_text: str = "") -> Knob:
    """A knob whose variable is its option in upper case."""
    sources = (argument(name), env(name.lstrip("-").replace("-", "_").upper()))
    return Knob(lever=lever, sources=sources, default=default, default_text=default_text, advise=advise)


_KNOBS = (
    _knob(
        Lever.MAX_REQUESTS_IN_FLIGHT, "--max-concurrent-requests", 128,
        "requests fail as `overloaded` while the GPU has room: raise; the queue grows: lower",
    ),
    _knob(
        Lever.MAX_BATCH_TOKENS, "--max-batch-total-tokens", None,
        "the batch does not grow though GPU memory is free: raise; out of memory: lower",
        "as many as fit the GPU's memory",
    ),
    _knob(
        Lever.PREFILL_CHUNK, "--max-batch-prefill-tokens", None,
        "long prompts hold up the tokens of others: lower", "the longest input and 50 more",
    ),
    _knob(Lever.MAX_BATCH_SIZE, "--max-batch-size", None, "hardware that pads: the batch is too small", "no limit"),
    _knob(
        Lever.CONTEXT_LENGTH, "--max-total-tokens", None,
        "fewer requests than wanted fit into the batch: lower", "from the model",
    ),
    _knob(
        Lever.PRECISION, "--quantize", None, "the weights leave too little memory for the batch",
        "as the model is stored",
    ),
    _knob(
        Lever.KV_CACHE_PRECISION, "--kv-cache-dtype", None, "the batch is limited by memory: fp8 halves the KV cache",
        "as the model computes",
    ),
    _knob(Lever.GPU_MEMORY_SHARE, "--cuda-memory-fraction", 1.0, "another process needs the GPU: lower"),
    _knob(
        Lever.TENSOR_PARALLEL, "--num-shard", None, "the model and its KV cache do not fit one GPU",
        "all visible GPUs",
    ),
    _knob(Lever.API_SERVERS, "--validation-workers", 2, "validating and cutting prompts keeps the router busy: raise"),
)  # fmt: skip


class Tgi(LanguageModelServer):
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "text-generation-inference 3.3"
    recognised_by: ClassVar[str] = (
        "`text-generation-launcher`, `text-generation-router`, `text-generation-server serve`"
    )
    metrics: ClassVar[MetricMap | None] = MetricMap(
        requests=(series("tgi_request_success"),),
        # `validation`, `template` and `dropped` are the clients' own doing
        errors=(series("tgi_request_failure", err="generation|incomplete|overloaded"),),
        latency=Distribution(of=(series("tgi_request_duration"),)),
        in_flight=(series("tgi_batch_current_size"),),
        queue=(series("tgi_queue_size"),),
        queue_time=Distribution(of=(series("tgi_request_queue_duration"),)),
        batch_size=Distribution(of=(series("tgi_batch_next_size"),)),
        tokens_in=(series("tgi_request_input_length_sum"),),
        tokens_out=(series("tgi_request_generated_tokens_sum"),),
        inter_token=Distribution(of=(series("tgi_request_mean_time_per_token_duration"),)),
        marks=("tgi_", "# HELP tgi_", "# TYPE tgi_"),
    )
    knobs: ClassVar[tuple[Knob, ...]] = _KNOBS
    spelling: ClassVar[Spelling] = Spelling(
        *spellings(_KNOBS, ("--model-id",), ("--port", "-p"), ("--hostname",), ("--tokenizer-name",))
    )
    titles: ClassVar[bool] = False
    runtime: ClassVar[str] = "text-generation-inference"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if command.program == _LAUNCHER:
            return Role.FRONT_END
        if command.program in _ROUTERS:
            return Role.FRONT_END if parent is None else Role.GATEWAY
        if command.program == _SHARD:
            verb = command.arguments[:1]
            return Role.WORKER if verb == ("serve",) else (Role.SUPPORT if parent and verb else None)
        return helper_role(command, parent)

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        return model_request(self._model([(process, Role.WORKER)], {process.key: facts} if facts else {}))

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        model = self._model(processes, facts)
        members = [each for each, _ in processes]
        port = self._port(processes, facts)
        host = self._said(processes, "--hostname")
        return Traits(
            application=short_name(model) if model else "tgi",
            port=port,
            models=(self.model(model, model, members, facts),) if model else (),
            metrics_urls=local_urls(port, host=host if host and _is_address(host) else None),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        held = super().setting(lever, service, facts)
        knob = self.knob(lever)
        if knob is None or held is None or held.value is not None or held.origin.startswith("default"):
            return held
        for worker in service.workers:
            text = option(self.arguments(worker.process), knob.sources[0].names[0])
            if text is not None:
                program = parse_command(worker.process.argv).program
                return Setting(lever=lever, value=plain(text), origin=f"the command line of {program}")
        return held

    def _model(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> str | None:
        for process, _ in processes:
            command = parse_command(process.argv)
            if command.program == _SHARD and command.arguments[:1] == ("serve",) and len(command.arguments) > 1:
                return command.arguments[1]
        return self._said(processes, "--model-id", "--tokenizer-name") or variable(processes, facts, "MODEL_ID")

    def _port(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> int | None:
        said = port_number(self._said(processes, "--port")) or port_number(variable(processes, facts, "PORT"))
        if said is not None:
            return said
        heard = (listening_port(each.key, facts) for each, role in processes if role is not Role.WORKER)
        known = next((port for port in heard if port is not None), None)
        return known or (3000 if has_environment(processes, facts) else None)

    def _said(self, processes: Sequence[tuple[Process, Role]], *names: str) -> str | None:
        """An option of the launcher or of its router."""
        lines = [self.arguments(process) for process, role in processes if role is not Role.WORKER]
        return next((text for line in lines for name in names if (text := option(line, name)) is not None), None)


def _is_address(host: str) -> bool:
    """Whether it is an IP address. A container's own name stands in HOSTNAME, which TGI takes for the host to bind to and
    then falls back to every address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
