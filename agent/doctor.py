"""What can be read on this host, what not, and what enables it?"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from agent.host_checks import Check, host_checks
from agent.readers.readers import first_readings
from collectors.collector import Collector
from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.host import Host
from collectors.procfs import parse_cgroup, parse_stat
from collectors.reading import Failed, Ok, Reading, Unsupported
from collectors.runner import collect_one

NEEDED_COLLECTORS = frozenset(("cpu", "threads", "processes"))
"""Without these no rule can judge."""
_HEADINGS = {
    "collector": "Collectors",
    "kernel": "Kernel",
    "rights": "Rights",
    "program": "This program",
    "service": "Services",
}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was tried. `ready`: all that advice depends on is readable."""

    ready: bool
    checks: tuple[Check, ...]


def examine(
    host: Host,
    collectors: Iterable[Collector],
    others: Sequence[Check] | None = None,
    services: Sequence[Check] = (),
) -> Report:
    """Run every collector once, on this process where it needs one, and look at the host. Writes nothing. `services`:
    what was found out about the servers that run here."""
    service = own_service(host, os.getpid())
    own = () if service is None else (service,)
    checks = []
    for reading, collector in _readings(host, list(collectors), own):
        checks.append(check_of(reading, collector))
        collector.close()
    checks += host_checks(host) if others is None else others
    checks += services
    return Report(ready=all(one.status == "ok" for one in checks if one.needed), checks=tuple(checks))


def _readings(
    host: Host, collectors: Sequence[Collector], services: Sequence[Service]
) -> Iterator[tuple[Reading, Collector]]:
    """One reading of each, of those with a process of their own through that process."""
    apart = [c for c in collectors if c.process is not None]
    read = first_readings(apart, host)
    for collector in collectors:
        if collector.process is None:
            yield collect_one(collector, host, services, host.clock.now().mono_ns), collector
        elif collector.name in read:
            yield read[collector.name], collector


def check_of(reading: Reading, collector: Collector) -> Check:
    """One run of a collector as a line of the report."""
    status: Literal["ok", "unsupported", "failed"] = "ok"
    match reading.outcome:
        case Ok(samples):
            status, detail, hint = "ok", f"{len(samples)} samples in {reading.duration_ns / 1e6:.1f} ms", ""
        case Unsupported(reason, what):
            status, detail, hint = "unsupported", reason, what
        case Failed(error):
            status, detail, hint = "failed", error, f"it needs {collector.needs}"
    needed = reading.collector in NEEDED_COLLECTORS
    return Check(area="collector", name=reading.collector, status=status, detail=detail, hint=hint, needed=needed)


def own_service(host: Host, pid: int) -> Service | None:
    """This process as a service, so that the collectors of processes have something to read; None where /proc does not
    show it."""
    try:
        stat = parse_stat(host.read(f"{host.proc}/{pid}/stat"))
        cgroups = parse_cgroup(host.text(f"{host.proc}/{pid}/cgroup"))
    except (OSError, ValueError):
        return None
    process = Process(
        key=WorkerKey(pid, stat.started),
        ppid=stat.ppid,
        uid=os.geteuid(),
        comm=stat.comm,
        argv=(),
        cgroups=tuple(cgroups),
    )
    worker = Worker(process=process, role=Role.FRONT_END, framework="generic", service="nodewright", slot=0)
    return Service(
        id="nodewright",
        name="nodewright",
        framework="generic",
        application="nodewright",
        port=None,
        owner=None,
        manager="bare",
        workers=(worker,),
        started=stat.started,
    )


def as_text(report: Report) -> str:
    """One line a check below its heading, the hint on a line of its own."""
    width = max((len(one.name) for one in report.checks), default=0)
    lines: list[str] = []
    for area, heading in _HEADINGS.items():
        lines += [heading]
        if not any(one.area == area for one in report.checks):
            lines += ["  none found"]
        for one in report.checks:
            if one.area == area:
                mark = " (advice needs it)" if one.needed and one.status != "ok" else ""
                lines.append(f"  {one.status:<11}  {one.name:<{width}}  {one.detail}{mark}")
                if one.hint:
                    lines.append(f"  {'':<11}  {'':<{width}}  -> {one.hint}")
    lines.append(
        "Ready: advice has what it needs." if report.ready else "Not ready: advice lacks what is marked above."
    )
    return "\n".join(lines)


def as_json(report: Report) -> str:
    return msgspec.json.encode({"data": report}).decode()
