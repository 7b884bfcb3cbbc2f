"""What is said of a moment of the past, and what is said of how it comes to be known?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from advisor.board import timestamp
from advisor.documents import AdviceDocument, PastStatus, SelfStatus, Snapshot
from advisor.finding import Finding, Inconclusive
from advisor.prices import NodePrice
from agent.judging import Judging
from agent.past.standing import Standing, Told, told, without_profiles
from agent.played import Newest, Played, changed_rules
from agent.sampler import Beat
from agent.snapshots import Snapshots
from agent.store.stored_moments import GAP_NS
from agent.store.ticks import Run
from collectors.entities import WorkerKey
from collectors.facts import ProcessFacts
from collectors.reading import Instant
from collectors.topology import Topology

SECOND_NS = 1_000_000_000
LEAST_LOST_SECONDS = 3.0
PARTS_MISSING = (
    "of threads: seconds in which one ran and waited less than 5 % of the time; how one sleeps is as of up to 5 min before",
    "what profiles had told the rules",
    "what watching cost",
)
"""Of every moment."""
OF_DEVICES = "what models had been seen to hold of devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From which tick on it is played, and from the first to the last whose moments are wanted: on the monotonic clock of the
    run. `first_wall_ns`: the latter's earliest, in Unix time."""

    LOOK_BACK_SECONDS: ClassVar[int] = 1200
    """The slices of a service's trend, and its metrics pages, reach so far; seconds and ticks less."""
    start_ns: int
    first_ns: int
    last_ns: int
    first_wall_ns: int
    whole_run: bool
    """The run began with the first tick that is played."""


class PastMoment(Played):
    """The node at the moment up to which it has been played."""

    def __init__(
        self, judging: Judging, newest: Newest, topology: Topology, run: Run, window: Window, standing: Standing
    ) -> None:
        super().__init__((), judging, newest, topology, Instant(0, 0), Beat(), changed_rules(run.rules))
        self.facts: Mapping[WorkerKey, ProcessFacts] = {}
        self.price: NodePrice | None = None
        self._run = run
        self._window = window
        self._standing = standing
        self._lost: list[tuple[int, int]] = []
        self._told = Told(())
        self._snapshots: Snapshots | None = None

    @property
    def advice(self) -> AdviceDocument:
        return self.judging.document(self.services, self.now, self._tell)

    def ticked(self, now: Instant) -> None:
        if self.beat.ticks and now.mono_ns - self.now.mono_ns > max(GAP_NS, 20 * self._run.interval_ns):
            self._lost.append((now.mono_ns, now.mono_ns - self.now.mono_ns))
        self.now = now
        self.beat.ticks += 1

    def lost(self, at: Instant) -> None:
        """A tick that cannot be played."""
        self._lost.append((at.mono_ns, self._run.interval_ns))

    def take(self) -> Snapshot:
        if self._snapshots is None:
            self._snapshots = Snapshots(self)
        snapshot = self._snapshots.take(0)
        collectors = tuple(msgspec.structs.replace(one, runs=None) for one in snapshot.node.collectors)
        node = msgspec.structs.replace(
            snapshot.node, collectors=collectors, price=self.price, past=self._status(snapshot)
        )
        own = SelfStatus(
            version=self._run.version,
            uptime_seconds=round(max(0, self.now.wall_ns - self._run.started_ns) / SECOND_NS, 3),
            cpu_seconds=None,
            resident_bytes=None,
            sidecar=None,
            sidecar_cpu_seconds=None,
            sidecar_resident_bytes=None,
            ticks=None,
            late_ticks=None,
            worst_late_seconds=None,
            interval_seconds=self._run.interval_ns / SECOND_NS,
            collectors=collectors,
            store_bytes=None,
            store_problem=None,
        )
        return msgspec.structs.replace(snapshot, node=node, self_status=own)

    def _tell(
        self, findings: tuple[Finding, ...], inconclusive: tuple[Inconclusive, ...]
    ) -> tuple[tuple[Finding, ...], tuple[Inconclusive, ...]]:
        self._told = told(self._standing, findings, self.now, whole_run=self._window.whole_run)
        return self._told.findings, without_profiles(inconclusive)

    def _status(self, snapshot: Snapshot) -> PastStatus:
        seen = (self.now.mono_ns - self._window.start_ns) / SECOND_NS
        return PastStatus(
            seen_seconds=round(seen, 1),
            wanted_seconds=float(Window.LOOK_BACK_SECONDS),
            shorter=self._shorter() if seen < Window.LOOK_BACK_SECONDS - 1 else None,
            version=self._run.version,
            rules_changed=self.changed or (),
            missing=tuple(self._missing(bool(snapshot.node.gpus))),
        )

    def _shorter(self) -> str:
        if self._window.whole_run:
            return f"the agent was started at {timestamp(Instant(0, self._run.started_ns))}"
        return "nothing older is stored"

    def _missing(self, devices: bool) -> list[str]:
        found = [*PARTS_MISSING, *([OF_DEVICES] if devices else [])]
        back = self.now.mono_ns - Window.LOOK_BACK_SECONDS * SECOND_NS
        gone = sum(ns for at, ns in self._lost if at >= back) / SECOND_NS
        if gone >= LEAST_LOST_SECONDS:
            found.append(f"{gone:.0f} s of the time before it: they are not stored")
        if self._told.unjudged:
            found.append(f"what was measured of {self._told.unjudged} of its findings, which cannot be judged again")
        if self._told.untold:
            found.append(f"why {self._told.untold} that would be found today were not told then: they are left out")
        return found
