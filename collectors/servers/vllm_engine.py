"""What is set on a vLLM engine, what does it print, and which of its processes is which, whoever started it?

vLLM's own server, Dynamo and NIM run the same engine. Its processes give themselves titles (`VLLM::EngineCore_DP0`,
`VLLM::Worker_TP1`), which erase command line and environment.
"""

import re
from collections.abc import Sequence

from collectors.entities import Process, Role
from collectors.knobs import Knob, argument
from collectors.levers import Lever
from collectors.metric_map import Distribution, MetricMap, series
from collectors.option_spelling import Spelling, spellings
from collectors.servers.llm_arguments import title_of

KV_BYTES = "--kv-cache-memory-bytes"
"""With it --gpu-memory-utilization counts for nothing."""
_TITLE = re.compile(
    r"([^\s:/]{1,40})::(EngineCor(?:e(?:_DP\d+)?)?|APIServer(?:_\w+)?|DPCoordin(?:ator)?|Worker(?:_\w*)?)"
)

KNOBS = (
    Knob(
        lever=Lever.GPU_MEMORY_SHARE,
        sources=(argument("--gpu-memory-utilization", "--device-memory-utilization"),),
        default_text="0.92 in 0.33, 0.9 in older releases",
        advise="GPU memory is free while the KV cache fills up: raise; another process needs the GPU: lower",
    ),
    Knob(
        lever=Lever.MAX_REQUESTS_IN_FLIGHT,
        sources=(argument("--max-num-seqs"),),
        default_text="1024 on a GPU of 70 GiB or more that is no A100, else 256",
        advise="requests wait while the KV cache has room: raise; requests are preempted: lower",
    ),
    Knob(
        lever=Lever.MAX_BATCH_TOKENS,
        sources=(argument("--max-num-batched-tokens"),),
        default_text="16384 from 160 GiB of GPU memory, 8192 from 70 GiB (no A100), else 2048",
        advise="the first token comes late: raise; the time between tokens is uneven: lower",
    ),
    Knob(
        lever=Lever.MAX_QUEUE,
        sources=(argument("--max-num-queued-reqs"),),
        default_text="no limit",
        advise="the queue grows without bound: set it; it counts running requests too",
    ),
    Knob(
        lever=Lever.CONTEXT_LENGTH,
        sources=(argument("--max-model-len"),),
        default_text="from the model",
        advise="the KV cache does not hold enough requests of the full length: lower",
    ),
    Knob(
        lever=Lever.PRECISION,
        sources=(argument("--quantization", "-q"),),
        default_text="as the model is stored",
        advise="the weights leave too little memory for the KV cache",
    ),
    Knob(
        lever=Lever.DTYPE,
        sources=(argument("--dtype"),),
        default="auto",
        advise="bfloat16 on a GPU below compute capability 8.0: float16",
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
        sources=(argument("--tensor-parallel-size", "-tp"),),
        default=1,
        advise="the model and its KV cache do not fit one GPU",
    ),
    Knob(
        lever=Lever.PIPELINE_PARALLEL,
        sources=(argument("--pipeline-parallel-size", "-pp"),),
        default=1,
        advise="the model does not fit the GPUs of one node, or they have no fast link to each other",
    ),
    Knob(
        lever=Lever.DATA_PARALLEL,
        sources=(argument("--data-parallel-size", "-dp"),),
        default=1,
        advise="one engine is at its limit and GPUs are free",
    ),
    Knob(
        lever=Lever.API_SERVERS,
        sources=(argument("--api-server-count", "-asc"),),
        default_text="as many as data-parallel ranks",
        advise="an API server keeps one core busy while the GPU waits",
    ),
)

_OTHER_OPTIONS = (
    ("--model",), ("--served-model-name",), ("--host",), ("--port",), ("--uds",), ("--headless",), ("--config",),
    ("--disable-log-stats",), (KV_BYTES,), ("--ssl-keyfile",), ("--ssl-certfile",), ("--enforce-eager",),
    ("--no-enforce-eager",),
)  # fmt: skip
SPELLING = Spelling(
    *spellings(KNOBS, *_OTHER_OPTIONS),
    beginnings=True,
    underscores=True,
    thousands={"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40},
    counts=("--max-model-len", "--max-num-batched-tokens", "--max-num-seqs", "--max-num-queued-reqs"),
)

METRICS = MetricMap(
    requests=(series("vllm:request_success_total", finished_reason="stop|length|repetition"),),
    errors=(
        # an aborted request is one whose client went away
        series("vllm:request_success_total", finished_reason="error"),
        series("vllm:admission_rejections_total"),
    ),
    latency=Distribution(of=(series("vllm:e2e_request_latency_seconds"),)),
    in_flight=(series("vllm:num_requests_running"),),
    queue=(series("vllm:num_requests_waiting"),),
    queue_time=Distribution(of=(series("vllm:request_queue_time_seconds"),)),
    tokens_in=(series("vllm:prompt_tokens_total"),),
    tokens_out=(series("vllm:generation_tokens_total"),),
    first_token=Distribution(of=(series("vllm:time_to_first_token_seconds"),)),
    inter_token=Distribution(
        of=(series("vllm:inter_token_latency_seconds"), series("vllm:time_per_output_token_seconds"))
    ),
    kv_cache=(series("vllm:kv_cache_usage_perc"), series("vllm:gpu_cache_usage_perc")),
    preemptions=(series("vllm:num_preemptions_total"),),
    model_label="model_name",
    marks=("vllm:", "# HELP vllm:", "# TYPE vllm:"),
)


def engine_role(process: Process, parent: Role | None) -> Role | None:
    """The role of one of vLLM's own processes by its title; None for any other. Its prefix may be another one
    (VLLM_PROCESS_NAME_PREFIX); `Worker` and `APIServer` then count below a process of vLLM only."""
    match = _TITLE.fullmatch(title_of(process))
    if match is None:
        return None
    kind = match[2]
    if kind.startswith("DPCoordin"):
        return Role.SUPPORT
    if kind.startswith("EngineCor"):
        return Role.WORKER
    if parent is None and match[1] != "VLLM":
        return None
    if kind.startswith("APIServer"):
        return Role.FRONT_END if parent is None else Role.GATEWAY
    return Role.WORKER


def settled_engines(processes: Sequence[tuple[Process, Role]]) -> list[Role]:
    """The roles of a group: an engine that has workers of its own only schedules them."""
    titles = [(process, _TITLE.fullmatch(title_of(process))) for process, _ in processes]
    leading = {process.ppid for process, match in titles if match and match[2].startswith("Worker")}
    return [
        Role.GATEWAY if match and match[2].startswith("EngineCor") and process.key.pid in leading else role
        for (process, match), (_, role) in zip(titles, processes, strict=True)
    ]
