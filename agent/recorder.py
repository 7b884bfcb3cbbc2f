"""Records this node for a while into one file: what was read, what was known, and what was said."""

import os
import signal
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from advisor.board import Acknowledged
from advisor.catalogue import versions
from advisor.documents import AdviceDocument
from advisor.ledger.snapshot import LedgerSnapshot
from advisor.profiling.view import ProfileView
from agent.advise import collect_for
from agent.assembly import Watch
from agent.config import Config, LoadedConfig
from agent.errors import CliError
from agent.findings_log import restored
from agent.ledger_log import kept
from agent.paths import find_paths
from agent.recorded import digest_of, processes_of, services_of, settings_of
from agent.store.reader import StoreReader
from agent.store.recording import Recorder, RecordingMeta
from agent.witness import Witness
from collectors.entities import Service
from collectors.facts import Facts
from collectors.host import Host
from collectors.reading import Instant, Reading
from collectors.topology import read_topology
from nodewright import __version__


def record_node(loaded: LoadedConfig, output: Path, seconds: float | None) -> int:
    """Record for `seconds`, or until SIGINT or SIGTERM. Raises BadRecording where the file cannot be written."""
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: stopped.append(got))
    meta = msgspec.structs.replace(
        meta_of(loaded.config, Host.real()), ledger=msgspec.json.encode(ledger_of(loaded.config))
    )
    with Recorder(output, meta) as recorder:
        limit = seconds if seconds is not None else 365 * 86400.0
        witness = RecordingWitness(recorder, meta.ledger)
        collect_for(loaded, limit, witness, lambda: bool(stopped), profile=True)
        recorder.write_document("advice", witness.said)
    return 0


def meta_of(config: Config, host: Host) -> RecordingMeta:
    """What holds for all of a recording that begins now."""
    return RecordingMeta(
        node=config.node_name,
        version=__version__,
        start=time.time_ns(),
        settings=settings_of(config),
        topology=msgspec.json.encode(read_topology(host)),
        ticks_per_second=host.ticks_per_second,
        rules=versions(),
    )


class RecordingWitness(Witness):
    """Writes all that it is told into a recording."""

    def __init__(self, recorder: Recorder, ledger: bytes | None = None) -> None:
        """`ledger`: what this node's agent knew of earlier changes, as the recording has it."""
        self.said = b""
        """The last advice document, as JSON."""
        self._recorder = recorder
        self._ledger = ledger
        self._told: dict[tuple[str, int], ProfileView | None] = {}
        """What the judgement that is going on was told of profiles, by service and generation."""
        self._seen: dict[tuple[str, int], tuple[ProfileView, bytes]] = {}

    def begins(self, watch: Watch) -> None:
        """What this node's agent was told to leave alone holds here too, and each look at profiles is written down."""
        if self._ledger is not None:
            watch.judging.recall(msgspec.json.decode(self._ledger, type=LedgerSnapshot))
        accepted = acknowledgements(watch.config)
        watch.judging.board.restore(accepted)
        for finding, entry in accepted.items():
            self._recorder.acknowledge(finding, msgspec.json.encode(entry))
        ask = watch.judging.profile_of

        def asked(service: Service, generation: int) -> ProfileView | None:
            """The same throughout a judgement, as it will be in a replay."""
            of = (service.id, generation)
            if of not in self._told:
                view = self._told[of] = ask(service, generation)
                if view is not None:
                    self._recorder.profile(*of, view.age_seconds, self._body(of, view))
            return self._told[of]

        watch.judging.profile_of = asked

    def learnt(self, services: Sequence[Service], facts: Facts) -> None:
        self._recorder.change(services_of(services), processes_of(services, facts))

    def took(self, reading: Reading) -> None:
        self._recorder.write(reading)

    def ticked(self, now: Instant) -> None:
        self._recorder.end_tick(now)

    def judged(self, now: Instant, advice: AdviceDocument) -> None:
        self.said = msgspec.json.encode(advice)
        self._recorder.judged(now, digest_of(self.said))
        self._told.clear()

    def _body(self, of: tuple[str, int], view: ProfileView) -> bytes:
        """The JSON of a view but for its age, encoded anew only where something else is new."""
        ageless = msgspec.structs.replace(view, age_seconds=0.0)
        before, body = self._seen.get(of, (None, b""))
        if before != ageless:
            body = msgspec.json.encode(ageless)
            self._seen[of] = (ageless, body)
        return body


def ledger_of(config: Config) -> LedgerSnapshot:
    """What the agent of this node knew of earlier changes; nothing where there is none, or it cannot be read."""
    try:
        reader = StoreReader(find_paths(config, os.environ).db)
        return kept(reader.outcomes(), reader.configurations(), reader.vram())
    except (sqlite3.Error, CliError):
        return LedgerSnapshot()


def acknowledgements(config: Config) -> Mapping[str, Acknowledged]:
    """What the agent of this node was told to leave alone; nothing where there is none, or it cannot be read."""
    try:
        entries = StoreReader(find_paths(config, os.environ).db).acknowledgements()
    except (sqlite3.Error, CliError):
        return {}
    return {name: found for name, entry in entries.items() if (found := restored(entry)) is not None}
