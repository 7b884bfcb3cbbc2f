"""Records this node for a while into one file."""

import signal
import time
from pathlib import Path

from agent.advise import collect_for
from agent.config import LoadedConfig
from agent.recorded import recorded
from agent.store.recording import Recorder, RecordingMeta
from collectors.entities import Service
from nodewright import __version__


def record_node(loaded: LoadedConfig, output: Path, seconds: float | None) -> int:
    """Record for `seconds`, or until SIGINT or SIGTERM. Raises BadRecording where the file cannot be written."""
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: stopped.append(got))
    meta = RecordingMeta(node=loaded.config.node_name, version=__version__, start=time.time_ns())
    with Recorder(output, meta) as recorder:
        limit = seconds if seconds is not None else 365 * 86400.0
        watch = collect_for(loaded, limit, recorder.write, lambda: bool(stopped))
        services: dict[str, Service] = {s.id: s for s in watch.discovery.services}
        recorder.write_facts(recorded(services.values(), watch.discovery.facts))
    return 0
