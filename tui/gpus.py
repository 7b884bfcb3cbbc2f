"""What do several screens say of GPUs: how a device is called, what it does, and which readers cannot read?"""

from collections.abc import Sequence

import msgspec

from advisor.documents import CollectorStatus, GpuStatus, NodeStatus
from collectors.gpu.states import STATES
from tui import format as fmt

_BRANDS = frozenset(("NVIDIA", "AMD", "Instinct", "GeForce", "Tesla", "Google", "AWS"))
"""Words of a model's name that tell no two devices of a node apart."""
_FINE = frozenset(("ok", "absent"))


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A reader that cannot read. `since_seconds` None: not known, as in a recording."""

    name: str
    state: str
    detail: str
    since_seconds: float | None = None
    heartbeat_seconds: float | None = None
    restarts: int = 0


def troubles(node: NodeStatus) -> tuple[Trouble, ...]:
    """The readers that neither read nor find their kind absent; of a recording, what their collectors said."""
    if not node.gpu_readers:
        return _recorded_troubles(node.collectors)
    return tuple(
        Trouble(
            name=reader.name,
            state=reader.state,
            detail=reader.detail,
            since_seconds=reader.since_seconds,
            heartbeat_seconds=reader.heartbeat_seconds,
            restarts=reader.restarts,
        )
        for reader in node.gpu_readers
        if reader.state not in _FINE
    )


def _recorded_troubles(collectors: Sequence[CollectorStatus]) -> tuple[Trouble, ...]:
    found: dict[str, Trouble] = {}
    for one in collectors:
        if one.status == "unsupported" and one.reason in STATES and one.reason not in _FINE:
            name = reader_name(one)
            found.setdefault(name, Trouble(name=name, state=one.reason, detail=one.hint or ""))
    return tuple(found.values())


def reader_name(collector: CollectorStatus) -> str:
    """`nvidia` of `nvidia-health`: a reader is called as the first of its collectors."""
    return collector.name.partition("-")[0]


def is_told_by_reader(collector: CollectorStatus, node: NodeStatus) -> bool:
    """Whether a reader's trouble is why this collector cannot read."""
    return reader_name(collector) in {trouble.name for trouble in troubles(node)}


def short_name(gpu: GpuStatus) -> str:
    """`H100 80GB HBM3`, and `MIG 1g.18gb` of an instance."""
    name = fmt.plain(gpu.name)
    _, mig, profile = name.partition(" MIG ")
    if gpu.parent is not None and mig:
        return f"MIG {profile}"
    return " ".join(word for word in name.split(" ") if word not in _BRANDS) or name


def called(gpu: GpuStatus) -> str:
    """`GPU 0`, as nvidia-smi counts."""
    return "GPU" if gpu.index is None else f"GPU {gpu.index}"


def memory_share(gpu: GpuStatus) -> float | None:
    if gpu.memory_used_bytes is None or not gpu.memory_total_bytes:
        return None
    return gpu.memory_used_bytes / gpu.memory_total_bytes


def memory_text(gpu: GpuStatus) -> str:
    if gpu.memory_used_bytes is None and gpu.memory_total_bytes is None:
        return fmt.UNKNOWN
    return f"{fmt.size(gpu.memory_used_bytes)} of {fmt.size(gpu.memory_total_bytes)}"


def activity_text(gpu: GpuStatus) -> str:
    """How much of its multiprocessors was used; where nobody counts that, for how long anything ran, and called so."""
    if gpu.sm_active_ratio is not None:
        return f"SM {fmt.percent(gpu.sm_active_ratio)}"
    if gpu.busy_ratio is not None:
        return f"busy-time {fmt.percent(gpu.busy_ratio)}"
    return "divided" if gpu.mig else f"SM {fmt.UNKNOWN}"


def pids_on(gpus: Sequence[GpuStatus]) -> frozenset[int]:
    """Processes of this node that are on a device."""
    return frozenset(process.pid for gpu in gpus for process in gpu.processes if process.joined)
