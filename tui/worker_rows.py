"""Which lines has the tree of services and their processes: in which order, what of it folded, what filtered out?"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from advisor.documents import ServiceStatus, WorkerStatus
from advisor.finding import Finding
from tui.gpus import pids_on
from tui.source import Picture

Key = float | str | None
"""What a line is sorted by; None comes last, whichever way round."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A service, or one of its processes. `id` stays the same from picture to picture."""

    id: str
    service: ServiceStatus
    worker: WorkerStatus | None = None
    folded: bool = False
    members: tuple[WorkerStatus, ...] = ()
    """Of a service: its processes."""
    finding: Finding | None = None
    on_gpu: bool = False

    @property
    def is_service(self) -> bool:
        return self.worker is None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """By what lines are sorted; `by` None: as the agent has them. Services among themselves, processes within theirs."""

    by: Callable[[Row], Key] | None = None
    descending: bool = False

    def __call__(self, rows: Iterable[Row]) -> list[Row]:
        if self.by is None:
            return list(rows)[:: -1 if self.descending else 1]
        keyed = [(self.by(row), row) for row in rows]
        known = [pair for pair in keyed if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=self.descending)  # type: ignore[arg-type, return-value]
        return [row for _, row in known] + [row for key, row in keyed if key is None]


def tree(picture: Picture, order: Order, folded: frozenset[str] = frozenset(), query: str = "") -> list[Row]:
    """The lines in their order. While something is looked for, nothing is folded."""
    words = query.casefold().split()
    members: dict[str, list[WorkerStatus]] = {}
    for worker in picture.workers:
        members.setdefault(worker.service, []).append(worker)
    of_service, of_pid = top_findings(picture)
    on_gpus = pids_on(picture.node.gpus)
    services = []
    processes: dict[str, list[Row]] = {}
    for service in picture.services:
        its = members.get(service.name, [])
        found = [worker for worker in its if _holds(words, service, worker)]
        if words and not found and not _holds(words, service, None):
            continue
        row = Row(
            id=f"service/{service.id}", service=service, members=tuple(its), finding=of_service.get(service.name),
            folded=service.id in folded and not words, on_gpu=bool(service.gpus),
        )  # fmt: skip
        services.append(row)
        if not row.folded:
            processes[row.id] = [
                Row(
                    id=worker_id(worker), service=service, worker=worker, finding=of_pid.get(worker.pid),
                    on_gpu=worker.pid in on_gpus or worker.gpu_memory_bytes is not None,
                )
                for worker in found
            ]  # fmt: skip
    return [line for row in order(services) for line in (row, *order(processes.get(row.id, ())))]


def worker_id(worker: WorkerStatus) -> str:
    return f"worker/{worker.pid}/{worker.started}"


def _holds(words: list[str], service: ServiceStatus, worker: WorkerStatus | None) -> bool:
    """Whether each word is in what is said of a process, the name of its service included."""
    text = service.name if worker is None else f"{service.name} {worker.pid} {worker.role} {worker.command}"
    text = text.casefold()
    return all(word in text for word in words)


def top_findings(picture: Picture) -> tuple[Mapping[str, Finding], Mapping[int, Finding]]:
    """The open finding to act on first, of each service by its name, and of each process of which alone one speaks."""
    service_of = {pid: service.name for service in picture.services for pid in service.pids}
    of_service: dict[str, Finding] = {}
    of_pid: dict[int, Finding] = {}
    for finding in sorted(picture.advice.findings, key=lambda one: (one.rank, -one.severity.level)):
        if finding.state != "open" or finding.subject.kind in ("node", "device"):
            continue
        for name in {finding.subject.name, *(service_of.get(pid, "") for pid in finding.subject.pids)}:
            of_service.setdefault(name, finding)
        if finding.subject.kind == "worker":
            for pid in finding.subject.pids:
                of_pid.setdefault(pid, finding)
    return of_service, of_pid
