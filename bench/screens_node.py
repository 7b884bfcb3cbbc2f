"""A node of 128 workers with 2,000 threads, told over HTTP as an agent tells it: the other side of bench/screens.py.

python bench/screens_node.py [SECONDS]     a second of the node takes so long (1); prints its port
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from advisor.catalogue import pages
from advisor.documents import CollectorStatus, Snapshot
from advisor.history import History
from advisor.series import Point, Series
from agent.config import Config
from agent.http.app import build_app
from agent.http.deps import HttpDeps
from agent.http.server import serve
from agent.http.updates import Updates
from agent.judging import Judging
from agent.sampler import Beat
from agent.self_cost import SelfCost
from agent.service_documents import documents_of
from agent.status import NodePicture
from bench.judging import CORES, EVERY, Crowd
from collectors.reading import Instant
from collectors.topology import Cpu, Topology

SLEEPING = 13
"""With the three that work, 16 threads a worker."""
WARM_UP_SECONDS = 40


class Told:
    """The crowd, its judgements, and the snapshot after each second."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.crowd, self._history, self._now = Crowd(sleeping=SLEEPING), History(), Instant(0, 0)
        self._judging = Judging(Config(), self._history, lambda: self._now)
        self._judging.learn(self.crowd.services, self.crowd.facts())
        self._node, self._cost = NodePicture("crowd", topology()), SelfCost("0")
        self._seconds = 0

    def second(self) -> None:
        self._now = self.crowd.tick(self._history)
        services, self._seconds = self.crowd.services, self._seconds + 1
        if self._seconds % EVERY == 0:
            self._judging.judge(services, self._now)
        if self._seconds < WARM_UP_SECONDS:
            return
        advice = self._judging.document(services, self._now)
        found = documents_of(services, self._judging, advice)
        self.snapshot = Snapshot(
            migrations=(),
            generation=self._seconds,
            node=self._node.take(self.crowd.newest, self._collectors(), self._now, (), services),
            services=found.services,
            workers=found.workers,
            models=found.models,
            self_status=self._cost.status(Beat(), 1.0, ()),
            advice=advice,
            threads=found.threads,
        )

    def _collectors(self) -> tuple[CollectorStatus, ...]:
        """Cores are shown as read anew only where their collector has run again."""
        one = CollectorStatus(
            name="cpu", status="ok", reason=None, hint=None, duration_seconds=0.0, late_seconds=0.0, runs=self._seconds
        )
        return (one,)


def topology() -> Topology:
    """Two sockets, two hardware threads a core, numbered as Linux does it on most servers."""
    half = CORES // 2
    return Topology(
        tuple(
            Cpu(cpu=cpu, online=True, node=cpu % half // (half // 2), core_id=cpu % half, package=cpu % half // (half // 2),
                siblings=(cpu % half, cpu % half + half), cache=())
            for cpu in range(CORES)
        )
    )  # fmt: skip


def no_series(kind: str, entity: str, field: str, start: float, end: float, step: float, /) -> Series:
    raise LookupError("nothing is stored here")


def none_of_several(
    kind: str, entities: Sequence[str], field: str, start: float, end: float, step: float, /
) -> dict[str, list[Point]]:
    return {}


async def main(every: float) -> None:
    told, stop = Told(), asyncio.Event()
    for _ in range(WARM_UP_SECONDS):
        told.second()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    deps = HttpDeps(
        snapshot=lambda: told.snapshot,
        series=no_series,
        several=none_of_several,
        acknowledge=lambda finding, request: None,
        rules=pages,
        latest=lambda: told.crowd.newest,
        updates=Updates(),
        token="bench",
        loopback=True,
    )
    runner = await serve(build_app(deps), "127.0.0.1:0")
    print(runner.address.port, flush=True)
    while not stop.is_set():
        told.second()
        try:
            await asyncio.wait_for(stop.wait(), every)
        except TimeoutError:
            continue
    await runner.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0))
