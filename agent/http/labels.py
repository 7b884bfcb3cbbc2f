"""By which bounded labels is on `/metrics` named what a sample is about?

Core, resource, port, service, slot, role, thread class, GPU, and model (at most 32 of a service): as many values as do not
grow with time. A pid is never one of them: what belongs to no service is left out.
"""

from collections.abc import Mapping

from advisor.documents import Snapshot

Labels = tuple[tuple[str, str], ...]


class Labeller:
    """Bounded labels of what samples are about, by the form of the entity's name."""

    def __init__(self, snapshot: Snapshot, service_cgroups: Mapping[str, str]) -> None:
        self._workers: dict[str, Labels] = {
            f"worker:{one.pid}:{one.started}": (("service", one.service), ("slot", str(one.slot)), ("role", one.role))
            for one in snapshot.workers
        }
        self._services = {f"service:{one.id}": one.name for one in snapshot.services}
        self._services |= {cgroup: name for name, cgroup in service_cgroups.items()}
        self._gpu_processes: dict[str, Labels] = {
            f"gpu-process:{gpu.uuid}/{one.pid}": (("gpu", gpu.uuid), ("service", one.service), ("slot", str(one.slot)))
            for gpu in snapshot.node.gpus
            for one in gpu.processes
            if one.service is not None
        }
        self._ports = {str(one.port): one.name for one in snapshot.services if one.port is not None}

    def labels(self, entity: str) -> Labels | None:
        """None: it is not to be exposed."""
        kind, _, rest = entity.partition(":")
        match kind:
            case "node" if not rest:
                return ()
            case "gpu":
                return (("gpu", rest),)
            case "gpu-process":
                return self._gpu_processes.get(entity)
            case "core" | "pressure":
                return ((("core" if kind == "core" else "resource"), rest),)
            case "listen":  # other programs' ports come and go, and their numbers would add up to many series
                service = self._ports.get(rest)
                return None if service is None else (("service", service), ("port", rest))
            case "worker":
                key, _, thread_class = rest.partition(":")[2].partition(":")
                known = self._workers.get(f"worker:{rest.partition(':')[0]}:{key}")
                return known if known is None or not thread_class else (*known, ("thread_class", thread_class))
            case "model":
                own_id, _, model = rest.partition("/")
                service = self._services.get(f"service:{own_id}")
                return None if service is None else (("service", service), ("model", model))
            case _:
                service = self._services.get(entity)
                return None if service is None else (("service", service),)
