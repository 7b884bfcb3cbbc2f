"""What goes along with a recording beside its readings: services, what is known inside their processes, and the settings that
bear on advice.

Command lines are redacted, and of the settings only those are kept that the rules see: no address, no path, no text that
looks like a secret.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, get_type_hints

import msgspec

from agent.config import FREE_SECTIONS, Config
from collectors.entities import Process, Service, Worker, WorkerKey
from collectors.facts import ProcessFacts
from collectors.redaction import looks_secret, redact_argv


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """Of recordings of format 1: services as they were last, every one that was seen."""

    services: tuple[Service, ...]
    processes: tuple[ProcessFacts, ...]


SECTIONS = ("advice", "node", "service", "rule", "prices", "devices")
"""The parts of the configuration on which advice depends."""
_PLACES = frozenset({"metrics_url", "pattern", "file"})
"""Settings that say where something is found."""


def digest_of(said: bytes) -> str:
    """A short hash of an advice document's JSON."""
    return blake2b(said, digest_size=8).hexdigest()


def services_of(services: Iterable[Service]) -> list[bytes]:
    """The JSON of each service, without arguments that look like secrets."""
    return [msgspec.json.encode(_redacted(service)) for service in services]


def processes_of(services: Iterable[Service], facts: Mapping[WorkerKey, ProcessFacts]) -> list[bytes]:
    """The JSON of what is known inside each process of the services."""
    keys = (worker.key for service in services for worker in service.workers)
    return [msgspec.json.encode(facts[key]) for key in keys if key in facts]


def settings_of(config: Config) -> bytes:
    """The JSON of the settings that bear on advice."""
    sections = {name: msgspec.to_builtins(getattr(config, name), enc_hook=str) for name in SECTIONS}
    return msgspec.json.encode(_harmless(sections))


def with_settings(config: Config, raw: bytes, node: str) -> Config:
    """`config` with what was in force on `node` when it was recorded; what this version does not know is left out. Raises
    msgspec.DecodeError."""
    kept = msgspec.json.decode(raw, type=dict[str, Any])
    types = get_type_hints(Config)
    found = {
        name: kept[name] if name in FREE_SECTIONS else msgspec.convert(kept[name], types[name])
        for name in SECTIONS
        if name in kept
    }
    return replace(config, agent=replace(config.agent, node=node), **found)


def _harmless(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table without text that could be a secret or a path, and without what says where something is."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            found[name] = _harmless(value)
        elif name not in _PLACES and not (isinstance(value, str) and ("/" in value or looks_secret(value))):
            found[name] = value
    return found


def _redacted(service: Service) -> Service:
    return msgspec.structs.replace(service, workers=tuple(redacted_worker(w) for w in service.workers))


def redacted_worker(worker: Worker) -> Worker:
    """The process without arguments that look like secrets."""
    process: Process = msgspec.structs.replace(worker.process, argv=_text(redact_argv(worker.process.argv)))
    return msgspec.structs.replace(worker, process=process)


def _text(argv: Iterable[str]) -> tuple[str, ...]:
    """Bytes that are not UTF-8 cannot stand in JSON."""
    return tuple(item.encode("utf-8", "replace").decode("utf-8") for item in argv)
