"""What is set on an SGLang engine, what does it print, and which of its processes is which, whoever started it?

SGLang's own server, Dynamo and NIM run the same engine. Its processes give themselves titles (`sglang::scheduler_TP0`),
which erase command line and environment.
"""

import re

from collectors.entities import Process, Role
from collectors.knobs import Knob, argument, flag
from collectors.levers import Lever
from collectors.metric_map import Distribution, MetricMap, series
from collectors.option_spelling import Spelling, spellings
from collectors.servers.llm_arguments import title_of

_TITLE = re.compile(r"(?:sglang|sgl_diffusion)::(schedul\w*|detoken\w*|data_pa\w*|tokeniz\w*(?::\d+)?)")
"""The ends are cut off where only the name is left of the title."""

KNOBS = (
    Knob(
        lever=Lever.GPU_MEMORY_SHARE,
        sources=(argument("--mem-fraction-static"),),
        default_text="from the GPU's memory and the other options",
        advise="requests are retracted or wait while GPU memory is free: raise; out of memory: lower",
    ),
    Knob(
        lever=Lever.MAX_REQUESTS_IN_FLIGHT,
        sources=(argument("--max-running-requests"),),
        default_text="from the size of the KV cache",
        advise="requests wait while token usage is low: raise; requests are retracted: lower",
    ),
    Knob(
        lever=Lever.MAX_QUEUE,
        sources=(argument("--max-queued-requests"),),
        default_text="no limit",
        advise="the queue grows without bound: set it",
    ),
    Knob(
        lever=Lever.PREFILL_CHUNK,
        sources=(argument("--chunked-prefill-size"),),
        default_text="from the GPU's memory",
        advise="long prompts make the time between tokens uneven: lower; -1 turns it off",
    ),
    Knob(
        lever=Lever.MAX_BATCH_TOKENS,
        sources=(argument("--max-prefill-tokens"),),
        default=16384,
        advise="the first token comes late while the GPU is not busy: raise",
    ),
    Knob(
        lever=Lever.CONTEXT_LENGTH,
        sources=(argument("--context-length"),),
        default_text="from the model",
        advise="the KV cache does not hold enough requests of the full length: lower",
    ),
    Knob(
        lever=Lever.PRECISION,
        sources=(argument("--quantization"),),
        default_text="as the model is stored",
        advise="the weights leave too little memory for the KV cache",
    ),
    Knob(
        lever=Lever.DTYPE,
        sources=(argument("--dtype"),),
        default="auto",
        advise="the CPU has no instruction for the type in which the model is stored",
    ),
    Knob(
        lever=Lever.KV_CACHE_PRECISION,
        sources=(argument("--kv-cache-dtype"),),
        default="auto",
        advise="the KV cache is full: fp8 holds twice as many tokens where the GPU supports it",
    ),
    Knob(
        lever=Lever.CPU_OFFLOAD,
        sources=(argument("--cpu-offload-gb"),),
        default=0,
        advise="the model does not fit; every step then reads weights over PCIe",
    ),
    Knob(
        lever=Lever.TENSOR_PARALLEL,
        sources=(argument("--tp-size", "--tensor-parallel-size"),),
        default=1,
        advise="the model and its KV cache do not fit one GPU",
    ),
    Knob(
        lever=Lever.PIPELINE_PARALLEL,
        sources=(argument("--pp-size", "--pipeline-parallel-size"),),
        default=1,
        advise="the model does not fit the GPUs of one node, or they have no fast link to each other",
    ),
    Knob(
        lever=Lever.DATA_PARALLEL,
        sources=(argument("--dp-size", "--data-parallel-size"),),
        default=1,
        advise="one engine is at its limit and GPUs are free",
    ),
    Knob(
        lever=Lever.API_SERVERS,
        sources=(argument("--tokenizer-worker-num"),),
        default=1,
        advise="the process that takes requests keeps one core busy while the GPU waits",
    ),
    Knob(
        lever=Lever.METRICS,
        sources=(flag("--enable-metrics"),),
        default=False,
        advise="always: without it there is no metrics page",
    ),
)

_OTHER_OPTIONS = (
    ("--model-path", "--model"), ("--served-model-name",), ("--host",), ("--port",), ("--config",), ("--node-rank",),
    ("--ssl-keyfile",), ("--ssl-certfile",),
)  # fmt: skip
_THOUSANDS = {letters: 1000**power for power, letters in enumerate(("", "k", "M", "G", "T"))}
SPELLING = Spelling(
    *spellings(KNOBS, *_OTHER_OPTIONS),
    beginnings=True,
    thousands=_THOUSANDS | {f"{letter}i": 1024**power for power, letter in enumerate("_KMGT") if power},
    counts=("--context-length", "--max-prefill-tokens"),
)

_FIRST = {"pp_rank": "0?", "priority": ""}
"""Every stage of a pipeline prints the same requests, and every priority its part of them beside the sum."""

METRICS = MetricMap(
    requests=(series("sglang:num_requests_total"),),
    # requests whose client went away count as aborted there, so the answers are counted
    errors=(series("sglang:http_responses_total", status_code="5..", endpoint="/v1/.*|/generate|/api/.*"),),
    latency=Distribution(of=(series("sglang:e2e_request_latency_seconds"),)),
    in_flight=(series("sglang:num_running_reqs", **_FIRST),),
    queue=(series("sglang:num_queue_reqs", **_FIRST), series("sglang:num_grammar_queue_reqs", **_FIRST)),
    queue_time=Distribution(of=(series("sglang:queue_time_seconds", pp_rank="0?"),)),
    tokens_in=(series("sglang:prompt_tokens_total"),),
    tokens_out=(series("sglang:generation_tokens_total"),),
    first_token=Distribution(of=(series("sglang:time_to_first_token_seconds"),)),
    inter_token=Distribution(of=(series("sglang:inter_token_latency_seconds"),)),
    kv_cache=(series("sglang:token_usage"),),
    preemptions=(series("sglang:num_retracted_requests_total", pp_rank="0?"),),
    model_label="model_name",
    marks=("sglang:", "# HELP sglang:", "# TYPE sglang:"),
)


def scheduler_role(process: Process) -> Role | None:
    """The role of one of SGLang's own processes by its title; None for any other. A scheduler holds its GPU and runs the
    model; the others turn text into tokens and back, or hand requests on."""
    match = _TITLE.fullmatch(title_of(process))
    if match is None:
        return None
    return Role.WORKER if match[1].startswith("schedul") else Role.GATEWAY
