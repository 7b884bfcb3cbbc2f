"""Which processes make up the services, and which threads are in one of them?"""

from aiohttp import web

from advisor.documents import ThreadStatus, WorkerStatus
from agent.http.context import AT, from_snapshot, need_snapshot, of_service, of_snapshot
from agent.http.envelope import Refused
from agent.http.route import Query, Route
from agent.status import thread_status

_PID_DIGITS = 10


async def get_workers(request: web.Request) -> web.Response:
    if "service" not in request.query:
        return await from_snapshot(request, "workers")
    snapshot = await need_snapshot(request)
    service = of_service(request, snapshot)
    return of_snapshot(snapshot, [worker for worker in snapshot.workers if worker.service == service])


async def get_threads(request: web.Request) -> web.Response:
    """They are made into documents here: a node has thousands of threads, and one process of it is looked at."""
    pid = request.match_info["id"]
    snapshot = await need_snapshot(request)
    threads = snapshot.threads
    found = threads.get(int(pid)) if pid.isascii() and pid.isdecimal() and len(pid) <= _PID_DIGITS else None
    if found is None:
        raise Refused(404, "worker.unknown", f"no process {pid!r} is watched", "the pids are in /v1/workers")
    return of_snapshot(snapshot, tuple(thread_status(thread) for thread in found))


ROUTES = (
    Route(
        path="/v1/workers",
        handler=get_workers,
        doc="Every process of the services over the last 15 s, with its busiest threads.",
        answer=tuple[WorkerStatus, ...],
        query=(Query("service", "Only this service, by its name."), AT),
    ),
    Route(
        path="/v1/workers/{id}/threads",
        handler=get_threads,
        doc="Every thread of one process, by its pid, over the last 15 s, the busiest first.",
        answer=tuple[ThreadStatus, ...],
        query=(AT,),
    ),
)
