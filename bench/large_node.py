"""What does `/metrics` have to show of a large node? 64 cores, 8 GPUs and 16 services of eight workers, everything readable."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from advisor.capacity import Capacity
from advisor.documents import (
    CollectorStatus,
    CoreStatus,
    GpuProcessStatus,
    GpuStatus,
    ModelStatus,
    NodeStatus,
    ReaderStatus,
    SelfStatus,
    Snapshot,
)
from advisor.history import History
from advisor.rate import Rate
from agent.config import Config, PricesSettings
from agent.http.deps import Latest
from agent.judging import Judging
from agent.prices import node_price
from agent.service_documents import documents_of
from agent.store.columns import known_kinds
from bench.judging import CORES, EVERY, SERVICES, WORKERS, Crowd
from collectors.collector import all_collectors
from collectors.reading import Instant
from collectors.sample import Sample, fields_of

GPUS = 8
MODELS = 2
"""Of each service."""
CLASSES = ("main", "compute", "python")
SETTLED = 60
"""Seconds until the rules have something to say."""
PRICES = PricesSettings(currency="EUR", hourly=12.0)


class LargeNode:
    """The same node at every call of `second`, with every counter one second further."""

    def __init__(self) -> None:
        self._crowd, history = Crowd(SERVICES, WORKERS), History()
        now = Instant(0, 0)
        judging = Judging(Config(prices=PRICES), history, lambda: now)
        judging.learn(self._crowd.services, self._crowd.facts())
        for second in range(SETTLED):
            now = self._crowd.tick(history)
            if second % EVERY == 0:
                judging.judge(self._crowd.services, now)
        advice = judging.document(self._crowd.services, now)
        found = documents_of(self._crowd.services, judging, advice)
        services = [msgspec.structs.replace(one, **_SERVED) for one in found.services]
        self.snapshot = Snapshot(
            generation=1, node=_node(self._crowd), services=tuple(services), workers=found.workers,
            models=tuple(_models(self._crowd)), self_status=_self(), advice=advice,
        )  # fmt: skip
        self.cgroups = {one.name: f"cgroup:/{one.application}" for one in self._crowd.services}
        self._second = 0

    def second(self) -> Latest:
        """The newest samples of every kind."""
        self._second += 1
        return {
            kind: {entity: _filled(known_kinds()[kind], entity, self._second) for entity in entities}
            for kind, entities in self._entities().items()
        }

    def _entities(self) -> dict[str, list[str]]:
        workers = [one.key.entity for service in self._crowd.services for one in service.workers]
        gpus = [f"gpu:{gpu}" for gpu in _uuids()]
        cores = [f"core:{cpu}" for cpu in range(CORES)]
        ports = [f"listen:{service.port}" for service in self._crowd.services]
        models = [f"model:{one.id}/model-{n}" for one in self._crowd.services for n in range(MODELS)]
        return {
            **{kind: ["node"] for kind in ("node_cpu", "memory", "vm", "listen_drops")},
            "core": cores, "frequency": cores,
            "pressure": [f"pressure:{what}" for what in ("cpu", "memory", "io")],
            "cgroup": list(self.cgroups.values()), "listen": ports, "connections": ports,
            "worker": workers, "worker_memory": workers,
            "thread_class": [f"{worker}:{name}" for worker in workers for name in CLASSES],
            "serving": [*(f"service:{one.id}" for one in self._crowd.services), *models],
            "gpu": gpus, "gpu_health": gpus, "gpu_info": gpus,
            "gpu_process": [f"gpu-process:{one.uuid}/{p.pid}" for one in self.snapshot.node.gpus for p in one.processes],
        }  # fmt: skip


_RATE = Rate(per_second=300.0, low=250.0, high=360.0, bound="estimate", told_by="law of scalability")
_CAPACITY: dict[str, Any] = dict.fromkeys(Capacity.__struct_fields__) | {
    "workers": WORKERS, "n_workers_per_second": _RATE, "utilisation_now": 0.4, "utilisation_at_peak": 0.7,
}  # fmt: skip
_SERVED: dict[str, Any] = {
    "capacity": Capacity(**_CAPACITY),
    "requests_per_second": 120.0, "latency_seconds": 0.05, "latency_p50_seconds": 0.04, "latency_p99_seconds": 0.2,
    "gpu_memory_bytes": 8 << 30, "gpu_sm_ratio": 0.4, "gpu_contexts": WORKERS,
}  # fmt: skip


def _filled(kind: type[Sample], entity: str, second: int) -> Sample:
    """Every field readable, with as many digits as it has on a node that has been up for weeks."""
    specs = fields_of(kind)
    values = {one.name: "python" if one.text else _number(one.counter, at, second) for at, one in enumerate(specs)}
    return kind(entity=entity, **values)


def _number(counter: bool, at: int, second: int) -> int:
    return 123_456_789_012 + at + second * 1_234_567 if counter else 1_234_567 + at


def _uuids() -> list[str]:
    return [f"GPU-0a1b2c3d-4e5f-6071-8293-{number:012x}" for number in range(GPUS)]


def _node(crowd: Crowd) -> NodeStatus:
    known: dict[str, Any] = dict.fromkeys(NodeStatus.__struct_fields__)
    gpus = tuple(_gpu(crowd, index, uuid) for index, uuid in enumerate(_uuids()))
    readers = (_with(ReaderStatus, name="nvidia", state="ok", detail="", cpu_seconds=9.0, resident_bytes=22 << 20),)
    cores = tuple(
        CoreStatus(cpu=n, node=0, sibling_of=n, busy_ratio=0.7, steal_ratio=0.0, iowait_ratio=0.0) for n in range(CORES)
    )
    told = {
        "node": "node-1",
        "cores": cores,
        "price": node_price(PRICES),
        "collectors": (),
        "memory_total_bytes": 1 << 38,
    }
    return NodeStatus(**known | told | {"gpus": gpus, "gpu_readers": readers})


def _gpu(crowd: Crowd, index: int, uuid: str) -> GpuStatus:
    """The workers of two services are on each."""
    mine = crowd.services[2 * index : 2 * index + 2]
    processes = tuple(
        _with(GpuProcessStatus, pid=w.key.pid, service=s.name, slot=w.slot, contexts=("compute",), joined=True)
        for s in mine
        for w in s.workers
    )
    return _with(
        GpuStatus, uuid=uuid, index=index, name="NVIDIA H100 80GB HBM3", vendor="nvidia", architecture="hopper",
        driver="580.159.04", state="ok", processes=processes, other_readers=(), unsupported=(),
    )  # fmt: skip


def _with(kind: Callable[..., Any], **known: object) -> Any:
    """A document of which only `known` is told."""
    return kind(**{**dict.fromkeys(kind.__struct_fields__), **known})  # type: ignore[attr-defined]


def _models(crowd: Crowd) -> Iterable[ModelStatus]:
    for service in crowd.services:
        for number in range(MODELS):
            yield ModelStatus(name=f"model-{number}", version=None, runtime=None, path=None, service=service.name)


def _self() -> SelfStatus:
    collectors = tuple(
        CollectorStatus(
            name=one.name, status="ok", reason=None, hint=None, duration_seconds=1e-4, late_seconds=0.0, runs=9
        )
        for one in all_collectors()
    )
    return SelfStatus(
        version="0.1.0", uptime_seconds=9.0, cpu_seconds=1.0, resident_bytes=50 << 20, sidecar="running",
        sidecar_cpu_seconds=1.0, sidecar_resident_bytes=20 << 20, ticks=9, late_ticks=0, worst_late_seconds=0.0,
        interval_seconds=1.0, collectors=collectors, store_bytes=1, store_problem=None,
    )  # fmt: skip
