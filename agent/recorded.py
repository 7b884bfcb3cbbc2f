"""What goes along with a recording beside its readings: services and what is known inside their processes."""

from collections.abc import Iterable, Mapping

import msgspec

from collectors.entities import Process, Service, Worker, WorkerKey
from collectors.facts import ProcessFacts
from collectors.redaction import redact_argv


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """Services as they were last, every one that was seen; command lines redacted."""

    services: tuple[Service, ...]
    processes: tuple[ProcessFacts, ...]


def recorded(services: Iterable[Service], facts: Mapping[WorkerKey, ProcessFacts]) -> bytes:
    """The JSON that goes into a recording. Holds no argument that looks like a secret."""
    kept = tuple(_redacted(service) for service in services)
    keys = {w.key for s in kept for w in s.workers}
    return msgspec.json.encode(Recorded(services=kept, processes=tuple(f for k, f in facts.items() if k in keys)))


def _redacted(service: Service) -> Service:
    return msgspec.structs.replace(service, workers=tuple(_redacted_worker(w) for w in service.workers))


def _redacted_worker(worker: Worker) -> Worker:
    process: Process = msgspec.structs.replace(worker.process, argv=_text(redact_argv(worker.process.argv)))
    return msgspec.structs.replace(worker, process=process)


def _text(argv: Iterable[str]) -> tuple[str, ...]:
    """Bytes that are not UTF-8 cannot stand in JSON."""
    return tuple(item.encode("utf-8", "replace").decode("utf-8") for item in argv)
