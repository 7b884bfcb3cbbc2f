"""What can be turned on a service, and in which places it can be set?"""

from enum import StrEnum

import msgspec


class Lever(StrEnum):
    """Something that advice may change, independent of the server that has it. In the words that most servers use:
    `workers` are processes (or replicas) that serve, `model_instances` copies of one model inside a process, `recycle_after`
    the requests after which a worker is replaced, `precision` how weights are quantised, `dtype` the type of what is not."""

    WORKERS = "workers"
    REQUEST_THREADS = "request_threads"
    COMPUTE_THREADS = "compute_threads"
    AFFINITY = "affinity"
    THREAD_BINDING = "thread_binding"
    CPU_QUOTA = "cpu_quota"
    CPU_WEIGHT = "cpu_weight"
    MEMORY_LIMIT = "memory_limit"
    RECYCLE_AFTER = "recycle_after"
    PRELOAD = "preload"
    MAX_REQUESTS_IN_FLIGHT = "max_requests_in_flight"
    MAX_QUEUE = "max_queue"
    MAX_BATCH_SIZE = "max_batch_size"
    MAX_BATCH_DELAY = "max_batch_delay"
    MAX_BATCH_TOKENS = "max_batch_tokens"
    PREFILL_CHUNK = "prefill_chunk"
    MODEL_INSTANCES = "model_instances"
    MODEL_POOL = "model_pool"
    CONTEXT_LENGTH = "context_length"
    PRECISION = "precision"
    DTYPE = "dtype"
    KV_CACHE_PRECISION = "kv_cache_precision"
    GPU_MEMORY_SHARE = "gpu_memory_share"
    GPU_LAYERS = "gpu_layers"
    CPU_OFFLOAD = "cpu_offload"
    TENSOR_PARALLEL = "tensor_parallel"
    PIPELINE_PARALLEL = "pipeline_parallel"
    DATA_PARALLEL = "data_parallel"
    API_SERVERS = "api_servers"
    GATEWAY_WORKERS = "gateway_workers"
    MODEL_OVERCOMMIT = "model_overcommit"
    INTER_OP_THREADS = "inter_op_threads"
    KEEP_LOADED = "keep_loaded"
    METRICS = "metrics"
    THREAD_WAITING = "thread_waiting"
    CUDA_GRAPHS = "cuda_graphs"
    PAYLOAD_FORMAT = "payload_format"
    INPUT_SIZE = "input_size"
    PREPROCESSING = "preprocessing"
    LOOP_OFFLOAD = "loop_offload"
    MODEL_RUNTIME = "model_runtime"
    MODEL_PRECISION = "model_precision"
    SWITCH_INTERVAL = "switch_interval"
    NUMA_POLICY = "numa_policy"
    CPU_GOVERNOR = "cpu_governor"
    CPU_CLOCK_LIMIT = "cpu_clock_limit"


Value = int | float | str | bool | None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place in which a lever can be set for a service.

    `kind` is how a program would write it: `env` (environment of `target`), `argument` (command line of `target`),
    `file` (key of a JSON settings file), `taskset` (CPU list of `target` and its children), `numactl` (option of that
    command, before `target`), `cgroup` (file of the cgroup folder `target`), `sysfs` (file of the folders `target`),
    `systemd` (directive of the unit `target`), `kubernetes` (field of the workload `target`), `compose` (key of the
    service `target`), `docker` (option with which the container `target` is made; also of podman and nerdctl), `code`.
    `value` is the text to write for the proposed value. `effective` False: another place wins, and `because` says
    which; None = could not be told.
    """

    kind: str
    target: str
    key: str
    value: Value
    effective: bool | None
    because: str | None
    restart: bool = True


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The present value of a lever and where it comes from (`argument`, `env`, `file settings.json`, `default`).
    `value` None = not known; `origin` then says what is missing."""

    lever: Lever
    value: Value
    origin: str

    @property
    def unread(self) -> bool:
        """Whether something may set it that could not be read; else None is what the server decides by itself."""
        return self.value is None and not self.origin.startswith("default")
