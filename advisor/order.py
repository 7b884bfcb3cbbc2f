"""Which lever is to be turned before which, where several are?

Threads before masks before quotas before workers before batches before GPUs: a mask that is widened, or a worker that is
added, while every worker has too many threads makes the fight wider; measured on a real server, a mask widened first halved
the throughput, after the threads it doubled it.
"""

from collections.abc import Iterable

from advisor.finding import Change
from collectors.levers import Lever

_STAGES: tuple[tuple[Lever, ...], ...] = (
    (Lever.COMPUTE_THREADS, Lever.INTER_OP_THREADS, Lever.THREAD_WAITING),
    (Lever.THREAD_BINDING, Lever.AFFINITY),
    (Lever.CPU_QUOTA, Lever.CPU_WEIGHT),
    (),
    (Lever.MAX_BATCH_SIZE, Lever.MAX_BATCH_DELAY, Lever.MAX_BATCH_TOKENS, Lever.PREFILL_CHUNK),
    (
        Lever.GPU_LAYERS, Lever.GPU_MEMORY_SHARE, Lever.CPU_OFFLOAD, Lever.TENSOR_PARALLEL, Lever.PIPELINE_PARALLEL,
        Lever.DATA_PARALLEL, Lever.CUDA_GRAPHS,
    ),
)  # fmt: skip
_WITH_WORKERS = 3
"""Workers, request threads, payloads, code: what concerns a request, once its cores and threads are in order."""
_STAGE = {lever: stage for stage, levers in enumerate(_STAGES) for lever in levers}


def stage(changes: Iterable[Change]) -> int:
    """Where in the order the earliest of the changes belongs; after all others where there is none."""
    return min((_STAGE.get(change.lever, _WITH_WORKERS) for change in changes), default=len(_STAGES))
