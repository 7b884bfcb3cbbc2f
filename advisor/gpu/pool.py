"""Does a service take its device memory all at once, so that a full device says nothing of what it needs?"""

from advisor.facts import ServiceFacts
from collectors.entities import Service
from collectors.levers import Lever
from collectors.registry import framework_named
from collectors.servers.sglang_engine import scheduler_role
from collectors.servers.vllm_engine import engine_role

AT_START = frozenset(("llama-server", "ollama"))
"""They reserve weights, context and buffers when they load a model, and leave 1 GiB (llama.cpp's own margin)."""
POOL_RUNTIMES = ("tensorflow", "vllm", "sglang", "tensorrtllm", "tensorrt_llm", "trtllm")
ENGINE_DEPLOYMENTS = ("LLMServer", "VLLM")
"""How the names of the deployments begin in which Ray Serve runs vLLM."""


def pool_of(facts: ServiceFacts) -> str | None:
    """What reserves its memory: a pool of a share of the device; None if it takes what it needs as it needs it."""
    service = facts.service
    if facts.setting(Lever.GPU_MEMORY_SHARE) is not None:
        return f"{service.framework} reserves a share of the device"
    runtime = next((m.runtime for m in service.models if (m.runtime or "").startswith(POOL_RUNTIMES)), None)
    if runtime is not None:
        return f"{runtime} reserves a share of the device"
    if _holds_engine(service):
        return "the engine inside it reserves a share of the device"
    if "tensorflow" in (facts.compute_libraries or ()) and not _grows(facts):
        return "TensorFlow reserves nearly the whole device"
    return None


def _holds_engine(service: Service) -> bool:
    """Whether it runs vLLM or SGLang in processes of their own, as applications do that embed them."""
    engines = any(engine_role(w.process, None) or scheduler_role(w.process) for w in service.workers)
    return engines or any(m.runtime == "ray-serve" and m.name.startswith(ENGINE_DEPLOYMENTS) for m in service.models)


def _grows(facts: ServiceFacts) -> bool:
    return (facts.environ("TF_FORCE_GPU_ALLOW_GROWTH") or "").lower() in ("true", "1")


def tells_fill(facts: ServiceFacts) -> bool:
    """Whether the server's metrics page would say how full its KV cache is."""
    framework = framework_named(facts.service.framework)
    return framework is not None and framework.metrics is not None and bool(framework.metrics.kv_cache)
