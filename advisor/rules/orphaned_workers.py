"""Do workers whose front-end is gone still hold memory, or the port?"""

from collections.abc import Mapping

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Gain, Harm, Need, Rejected, Subject
from advisor.intervals import gain
from advisor.orphaned import Orphaned, Peer, sockets_of, workers_of
from advisor.rule import Rule, Settings, Threshold, Verdict
from advisor.view import View
from collectors.entities import Role, Service
from collectors.facts import Facts

SHARED_PAGES = (0.0, 0.25, 0.5)
"""The part of their resident memory that others map too, so that ending them does not free it: least, likely, most."""
MOST = 0.95
"""Resident sizes count a shared page once for each process: their sum may exceed the whole."""
MIB = 1 << 20


class OrphanedWorkers(Rule):
    """Workers whose front-end is gone still hold memory, or the port.

    What it looks for: worker processes that init, a container's shim or a shell has taken in because the process that
    started them ended: what memory they hold, whether they still listen, and whether a new server listens beside them.
    Why it matters: nobody gives them work, restarts or ends them. While they hold the port, a server that is started
    there fails; where they share a socket with a new server, they take some of its requests and answer them from old
    code, or not at all.
    What to do: end them by pid; the finding names them. Let something that ends all processes of a server run it (a
    systemd unit, a container with a small init).
    When it is wrong: for workers that will leave by themselves: gunicorn's look for their master every half of its
    `--timeout`, and old workers of an upgrade finish their requests first.
    """

    proven = ("live", "built")
    needs_load = False
    of_orphans = True
    minimum_samples = 0
    hold_seconds = 0.0
    thresholds = {
        "settled_seconds": Threshold(
            enter=16.0, unit="seconds", doc="time without a front-end; gunicorn's workers look for theirs every 15 s"
        ),
        "drain_seconds": Threshold(
            enter=60.0, unit="seconds", doc="time for old workers beside a new server to finish their requests"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        lost = facts.orphaned
        if lost is None or lost.seconds < settings.limit("settled_seconds"):
            return None
        held = _held(view, facts)
        may_drain = bool(lost.peers) and not held.ports and view.established_now != 0
        if may_drain and lost.seconds < settings.limit("drain_seconds"):
            return None
        if held.resident_bytes is None and held.listening is None:
            return Need(kind="privilege", text="memory or sockets of the workers (CAP_SYS_PTRACE, nodewright sidecar)")
        taking = max((peer for peer in lost.peers if peer.share), key=lambda peer: peer.share or 0, default=None)
        harm: Harm | None = "takes-requests" if taking else "holds-port" if held.ports else None
        orphans = workers_of(view.service)
        count = len(orphans)
        return Conclusion(
            subject=Subject(kind="service", name=view.service.name, pids=tuple(w.pid for w in orphans)),
            title=f"{_workers(count)} without a front-end hold{'s' if count == 1 else ''} {_what(held)}",
            summary=_summary(view.service, lost, held, taking),
            confidence=0.8 if held.listening is None else 0.95,
            evidence=_evidence(count, lost, held, taking, settings),
            rejected=_rejected(view, lost, held),
            gains=_gains(lost, held),
            harm=harm,
        )


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the orphans hold. `listening`: how many of them do; None = not readable."""

    resident_bytes: int | None
    listening: int | None
    ports: tuple[int, ...]
    cuda: bool


def _held(view: View, facts: ServiceFacts) -> _Held:
    sockets = sockets_of(workers_of(view.service), facts.processes)
    working = (worker for worker in view.workers if worker.role is not Role.SUPPORT)
    sizes = [worker.resident_bytes for worker in working if worker.resident_bytes is not None]
    return _Held(
        resident_bytes=sum(sizes) if sizes else None,
        listening=sum(map(bool, sockets.values())) if sockets else None,
        ports=tuple(sorted({one.port for each in sockets.values() for one in each})),
        cuda=_maps_cuda(view.service, facts.processes),
    )


def _maps_cuda(service: Service, processes: Facts) -> bool:
    known = [processes[worker.key].libraries for worker in workers_of(service) if worker.key in processes]
    return any(library.kind == "cuda" for each in known if isinstance(each, tuple) for library in each)


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _what(held: _Held) -> str:
    """`412 MiB and port 8000`."""
    memory = [] if held.resident_bytes is None else [f"{held.resident_bytes / MIB:.0f} MiB"]
    ports = [f"port{'s' if len(held.ports) > 1 else ''} {', '.join(map(str, held.ports))}"] if held.ports else []
    return " and ".join(memory + ports) or "memory"


def _summary(service: Service, lost: Orphaned, held: _Held, taking: Peer | None) -> str:
    orphans = workers_of(service)
    count, pids = len(orphans), " ".join(str(worker.pid) for worker in orphans)
    said = [
        f"What started them ended {lost.seconds:.0f} s ago or earlier; their parent is pid {_parents(service)} now."
    ]
    if taking is not None:
        where = "from the same socket" if taking.one_socket else "on the same port"
        said.append(f"{taking.name} accepts {where}: {taking.share:.0%} of what accepts there are these {count}.")
    elif held.ports:
        said.append("They still listen: whoever connects reaches them, and a server that is started there fails.")
    elif held.listening is None:
        said.append("Whether they still listen is not readable.")
    if held.cuda:
        said.append("They have CUDA mapped; how much video memory they hold is not readable.")
    said.append(f"End them: kill {pids} (kill -9 for those that are still there after 10 s).")
    return " ".join(said)


def _parents(service: Service) -> str:
    return ", ".join(str(ppid) for ppid in sorted({worker.process.ppid for worker in workers_of(service)}))


def _evidence(count: int, lost: Orphaned, held: _Held, taking: Peer | None, settings: Settings) -> tuple[Evidence, ...]:
    whole = _whole(lost, held)
    numbers: Mapping[str, tuple[str, float | None, float | None]] = {
        "orphaned_workers": ("processes", count, None),
        "orphaned_seconds": ("seconds", lost.seconds, settings.enter("settled_seconds")),
        "orphans_resident_bytes": ("bytes", held.resident_bytes, None),
        "whole_resident_bytes": ("bytes", whole if lost.peers else None, None),
        "node_used_bytes": ("bytes", None if lost.peers else whole, None),
        "orphans_listening": ("processes", held.listening, None),
        "accepting_share": ("ratio", taking.share if taking else None, None),
    }
    return tuple(
        Evidence(
            metric=metric,
            unit=unit,
            observed=round(observed, 4),
            threshold=threshold,
            window_seconds=round(lost.seconds, 1),
            samples=count,
        )
        for metric, (unit, observed, threshold) in numbers.items()
        if observed is not None
    )


def _rejected(view: View, lost: Orphaned, held: _Held) -> tuple[Rejected, ...]:
    if not lost.peers:
        why = "0 other servers run in their place"
    elif held.ports:
        why = f"{held.listening} of them listen, which a worker that is about to leave does not"
    elif view.established_now == 0:
        why = "0 connections are established on their port"
    else:
        why = f"{lost.seconds:.0f} s have passed"
    parents = f"their parent is pid {_parents(view.service)} and 0 front-ends are among them"
    return (
        Rejected("old workers of an upgrade that finish their requests", why),
        Rejected("recycled workers", parents),
    )


def _whole(lost: Orphaned, held: _Held) -> int | None:
    """What the orphans' memory is a part of: theirs and that of the servers in their place, else all that the node uses."""
    if held.resident_bytes is None:
        return None
    if not lost.peers:
        return lost.node_used_bytes
    beside = [peer.resident_bytes for peer in lost.peers if peer.resident_bytes is not None]
    return held.resident_bytes + sum(beside) if len(beside) == len(lost.peers) else None


def _gains(lost: Orphaned, held: _Held) -> tuple[Gain, ...]:
    whole = _whole(lost, held)
    if not whole or held.resident_bytes is None:
        return ()
    share = min(MOST, held.resident_bytes / whole)
    least, likely, most = (1 - share * (1 - common) for common in SHARED_PAGES)
    return (gain("memory_ratio", least, likely, most),)
