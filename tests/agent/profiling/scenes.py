"""Services as the profiler sees them."""

from agent.profiling.scene import ServiceScene
from collectors.entities import Process, Role, Service, Worker, WorkerKey


def key(pid: int) -> WorkerKey:
    return WorkerKey(pid, 1000 + pid)


def service(name: str = "app", pids: tuple[int, ...] = (101, 102)) -> Service:
    workers = tuple(
        Worker(
            process=Process(key=key(pid), ppid=1, uid=0, comm="python", argv=("python",)),
            role=Role.WORKER,
            framework="gunicorn",
            service=f"gunicorn/{name}:8000",
            slot=slot,
        )
        for slot, pid in enumerate(pids)
    )
    return Service(
        id=f"id-{name}", name=f"gunicorn/{name}:8000", framework="gunicorn", application=name, port=8000, owner=None,
        manager="bare", workers=workers, started=1,
    )  # fmt: skip


def scene(
    name: str = "app", *, pids: tuple[int, ...] = (101, 102), generation: int = 0, loaded: int = 15,
    asking: tuple[str, ...] = (), latency: float | None = None, queue: float = 0.0, clients: bool = True,
) -> ServiceScene:  # fmt: skip
    keys = tuple(key(pid) for pid in pids)
    return ServiceScene(
        service=service(name, pids), generation=generation, loaded=loaded > 0, loaded_seconds=loaded, asking=asking,
        latency_seconds=latency, queue=queue, chosen=keys[:2], busy=keys, clients=clients,
    )  # fmt: skip
