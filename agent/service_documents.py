"""What is said of each service, of its processes and of its models, at one moment?"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from advisor.documents import AdviceDocument, ModelStatus, ServiceStatus, WorkerStatus
from advisor.view import ThreadView
from agent.judging import Judging
from agent.status import model_statuses, service_status, threads_of, worker_status
from collectors.entities import Service


class ServiceDocuments(NamedTuple):
    """`threads`: of each process, by its pid."""

    services: tuple[ServiceStatus, ...]
    workers: tuple[WorkerStatus, ...]
    models: tuple[ModelStatus, ...]
    threads: Mapping[int, tuple[ThreadView, ...]]


def documents_of(services: Sequence[Service], judging: Judging, advice: AdviceDocument) -> ServiceDocuments:
    """`advice`: of the same moment."""
    verdicts = {one.name: one.verdict for one in advice.services}
    statuses, workers, models = [], [], []
    threads: dict[int, tuple[ThreadView, ...]] = {}
    for service in services:
        view, facts = judging.view(service), judging.facts(service)
        generation, measured = judging.generation(service), judging.measured(service)
        statuses.append(service_status(service, view, facts, verdicts[service.name], generation, measured))
        models += model_statuses(service, view)
        workers += [worker_status(worker, view, facts) for worker in service.workers]
        threads |= threads_of(view)
    return ServiceDocuments(tuple(statuses), tuple(workers), tuple(models), threads)
