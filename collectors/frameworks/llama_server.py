"""llama-server of llama.cpp: which processes are it, and what do its options, their variables and its metrics say?

`llama-server` and `llama serve` are one program; an option wins over its variable (LLAMA_ARG_…). Without a model it is a
router that starts one server of its own for each model. Its compute threads spin for a while before they sleep (--poll):
a busy CPU does not mean that there is work. `n_tokens_max` on its page is the longest context so far, no count.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import option, parse_command
from collectors.entities import Model, Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Gap, ModelRequest, Traits
from collectors.knobs import Knob, argument, env, flag, knob_places, knob_setting
from collectors.learned import listening_port, mapped_models
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.option_spelling import Spelling, spellings
from collectors.servers.llm_arguments import (
    LanguageModelServer,
    model_files,
    model_request,
    port_number,
    short_name,
    variable,
)
from collectors.shared_levers import argument_place
from collectors.switches import truth

_PORTS = (8080, 9931)
"""The port where none is given: the first, and the one that it is to become."""
_METRICS_VARIABLE = "LLAMA_ARG_ENDPOINT_METRICS"

_KNOBS = (
    Knob(
        lever=Lever.COMPUTE_THREADS,
        sources=(argument("--threads", "-t"), env("LLAMA_ARG_THREADS")),
        default_text="physical cores of the host, whatever its affinity or quota",
        advise="it has fewer cores than the host: set it to those; waiting threads spin (--poll 50), so CPU use is no work",
    ),
    Knob(
        lever=Lever.MAX_REQUESTS_IN_FLIGHT,
        sources=(argument("--parallel", "-np"), env("LLAMA_ARG_N_PARALLEL")),
        default_text="auto",
        advise="requests are deferred while the processor has room: raise; the context is shared among the slots",
    ),
    Knob(
        lever=Lever.CONTEXT_LENGTH,
        sources=(argument("--ctx-size", "-c"), env("LLAMA_ARG_CTX_SIZE")),
        default_text="from the model",
        advise="the KV cache leaves too little memory for layers of the model: lower",
    ),
    Knob(
        lever=Lever.GPU_LAYERS,
        sources=(argument("--n-gpu-layers", "--gpu-layers", "-ngl"), env("LLAMA_ARG_N_GPU_LAYERS")),
        default_text="auto: as many as fit",
        advise="layers run on the CPU while GPU memory is free: raise",
    ),
    Knob(
        lever=Lever.MAX_BATCH_TOKENS,
        sources=(argument("--batch-size", "-b"), env("LLAMA_ARG_BATCH")),
        default=2048,
        advise="prompts are read slowly while the GPU has room: raise",
    ),
    Knob(
        lever=Lever.PREFILL_CHUNK,
        sources=(argument("--ubatch-size", "-ub"), env("LLAMA_ARG_UBATCH")),
        default=512,
        advise="prompts are read slowly while the GPU has memory: raise; out of memory: lower",
    ),
    Knob(
        lever=Lever.KV_CACHE_PRECISION,
        sources=(argument("--cache-type-k", "-ctk"), env("LLAMA_ARG_CACHE_TYPE_K")),
        default="f16",
        advise="the KV cache leaves too little memory: q8_0 halves it, with --cache-type-v alike and --flash-attn on",
    ),
    Knob(
        lever=Lever.CPU_OFFLOAD,
        sources=(argument("--n-cpu-moe", "-ncmoe"), env("LLAMA_ARG_N_CPU_MOE")),
        default_text="no experts on the CPU unless --cpu-moe says so",
        advise="a mixture of experts does not fit the GPU: layers whose experts stay on the CPU",
    ),
    Knob(
        lever=Lever.REQUEST_THREADS,
        sources=(argument("--threads-http"), env("LLAMA_ARG_THREADS_HTTP")),
        default_text="auto",
        advise="requests wait before they reach a slot",
    ),
    Knob(
        lever=Lever.METRICS,
        sources=(flag("--metrics"), env(_METRICS_VARIABLE)),
        default=False,
        advise="always: without it there is no metrics page",
    ),
)
_VALUES = Knob(
    lever=Lever.KV_CACHE_PRECISION,
    sources=(argument("--cache-type-v", "-ctv"), env("LLAMA_ARG_CACHE_TYPE_V")),
    default="f16",
)
"""The other half of the KV cache: keys and values have a type each."""
_ATTENTION = Knob(
    lever=Lever.KV_CACHE_PRECISION,
    sources=(argument("--flash-attn", "-fa"), env("LLAMA_ARG_FLASH_ATTN")),
    default="auto",
)
_ALIKE = "keys and values have a type each: set both"
_NEEDED = "values of such a type need flash attention: without it the server does not start"
_PAGES = "it obeys numactl then; weights that lie in the page cache by now stay where they are until that is dropped"
_FLOATS = frozenset(("f32", "f16", "bf16"))
"""Types of values that it reads without flash attention, too; with any other it ends at its start."""
_OTHER_OPTIONS = (
    ("--model", "-m"), ("--alias", "-a"), ("--hf-repo", "-hf", "-hfr"), ("--model-url", "-mu"), ("--host",), ("--port",),
    ("--docker-repo", "-dr"), ("--api-prefix",), ("--cache-type-v", "-ctv"), ("--flash-attn", "-fa"),
)  # fmt: skip


class LlamaServer(LanguageModelServer):
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"
    versions: ClassVar[str] = "llama.cpp 11434; the router from the documentation of August 2026"
    recognised_by: ClassVar[str] = "`llama-server`, `llama serve`"
    metrics: ClassVar[MetricMap | None] = MetricMap(
        in_flight=(series("llamacpp:requests_processing"),),
        queue=(series("llamacpp:requests_deferred"),),
        tokens_in=(series("llamacpp:prompt_tokens_total"),),
        tokens_out=(series("llamacpp:tokens_predicted_total"),),
        inter_token=Distribution(
            total=(series("llamacpp:tokens_predicted_seconds_total"),),
            count=(series("llamacpp:tokens_predicted_total"),),
        ),
        kv_cache=(series("llamacpp:kv_cache_usage_ratio"),),
        marks=("llamacpp:", "# HELP llamacpp:", "# TYPE llamacpp:"),
    )
    knobs: ClassVar[tuple[Knob, ...]] = _KNOBS
    spelling: ClassVar[Spelling] = Spelling(*spellings(_KNOBS, *_OTHER_OPTIONS))
    titles: ClassVar[bool] = False
    runtime: ClassVar[str] = "llama.cpp"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        unified = command.program == "llama" and command.arguments[:1] in (("serve",), ("server",))
        if not unified and command.program != "llama-server":
            return None
        return Role.FRONT_END if parent is None else Role.WORKER

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        path = option(self.arguments(process), "--model")
        return model_request(path if path is None or "/" in path else f"./{path}")

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        front, members = processes[0][0], [each for each, _ in processes]
        models = tuple(model for each in members if (model := self._model(each, facts)) is not None)
        models = models or mapped_models(members, facts)
        alias = option(self.arguments(front), "--alias") or variable(processes, facts, "LLAMA_ARG_ALIAS")
        routes = self._is_router(processes)
        named = "" if routes else short_name(models[0].path or models[0].name) if models else ""
        port, urls = self._page(processes, facts)
        return Traits(
            application=(alias or "").partition(",")[0] or named or ("router" if routes else "llama-server"),
            port=port,
            models=models,
            metrics_urls=urls,
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        held = super().setting(lever, service, facts)
        if lever is Lever.METRICS and held is not None and held.value is not None:
            return Setting(lever=lever, value=truth(held.value), origin=held.origin)
        return self._of_both(held, service, facts) if held and lever is Lever.KV_CACHE_PRECISION else held

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        found = super().places(lever, value, service, facts)
        if lever is Lever.NUMA_POLICY:
            return (*found, argument_place(service, "--numa", "numactl", _PAGES))
        if lever is not Lever.KV_CACHE_PRECISION:
            return found
        spelled = self.spelled(service)
        beside = [(place, _ALIKE) for place in knob_places(_VALUES, value, spelled, facts)]
        if value not in _FLOATS:
            beside += [(place, _NEEDED) for place in knob_places(_ATTENTION, "on", spelled, facts)]
        others = [msgspec.structs.replace(place, because=f"{why}; {place.because}") for place, why in beside]
        return sorted((*found, *others), key=lambda place: place.kind != found[0].kind)

    def _of_both(self, keys: Setting, service: Service, facts: Facts) -> Setting:
        """The type of keys and values; not known where they differ."""
        values = knob_setting(_VALUES, self.spelled(service), facts)
        if values.value == keys.value:
            return keys
        origin = f"keys are {keys.value} ({keys.origin}), values {values.value} ({values.origin})"
        return Setting(lever=keys.lever, value=None, origin=origin)

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        held = self.setting(Lever.METRICS, service, facts)
        if held is None or held.value is not False:
            return ()
        missing = "the metrics page: queue, tokens, requests in flight"
        return (Gap(missing=missing, turn_on="--metrics", where="the command line of llama-server"),)

    def _page(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> tuple[int | None, tuple[str, ...]]:
        """Port and metrics page. A router answers for one model at a time and may load it for that, so the one server
        below it is asked instead; of several none, because one is not the service."""
        front = processes[0][0]
        given = port_number(option(self.arguments(front), "--port"))
        port = given or port_number(variable(processes, facts, "LLAMA_ARG_PORT")) or listening_port(front.key, facts)
        children = [each for each, role in processes[1:] if role is Role.WORKER]
        if self._is_router(processes):
            below = [port_number(option(self.arguments(each), "--port")) for each in children]
            return port, local_urls(*below) if len(below) == 1 else ()
        host = option(self.arguments(front), "--host") or variable(processes, facts, "LLAMA_ARG_HOST")
        if host and host.endswith(".sock"):
            return None, ()
        path = f"{option(self.arguments(front), '--api-prefix') or ''}/metrics"
        return port, local_urls(*((port,) if port else _PORTS), path=path, host=(host or "").partition(",")[0] or None)

    def _is_router(self, processes: Sequence[tuple[Process, Role]]) -> bool:
        front = self.arguments(processes[0][0])
        named = any(option(front, name) for name in ("--model", "--hf-repo", "--model-url", "--docker-repo"))
        return not named and any(role is Role.WORKER for _, role in processes[1:])

    def _model(self, process: Process, facts: Facts) -> Model | None:
        """The model that one process was told to load."""
        arguments = self.arguments(process)
        members = ((process, Role.WORKER),)
        path = option(arguments, "--model") or variable(members, facts, "LLAMA_ARG_MODEL")
        path = path or option(arguments, "--hf-repo", "--model-url") or variable(members, facts, "LLAMA_ARG_HF_REPO")
        if path is None:
            return None
        alias = option(arguments, "--alias") or variable(members, facts, "LLAMA_ARG_ALIAS")
        name = (alias or "").partition(",")[0] or short_name(path)
        return Model(name=name, path=path, runtime=self.runtime, format="gguf", files=model_files((process,), facts))
