"""Do a service's threads run on CPUs of another memory node than that of their GPU?"""

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.gpu.use import all_known, link_share, seen_on_gpu
from advisor.gpu.view import GpuView, ServiceGpu
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View, WorkerView
from collectors.cpulist import format_cpulist
from collectors.levers import Lever

SAVED = (0.1, 0.2)
"""Parts of the time of copies that the way between the nodes may cost: likely, and at most."""
SAMPLED = 0.7
"""What is left of the confidence where traffic is seen in samples only."""


class GpuRemoteNuma(Rule):
    """The threads that feed a GPU run on CPUs that are far from it.

    What it looks for: workers whose threads ran on CPUs of another memory node than that of the GPU's slot in all of the
    window, while more than 1 GB/s went over PCIe.
    Why it matters: every copy then crosses the link between the nodes, which is slower and shared, and so does each launch.
    What to do: bind the server to CPUs near to the GPU before it starts, so that its memory is on their node too (numactl,
    taskset, Kubernetes' topology manager).
    When it is wrong: where the near CPUs are taken by others; it is silent then. It concerns copies only, so that the gain is
    small unless they take much of the time. On virtual machines the node of a GPU is often not known: nothing is said then.
    """

    proven = ("built",)
    recovers = "device"
    yields_to = ("affinity-too-narrow", "affinity-overlapping-pins", "cgroup-cpu-throttled")
    thresholds = {
        "far_share": Threshold(enter=0.95, leave=0.8, unit="ratio", doc="CPU time of the workers on far CPUs"),
        "pcie_bytes_per_second": Threshold(
            enter=1e9, leave=0.8e9, unit="bytes_per_second", doc="PCIe traffic of the GPU, both ways together"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        remote = [(far, one) for one in view.gpus if (far := _far(view, one)) >= settings.limit("far_share")]
        if not remote:
            return None
        far, one = max(remote, key=lambda pair: _traffic(pair[1].gpu) or 0.0)
        gpu, traffic = one.gpu, _traffic(one.gpu)
        near = (gpu.cpus or frozenset()) & view.online
        if traffic is None:
            return Need(kind="metrics", text=f"the PCIe traffic of {gpu.subject_name}, whose workers run on far CPUs")
        if traffic < settings.limit("pcie_bytes_per_second"):
            return None
        allowed = near & _permitted(view)
        if not allowed and not _cpuset_known(view):
            cpus = format_cpulist(near)
            return Need(
                kind="privilege", text=f"whether its cpuset holds any of CPUs {cpus}, near to {gpu.subject_name}"
            )
        room = sum(core.idle for core in view.cores if core.cpu in allowed)
        if not allowed or room < view.cores_used or allowed == view.mask:  # bound by now: the window shows what was
            return None
        same = len({other.gpu.cpus for other in view.gpus}) == 1
        share = link_share(gpu)
        return Conclusion(
            subject=subject_of(view),
            title=f"Workers run on CPUs far from {gpu.subject_name}: use {format_cpulist(allowed)}",
            summary=f"{far:.0%} of the CPU time of its workers was spent on CPUs of another memory node than the GPU's "
            f"(node {gpu.numa_node}, CPUs {format_cpulist(near)}), and {traffic / 1e9:.1f} GB/s went over PCIe. The near CPUs "
            f"have {room:.1f} idle cores, the service uses {view.cores_used:.1f}."
            + ("" if same else " The service has GPUs of several nodes: bind each worker to its own GPU's."),
            confidence=round(0.75 * (SAMPLED if gpu.pcie_sampled else 1.0), 3),
            evidence=(
                evidence(view, "far_share", "ratio", far, settings.enter("far_share")),
                seen_on_gpu(gpu, "gpu_pcie_traffic", "bytes_per_second", traffic, settings.enter("pcie_bytes_per_second")),
                *all_known(gpu, ("gpu_link_share", "ratio", share)),
                evidence(view, "near_idle", "cores", room, view.cores_used),
                *asked(view),
            ),
            rejected=(
                Rejected("single-node", f"{len(near)} of {len(view.online)} CPUs are near to the GPU"),
                Rejected("cpu-noisy-neighbour", f"others use {view.others(allowed):.2f} cores of those near to it"),
                *((Rejected("pcie-bound", f"PCIe carries {share:.0%} of what the link can"),) if share is not None else ()),
            ),
            changes=(_change(view, allowed),) if same else (),
            gains=_gains(share) if share is not None else (),
        )  # fmt: skip


def _far(view: View, one: ServiceGpu) -> float:
    """Share of its workers' CPU time on CPUs that are not near to the device; 0 where it cannot be told or all are near."""
    near = (one.gpu.cpus or frozenset()) & view.online
    if one.gpu.numa_node is None or not near or near >= view.online:
        return 0.0
    total = far = 0.0
    for worker in _workers(view, one):
        for thread in worker.threads:
            known = sum(thread.cpus_seen.values())
            total += thread.cores_used * known
            far += thread.cores_used * sum(part for cpu, part in thread.cpus_seen.items() if cpu not in near)
    return far / total if total > 0 else 0.0


def _cpuset_known(view: View) -> bool:
    return view.cgroup is not None and view.cgroup.cpus is not None


def _permitted(view: View) -> frozenset[int]:
    """CPUs to which the workers can be bound: those of the cpuset; where it could not be read, those of their present masks."""
    if _cpuset_known(view):
        return view.pool
    return view.mask if any(w.allowed is not None for w in view.serving) else frozenset()


def _workers(view: View, one: ServiceGpu) -> list[WorkerView]:
    keys = {p.worker for p in one.own}
    return [w for w in view.workers if w.key in keys]


def _traffic(gpu: GpuView) -> float | None:
    known = [t for t in (gpu.pcie_tx_bytes_per_second, gpu.pcie_rx_bytes_per_second) if t is not None]
    return sum(known) if known else None


def _change(view: View, allowed: frozenset[int]) -> Change:
    return Change(lever=Lever.AFFINITY, current=format_cpulist(view.mask), proposed=format_cpulist(allowed))


def _gains(share: float) -> tuple[Gain, ...]:
    """Of the time of copies, for which the link's use stands, nothing at least: they may run beside kernels."""
    likely, most = (1 / (1 - part * share) for part in SAVED)
    ratio = throughput(1.0, likely, most)
    return (ratio, latency_p50_of(ratio, slack=0.05), gain("latency_p99_ratio", 0.95 / ratio.p90, 1 / ratio.p50, 1.05))
