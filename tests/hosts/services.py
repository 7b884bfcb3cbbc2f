"""Which services does a host have, as discovery would hand them to the collectors? Made from the table alone."""

from collectors.entities import Process, Role, Service, Worker, WorkerKey, service_id
from tests.hosts.expect_workers import shown
from tests.hosts.table import HostState, ProcessRow

NAME = "gunicorn/app:8000"


def services_of(state: HostState) -> tuple[Service, ...]:
    """The one service with all its processes, those that are just gone included; none where no process shows."""
    members = state.members
    if not members:
        return ()
    front = [row for row in members if row.role == "front-end"]
    workers = sorted((row for row in members if row.role == "worker"), key=lambda row: (row.started, row.pid))
    return (
        Service(
            id=service_id("gunicorn", "app", None, state.port),
            name=NAME,
            framework="gunicorn",
            application="app",
            port=state.port,
            owner=None,
            manager="bare",
            workers=tuple(_worker(row, 0) for row in front) + tuple(_worker(row, n) for n, row in enumerate(workers)),
            started=min(row.started for row in members),
        ),
    )


def _worker(row: ProcessRow, slot: int) -> Worker:
    process = Process(
        key=WorkerKey(row.pid, row.started),
        ppid=row.ppid,
        uid=row.uid,
        comm=shown(row.comm),
        argv=tuple(shown(item) for item in row.argv if item),
        cgroups=tuple((names, path) for _, names, path in row.cgroups),
    )
    return Worker(
        process=process,
        role=Role(row.role or "support"),
        framework="gunicorn",
        service=NAME,
        slot=slot,
        compute_libraries=row.libraries,
    )
