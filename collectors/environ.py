"""Which part of a process's environment may leave the reader?"""

import re
import shlex

from collectors.redaction import REDACTED, looks_secret, redact_argv

ALLOWED_ENVIRON: tuple[str, ...] = (
    # sizes of thread pools
    "OMP_*", "KMP_*", "GOMP_CPU_AFFINITY", "MKL_*", "OPENBLAS_*", "GOTO_NUM_THREADS", "BLIS_*", "VECLIB_*", "NUMEXPR_*",
    "NUMBA_*", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "LOKY_MAX_CPU_COUNT", "TF_NUM_*", "ORT_*", "TBB_NUM_THREADS",
    "TORCH_NUM_THREADS", "TOKENIZERS_PARALLELISM", "GOMAXPROCS", "DNNL_*", "ONEDNN_*",
    # allocators and the interpreter
    "LD_PRELOAD", "MALLOC_*", "GLIBC_TUNABLES", "TCMALLOC_*", "MIMALLOC_*", "PYTHONMALLOC", "PYTHON_GIL", "SPT_NOENV",
    "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF",
    # devices
    "CUDA_VISIBLE_DEVICES", "CUDA_MODULE_LOADING", "CUDA_MPS_*", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    # servers
    "WEB_CONCURRENCY", "PORT", "HOSTNAME", "UVICORN_*", "GUNICORN_CMD_ARGS", "MLSERVER_*",
    "PROMETHEUS_MULTIPROC_DIR", "OLLAMA_*", "LLAMA_ARG_*", "VLLM_*", "SGLANG_*", "TS_*",
    "MODEL_NAME", "MODEL_ID", "MODEL_BASE_PATH",
    "NIM_*", "DYN_HTTP_PORT", "DYN_HTTP_HOST", "DYN_SYSTEM_PORT", "DYN_SYSTEM_ENABLED", "DYN_NAMESPACE", "DYN_TRTLLM_*",
    "NUM_SHARD", "SHARDED", "QUANTIZE", "DTYPE", "KV_CACHE_DTYPE", "MAX_CONCURRENT_REQUESTS", "MAX_BATCH_SIZE",
    "MAX_INPUT_TOKENS", "MAX_TOTAL_TOKENS", "MAX_BATCH_PREFILL_TOKENS", "MAX_BATCH_TOTAL_TOKENS", "MAX_WAITING_TOKENS",
    "WAITING_SERVED_RATIO", "CUDA_MEMORY_FRACTION", "VALIDATION_WORKERS",
    "BENTOML_PORT", "BENTOML_HOST", "BENTOML_CONFIG",
    "SELDON_METRICS_PORT", "SELDON_REVERSE_PROXY_HTTP_PORT", "SELDON_OVERCOMMIT_PERCENTAGE", "MODELGATEWAY_NUM_WORKERS",
    # distributed training, which is no serving
    "MASTER_PORT", "WORLD_SIZE", "RANK", "LOCAL_RANK", "HOROVOD_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK",
)  # fmt: skip
"""Keys that may leave the reader; `*` ends a prefix. A key or a value that looks secret never does."""

_COMMAND_LINES = frozenset(("GUNICORN_CMD_ARGS", "NIM_PASSTHROUGH_ARGS"))
"""Variables that hold options as a shell would read them."""
_VALUE_LIMIT_CHARACTERS = 1024
_COUNT_DIGITS = 9
"""A longer number after `MAX_…_TOKENS` is no count of them."""
_ALLOWED_KEYS = frozenset(key for key in ALLOWED_ENVIRON if not key.endswith("*"))
_ALLOWED_PREFIXES = tuple(key[:-1] for key in ALLOWED_ENVIRON if key.endswith("*"))
_SECRET_IN_KEY = re.compile(r"KEY|TOKEN(?!IZER)|SECRET|PASS|PWD|CREDENTIAL|AUTH|COOKIE|PRIVATE", re.IGNORECASE)


def allowed_environ(raw: bytes) -> dict[str, str] | None:
    """The allow-listed part of /proc/PID/environ; None if the process wrote over it (setproctitle leaves NULs)."""
    if not raw:
        return {}
    entries = raw.removesuffix(b"\0").split(b"\0")
    if b"" in entries or not any(b"=" in entry for entry in entries):
        return None
    found = {}
    for entry in entries:
        name, _, content = entry.partition(b"=")
        key, value = name.decode("utf-8", "backslashreplace"), content.decode("utf-8", "backslashreplace")
        if key in _COMMAND_LINES:
            found[key] = _redact_words(value)
        elif _may_pass(key, value):
            found[key] = value
    return found


def _may_pass(key: str, value: str) -> bool:
    allowed = key in _ALLOWED_KEYS or key.startswith(_ALLOWED_PREFIXES)
    counts_tokens = (
        key in _ALLOWED_KEYS and key.endswith("_TOKENS") and value.isdecimal() and len(value) <= _COUNT_DIGITS
    )
    if not allowed or (_SECRET_IN_KEY.search(key) and not counts_tokens):
        return False
    return len(value) <= _VALUE_LIMIT_CHARACTERS and not looks_secret(value)


def _redact_words(arguments: str) -> str:
    try:
        return shlex.join(redact_argv(shlex.split(arguments)))
    except ValueError:  # an open quote: to which word a secret belongs cannot be told
        return REDACTED
