"""Do several processes of one service hold a context each on one GPU, and how much of it goes into that?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.gpu.amounts import gib
from advisor.gpu.holding import weights_bytes, widest_bytes
from advisor.gpu.pool import pool_of
from advisor.gpu.staying import workers_needed
from advisor.gpu.view import ServiceGpu
from advisor.intervals import gain
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View
from advisor.workers import change_to, count_told, processes_after


class Contexts(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes of one service hold on one device. `beside`: of each, at least, beside a whole model."""

    one: ServiceGpu
    held: tuple[int, ...]
    stored: int
    beside: float
    usable: int

    @property
    def share(self) -> float:
        return len(self.held) * self.beside / self.usable


class GpuContextMultiplied(Rule):
    """Several processes of one service hold a context of their own on one GPU.

    What it looks for: three processes of a service or more on one device, and what the smallest of them holds beside the
    model: its size less that of the model's files, at their widest once loaded.
    Why it matters: each process has its own context, kernels, library workspaces and allocator, on top of its own copy of
    the model. Without MPS they also take turns on the device instead of sharing it.
    What to do: fewer processes that batch their requests, as few as their work on CPU and device keeps busy; or CUDA MPS,
    which lets them share the device (a fault of one then ends all).
    When it is wrong: for processes that hold different models to be apart from each other. What a process holds beside the
    model is not its context alone but also what its requests need: with fewer processes that part moves to the others.
    """

    proven = ("built",)
    recovers = "memory"
    yields_to = ("io-bound-workers", "gil-bound-worker", "workers-below-cores-saturated")
    needs_load = False
    minimum_samples = 0
    thresholds = {
        "processes": Threshold(enter=3, unit="processes", doc="of the service on one device, at least"),
        "beside_ratio": Threshold(
            enter=0.15, leave=0.1, unit="ratio", doc="what they hold beside the model / usable device memory"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        least = settings.limit("processes")
        crowded = [one for one in view.gpus if len(one.own) >= least and not one.gpu.unified_memory]
        if not crowded or pool_of(facts) is not None:
            return None
        found = [_contexts(one, facts) for one in crowded]
        known = [one for one in found if isinstance(one, Contexts)]
        if not known:
            return next((one for one in found if isinstance(one, Need)), None)
        worst = max(known, key=lambda one: one.share)
        if worst.share < settings.limit("beside_ratio"):
            return None
        return self._conclusion(view, facts, settings, worst)

    @staticmethod
    def _conclusion(view: View, facts: ServiceFacts, settings: Settings, found: Contexts) -> Conclusion:
        count, total = len(found.held), sum(found.held)
        change = _fewer(view, facts, found)
        return Conclusion(
            subject=subject_of(view),
            title=f"{count} processes hold {gib(count * found.beside)} of {found.one.gpu.subject_name} beside their models: "
            + (f"run {count_told(facts, change)}" if change else "let them share it"),
            summary=f"The smallest holds {gib(min(found.held))}, of which the model is at most "
            f"{gib(min(found.held) - found.beside)}: {gib(found.beside)} are its context and what its requests need, and "
            f"{count} times that is {found.share:.0%} of the device. {_instead(view, found, change)}",
            confidence=0.7 if len(facts.service.models) == 1 else 0.5,
            evidence=(
                evidence(view, "gpu_processes", "processes", count, settings.enter("processes")),
                evidence(view, "gpu_beside_model_ratio", "ratio", found.share, settings.enter("beside_ratio")),
                evidence(view, "gpu_beside_model_each", "bytes", found.beside),
                evidence(view, "gpu_memory_of_service", "bytes", total),
                evidence(view, "model_bytes", "bytes", found.stored),
                evidence(view, "cores_used", "cores", view.cores_used),
            ),
            rejected=(
                Rejected("processes that hold different models", f"the smallest holds {gib(min(found.held))}, all models of "
                         f"the service are {gib(found.stored)} as stored"),
                Rejected("a pool of reserved memory", "0 settings of the server reserve a share of the device"),
            ),
            changes=() if change is None else (change,),
            gains=_gains(found, change),
        )  # fmt: skip


def _contexts(one: ServiceGpu, facts: ServiceFacts) -> Contexts | Need:
    """Each holds at least what its smallest does; that, less all models at their widest, is beside them."""
    name, usable = one.gpu.subject_name, one.gpu.memory_usable_bytes
    held = [p.memory_bytes for p in one.own if p.memory_bytes is not None]
    if len(held) < len(one.own) or not usable:
        return Need(kind="privilege", text=f"memory of each process on {name}: the agent in the node's PID namespace")
    stored, widest = weights_bytes(facts.service.models), widest_bytes(facts.service.models)
    if stored is None or widest is None:
        text = f"size of the models that {len(held)} processes hold on {name}: their files, which the sidecar reads"
        return Need(kind="privilege", text=text)
    beside = max(0.0, min(held) - widest)
    return Contexts(one=one, held=tuple(held), stored=stored, beside=beside, usable=usable)


def _fewer(view: View, facts: ServiceFacts, found: Contexts) -> Change | None:
    """As few workers as what all do now keeps busy. Under MPS they run side by side on the device, which fewer do not."""
    needed = workers_needed(view, facts)
    if needed is None or needed >= len(view.serving) or _by_mps(found):
        return None
    return change_to(view, facts, needed)


def _by_mps(found: Contexts) -> bool:
    return bool(found.one.gpu.mps) or any("mps" in p.contexts for p in found.one.own)


def _gains(found: Contexts, change: Change | None) -> tuple[Gain, ...]:
    """Device memory of the service, after / before. At best what the processes that go hold goes with them; at worst only
    their copies of the model do, and the rest moves to those that stay."""
    if change is None:
        return ()
    total, count = sum(found.held), len(found.held)
    gone = count * (1 - int(change.proposed or 1) / int(change.current or 1))
    best, worst = gone * total / count, gone * min(found.stored, *found.held)
    return (gain("memory_ratio", *(1 - freed / total for freed in (best, (best + worst) / 2, worst))),)


def _instead(view: View, found: Contexts, change: Change | None) -> str:
    if _by_mps(found):
        return "They share the device by MPS already: one process that batches their requests holds one of each."
    fewer = "" if change is None else (
        f"All {len(view.serving)} have no more to do than {processes_after(view, change)} can; let those batch requests. "
    )  # fmt: skip
    return f"{fewer}CUDA MPS (nvidia-cuda-mps-control) lets them share the device; a fault of one then ends all."
