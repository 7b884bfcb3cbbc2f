"""How do the node's own counters, its cores' clocks and its ports become growth in the open tick?"""

from advisor.tracks import ConnectionTick, FrequencyTrack, NodeTick, Tracks, delta
from collectors.sources.connections import ConnectionsSample
from collectors.sources.frequency import FrequencySample
from collectors.sources.pressure import PressureSample
from collectors.sources.vmstat import VmSample
from collectors.sources.worker_memory import WorkerMemorySample


def grown(now: int | None, before: int | None) -> int | None:
    """As `delta`; None where either is not readable."""
    return None if now is None or before is None else delta(now, before)


class NodeHistory:
    """Takes in what is about no single service, into the tracks. One thread uses it."""

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks
        self._now = NodeTick()
        self._connections: dict[str, ConnectionTick] = {}

    def add_pressure(self, sample: PressureSample) -> None:
        before = self._tracks.pressure.get(sample.entity)
        self._tracks.pressure[sample.entity] = sample
        if before is not None:
            some, full = (delta(sample.some_us, before.some_us), delta(sample.full_us, before.full_us))
            self._now.stalled[sample.entity.partition(":")[2]] = (some * 1e-6, full * 1e-6)

    def add_vm(self, sample: VmSample) -> None:
        before, self._tracks.vm = self._tracks.vm, sample
        if before is not None:
            self._now.major_faults = grown(sample.major_faults, before.major_faults)
            self._now.swap_in_pages = grown(sample.swap_in_pages, before.swap_in_pages)
            self._now.swap_out_pages = grown(sample.swap_out_pages, before.swap_out_pages)
            self._now.oom_kills = grown(sample.oom_kills, before.oom_kills)

    def add_frequency(self, sample: FrequencySample) -> None:
        known = self._tracks.frequencies.get(sample.entity)
        if known is None:
            known = self._tracks.frequencies[sample.entity] = FrequencyTrack(sample)
        throttled = delta(sample.throttle_events, known.sample.throttle_events)
        known.sample = sample
        known.recent.append((self._tracks.tick, sample.current_khz, throttled))

    def add_memory_of(self, sample: WorkerMemorySample) -> None:
        """What a look inside a worker told of its memory."""
        if (worker := self._tracks.workers.get(sample.entity)) is not None:
            worker.memory = sample

    def add_connections(self, sample: ConnectionsSample, at_seconds: float) -> None:
        """`at_seconds`: when it was read, on the monotonic clock."""
        port = sample.entity.partition(":")[2]
        then, before = self._tracks.connections.get(port, (at_seconds, None))
        self._tracks.connections[port] = (at_seconds, sample)
        if before is not None and at_seconds > then:
            self._connections[port] = ConnectionTick(
                seconds=at_seconds - then,
                opened=grown(sample.opened, before.opened),
                received_bytes=grown(sample.received_bytes, before.received_bytes),
                sent_bytes=grown(sample.sent_bytes, before.sent_bytes),
                received_segments=grown(sample.received_segments, before.received_segments),
                young=grown(sample.young, before.young),
                young_segments=grown(sample.young_segments, before.young_segments),
            )

    def connections_of(self, port: int | None) -> ConnectionTick | None:
        """Growth of a port's counters that was read in the open tick."""
        return None if port is None else self._connections.get(str(port))

    def end_tick(self) -> None:
        self._tracks.node_ticks.append((self._tracks.tick, self._now))
        self._now, self._connections = NodeTick(), {}
