"""How does the running agent keep each of its ticks, so that the moment can be shown again later?"""

import time
from collections.abc import Callable, Sequence

import msgspec

from advisor.catalogue import versions
from agent.config import Config
from agent.recorded import settings_of
from agent.store.ticks import Present, Run, Tick
from agent.witness import Witness
from collectors.entities import Service
from collectors.facts import Facts
from collectors.host import Host
from collectors.reading import Instant, Reading
from collectors.topology import read_topology
from nodewright import __version__


class TickLog(Witness):
    """Hands on each tick once it is over. `keep` must not block."""

    def __init__(self, keep: Callable[[Tick], None], config: Config) -> None:
        self._keep = keep
        self._present = Present((), {}, settings_of(config))
        self._readings: list[Reading] = []

    def learnt(self, services: Sequence[Service], facts: Facts) -> None:
        keys = (worker.key for service in services for worker in service.workers)
        known = {key: facts[key] for key in keys if key in facts}
        self._present = Present(tuple(services), known, self._present.settings)

    def reconfigured(self, config: Config) -> None:
        self._present = msgspec.structs.replace(self._present, settings=settings_of(config))

    def took(self, reading: Reading) -> None:
        self._readings.append(reading)

    def ended(self, now: Instant, judged: bool) -> None:
        self._keep(Tick(at=now, readings=tuple(self._readings), judged=judged, present=self._present))
        self._readings.clear()


def run_of(config: Config, host: Host) -> Run:
    """The run of the agent that begins now."""
    return Run(
        started_ns=time.time_ns(),
        node=config.node_name,
        version=__version__,
        ticks_per_second=host.ticks_per_second,
        interval_ns=round(config.agent.interval_seconds * 1e9),
        topology=msgspec.json.encode(read_topology(host)),
        rules=versions(),
    )
