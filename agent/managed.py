"""How does the daemon answer its service manager: ready, alive, and settings re-read when it is asked to?"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

from agent.assembly import Watch
from agent.config import LoadedConfig
from agent.errors import CliError
from agent.reloading import applied, told
from agent.service_manager import ServiceManager

log = logging.getLogger("nodewright")


class Managed:
    """From `start` to `stop`; all in the thread of the loop."""

    def __init__(
        self, manager: ServiceManager, loaded: LoadedConfig, reread: Callable[[], LoadedConfig], watch: Watch
    ) -> None:
        self._manager = manager
        self._loaded = loaded
        self._reread = reread
        self._watch = watch
        self._where = ""
        self._pings: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event, where: str) -> None:
        """Say that all is begun, and go on saying so. `where` it listens; `stop` is set by a terminal that hangs up."""
        self._where = f"listening on {where}"
        if sys.stderr.isatty():
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
                loop.add_signal_handler(signal.SIGHUP, stop.set)
        else:
            loop.add_signal_handler(signal.SIGHUP, self.reload)
        if self._manager.beat_seconds is not None:
            self._pings = loop.create_task(self._ping(self._manager.beat_seconds))
        self._manager.ready(self._where)

    def stop(self) -> None:
        if self._pings is not None:
            self._pings.cancel()
        self._manager.stopping()

    def reload(self) -> None:
        """Take over what can be taken over. A configuration that does not hold changes nothing; one line says why."""
        self._manager.reloading()
        try:
            wanted = self._reread()
        except CliError as problem:
            hint = f" ({problem.hint})" if problem.hint else ""
            log.error("the configuration stays as it was: %s%s", problem.message, hint)
            self._manager.ready(f"{self._where}; configuration not re-read: {problem.message}")
            return
        before, config = self._loaded, applied(self._loaded.config, wanted.config)
        self._loaded = replace(wanted, config=config)
        logging.getLogger().setLevel(config.agent.log_level.upper())
        self._watch.reconfigure(config)
        log.info(told(before, self._loaded, wanted))
        self._manager.ready(self._where)

    async def _ping(self, every_seconds: float) -> None:
        """As long as the sampler keeps its beat: an agent that no longer samples is better started anew."""
        while True:
            if self._watch.sampler.overdue_seconds < every_seconds:
                self._manager.alive()
            await asyncio.sleep(every_seconds)
