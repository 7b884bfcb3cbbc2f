"""The daemon: sampler and background threads, store, sidecar and HTTP in one process, ended within two seconds."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from advisor.board import Acknowledged
from advisor.catalogue import pages
from advisor.documents import Snapshot
from advisor.finding import Finding
from agent.assembly import Watch, assemble
from agent.config import LoadedConfig
from agent.findings_log import FindingsLog
from agent.http.app import build_app
from agent.http.deps import AckRequest, HttpDeps
from agent.http.server import serve
from agent.http.updates import Updates
from agent.listen import parse_listen
from agent.paths import state_database
from agent.self_cost import SelfCost, SidecarState
from agent.sidecar.supervisor import SidecarProcess
from agent.store import Retention, Store, StoreReader
from agent.token import ensure_token
from nodewright import __version__

log = logging.getLogger("nodewright")
END_SECONDS = 1.5


def run(loaded: LoadedConfig, *, no_sidecar: bool = False) -> int:
    """Run until SIGTERM or SIGINT. 0 ended by a signal; CliError 2 bad configuration, 3 already running."""
    return asyncio.run(_run(loaded, no_sidecar))
