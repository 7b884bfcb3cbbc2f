"""Which form of few bits does a service use that its GPUs or CPUs do not multiply, and what becomes of it there?"""

from typing import Literal

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.gpu.engine_fit import WHOLE, may_have_loaded
from advisor.gpu.holding import weights_bytes
from advisor.gpu.room import is_starting
from advisor.gpu.view import GpuView
from advisor.migration.configured import Configured, dtype_form, onnx_form, weights_form
from advisor.migration.precisions import BF16, CAPABILITY_OF, FP8, INT8, on_capability, on_cpu
from advisor.view import View

_MAPS = "maps of the workers, which tell whether they use a GPU: CAP_SYS_PTRACE for the sidecar, or the same user"


class OnGpus(msgspec.Struct, frozen=True, kw_only=True):
    """`devices`: those that do not multiply it; `capability`: of CUDA, of the least capable; `limit`: what it should be;
    `by_release`: newer releases of the server take it."""

    found: Configured
    fate: Literal["widened", "refused"]
    devices: tuple[GpuView, ...]
    capability: float
    limit: float
    by_release: bool = False

    @property
    def device_name(self) -> str:
        least = min(self.devices, key=lambda gpu: capability_of(gpu) or 0.0)
        more = len(self.devices) - 1
        return least.subject_name + (f" and {more} more" if more else "")


class OnCpus(msgspec.Struct, frozen=True, kw_only=True):
    """`flags`: instructions that the CPUs have."""

    found: Configured
    flags: tuple[str, ...]


def unsupported(view: View, facts: ServiceFacts) -> OnGpus | OnCpus | Need | None:
    """Need where it is in such a form and nobody says what its devices multiply; None where they do, or it is in none."""
    return _on_gpus(view, facts) if view.gpus or is_starting(view) else _on_cpus(view, facts)


def capability_of(gpu: GpuView) -> float | None:
    """As its driver tells it, or the least of its architecture."""
    return gpu.compute_capability or CAPABILITY_OF.get(gpu.architecture or "")


def _on_gpus(view: View, facts: ServiceFacts) -> OnGpus | Need | None:
    devices = tuple(one.gpu for one in view.gpus) or tuple(gpu for gpu in view.node_gpus if not gpu.mig)
    forms = [one for one in (weights_form(facts), dtype_form(facts, asked=True)) if one is not None]
    if not forms or not devices or any(gpu.vendor != "nvidia" for gpu in devices):
        return None
    known = [value for gpu in devices if (value := capability_of(gpu)) is not None]
    if len(known) < len(devices):
        blind = next(gpu for gpu in devices if capability_of(gpu) is None)
        return Need(kind="privilege", text=f"compute capability of {blind.subject_name}, for {forms[0].name} weights: NVML of "
                    "a newer driver")  # fmt: skip
    # one that is on no device yet may choose the best
    capability = min(known) if view.gpus else max(known)
    return next((case for one in forms if (case := _case(view, facts, one, devices, capability)) is not None), None)


def _case(
    view: View, facts: ServiceFacts, found: Configured, devices: tuple[GpuView, ...], capability: float
) -> OnGpus | None:
    form, server, fate = found.form, facts.service.framework, on_capability(found.form, capability)
    devices = tuple(gpu for gpu in devices if on_capability(form, capability_of(gpu) or 0.0) != "multiplied")
    stored = weights_bytes(facts.service.models)
    loaded = not stored or may_have_loaded(view, stored)
    if fate == "multiplied":
        return None
    if fate == "widened" or (fate == "by-release" and loaded) or server not in WHOLE:
        # not INT8 where it has no kernels any more, nor what is widened everywhere
        if form.widened_from is None or capability >= form.least_capability:
            return None
        return OnGpus(found=found, fate="widened", devices=devices, capability=capability, limit=form.least_capability)
    if loaded or (server != "vllm" and form in (BF16, INT8)):
        return None  # it runs, whatever the table says; or how that server takes it is not known
    ended = form.kernels_until is not None and capability >= form.kernels_until
    limit = (form.kernels_until if ended else form.widened_from) or form.least_capability
    return OnGpus(
        found=found, fate="refused", devices=devices, capability=capability, limit=limit,
        by_release=fate == "by-release" and server == "vllm",
    )  # fmt: skip


def _on_cpus(view: View, facts: ServiceFacts) -> OnCpus | Need | None:
    weights, flags = weights_form(facts), facts.cpu.flags
    narrow = weights if weights is not None and weights.form in (FP8, INT8) else None
    forms = [one for one in (onnx_form(facts), narrow, dtype_form(facts, asked=False)) if one is not None]
    if not forms or any(gpu.vendor != "nvidia" for gpu in view.node_gpus):
        return None
    drivers = [worker.drivers for worker in facts.service.serving]
    if any(drivers):  # on devices that nobody shows to the agent
        text = f"compute capability of its GPUs, for {forms[0].name}: the driver's devices for the agent"
        return Need(kind="privilege", text=text) if any("cuda" in kinds for kinds in drivers if kinds) else None
    if flags is None:
        return Need(
            kind="kernel", text=f"instructions of the CPUs, for {forms[0].name}: /proc/cpuinfo with their flags"
        )
    lacking = next((one for one in forms if not on_cpu(one.form, flags)), None)
    if lacking is None:
        return None
    return Need(kind="privilege", text=_MAPS) if None in drivers else OnCpus(found=lacking, flags=flags)
