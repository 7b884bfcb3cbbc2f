"""Which model servers run here now, and what could each of them tell that it does not?"""

from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import Literal

from agent.config_sources import load_config
from agent.errors import CliError
from agent.host_checks import Check
from collectors.discovery import Discovery
from collectors.entities import Role, Service, WorkerKey
from collectors.facts import Facts, ProcessFacts
from collectors.framework import Request
from collectors.host import Host
from collectors.inside import read_facts
from collectors.reading import Unsupported
from collectors.registry import framework_named
from collectors.sources.serving import ServingCollector

LOOK_SECONDS = 4.0
"""A service into which nobody can look is published after 3 s."""

ReadFacts = Callable[[WorkerKey, Sequence[Request]], ProcessFacts]


def configured_discovery() -> Discovery:
    """Discovery with the patterns and addresses of the configuration, or without them where that is broken: `nodewright
    config check` says so."""
    try:
        config = load_config().config
    except CliError:
        return Discovery()
    patterns = {name: one.pattern for name, one in config.service.items() if one.pattern}
    urls = {name: one.metrics_url for name, one in config.service.items() if one.metrics_url}
    return Discovery(patterns=patterns, metrics_urls=urls)


def service_checks(host: Host, discovery: Discovery, read: ReadFacts | None = None) -> list[Check]:
    """One check a service and one a gap. Looks into the processes of servers, and asks their metrics pages once."""
    services, facts = find_services(host, discovery, read or (lambda key, asked: read_facts(host, key, asked)))
    pages = ServingCollector()
    told = {sample.entity for sample in pages.collect(host, services)}
    found = []
    for service in services:
        problem = pages.problems.get(service.id)
        found.append(_summary(service, f"service:{service.id}" in told, problem))
        found += _gaps(service, facts)
        found += _closed(service, facts)
    return found


def find_services(host: Host, discovery: Discovery, read: ReadFacts) -> tuple[tuple[Service, ...], Facts]:
    """The services of this moment with what is inside their processes."""
    until = monotonic() + LOOK_SECONDS
    try:
        while True:
            discovery.scan(host)
            wanted = discovery.wanted() if monotonic() < until + LOOK_SECONDS else []
            for process, asked in wanted:
                discovery.learn(read(process.key, asked))
            if not wanted and (not discovery.waiting or monotonic() >= until):
                return discovery.services, dict(discovery.facts)
            if not wanted:
                sleep(0.1)
    finally:
        discovery.close()


def _summary(service: Service, told: bool, problem: Unsupported | None) -> Check:
    framework = framework_named(service.framework)
    workers = sum(1 for worker in service.workers if worker.role is Role.WORKER)
    detail = f"processes: {len(service.workers)}, workers among them: {workers}"
    if framework is not None and framework.evidence == "documented":
        detail += "; known from documentation only"
    if told:
        return _check(service, "ok", f"{detail}; its metrics are read")
    if problem is not None:
        return _check(service, "unsupported", f"{detail}; no metrics: {problem.reason}", problem.hint)
    if framework is None or framework.metrics is None:
        hint = (
            f'if its application has a page: [service."{service.name}"] metrics_url = "http://127.0.0.1:PORT/metrics"'
        )
        return _check(service, "ok", f"{detail}; it has no metrics of its own", hint)
    hint = f'[service."{service.name}"] metrics_url = "http://127.0.0.1:PORT/metrics"'
    return _check(service, "unsupported", f"{detail}; where its metrics are is not known", hint)


def _check(service: Service, status: Literal["ok", "unsupported"], detail: str, hint: str = "") -> Check:
    return Check(area="service", name=service.name, status=status, detail=detail, hint=hint)


def _gaps(service: Service, facts: Facts) -> list[Check]:
    framework = framework_named(service.framework)
    gaps = framework.gaps(service, facts) if framework else ()
    return [
        _check(service, "unsupported", f"does not tell {gap.missing}", f"{gap.turn_on} ({gap.where})") for gap in gaps
    ]


def _closed(service: Service, facts: Facts) -> list[Check]:
    """What could not be read inside its processes, each reason once."""
    reasons: dict[tuple[str, str, str], None] = {}
    for worker in service.workers:
        known = facts.get(worker.key)
        if known is None or worker.role is Role.SUPPORT:
            continue
        parts = {"environment": known.environ, "libraries": known.libraries, "sockets": known.listening}
        for name, part in parts.items():
            if isinstance(part, Unsupported):
                reasons[name, part.reason, part.hint] = None
    return [_check(service, "unsupported", f"{name}: {reason}", hint) for name, reason, hint in reasons]
