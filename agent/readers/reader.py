"""One reader process: started where there is something to read, asked each second, watched, ended and started again.

What it does not say is said for it: that nothing is there, that it is being started, that the driver does not answer.
"""

import logging
import select
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.child_process import KILLED_SECONDS, LAST_BACKOFF_SECONDS, Backoff, spawn
from agent.framing import BadFrame, framed, receive
from agent.readers.messages import Busy, Collect, Kinds, Read, Reply, reading_of
from collectors.collector import Collector
from collectors.gpu.states import GpuState, state_of
from collectors.host import Host
from collectors.reading import Outcome, Reading, Unreadable, Unsupported

log = logging.getLogger("nodewright.readers")

SILENT_SECONDS = 1.75
"""A run that has not ended by then counts as one that hangs; readings of healthy devices take milliseconds."""
FIRST_SECONDS = 4.0
"""The first one also loads the library, and wakes devices whose driver was unloaded."""
KILL_SECONDS = 30.0
"""A reader that hangs for so long is ended: a new one may find the driver in order. One that hangs inside the kernel does not
end before the driver lets it go, and no second one is started beside it."""
LOOK_SECONDS = 10.0
"""So often it is looked whether there is something to read at last."""
RENEW_SECONDS = 30.0
"""A reader whose driver is out of order is replaced so often: a library that was updated on disk has to be loaded anew."""
BEAT_SECONDS = 1.0
ANSWERS_LIMIT = 1000
"""So many without a pause are no answers any more."""
POKE_SECONDS = 0.5
"""So often it is asked again while an answer is missing."""
_HOME = Path(__file__).resolve().parents[2]
_IN_CHILD = "import sys; sys.path.insert(0, sys.argv.pop(1)); from agent.readers.child import main; main()"


@dataclass(slots=True)
class _Asked:
    """One collector of the process, and the question that is open."""

    collector: Collector
    due: float = 0.0
    since: float | None = None
    """When the open question was asked."""
    hangs: bool = False
    answered: bool = False


@dataclass(slots=True)
class Health:
    """How a reader is. `since`: monotonic seconds when it came into this state."""

    state: GpuState = "starting"
    detail: str = ""
    since: float = field(default_factory=time.monotonic)
    pid: int | None = None
    restarts: int = 0
    answered: float | None = None
    """When it last answered (monotonic)."""


class Reader:
    """The process `name` and its collectors. `readings` may be called from any thread."""

    def __init__(
        self,
        name: str,
        collectors: Sequence[Collector],
        host: Host,
        *,
        always: bool = False,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`always`: start it although nothing seems to be there to read. `on_change`: its state has changed."""
        self.name = name
        self.health = Health()
        self._asked = {c.name: _Asked(c) for c in collectors}
        self._first = min(collectors, key=lambda c: c.cadence_seconds)
        self._host = host
        self._always = always
        self._on_change = on_change
        self._kinds: dict[str, Kinds] = {c.name: {kind.kind: kind for kind in c.samples} for c in collectors}
        self._decoder: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
        self._done: deque[Reading] = deque(maxlen=256)
        self._stop = threading.Event()
        self._began = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._guarded, name=f"reader-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Begin to stop."""
        self._stop.set()
        process = self._process
        if process is not None:
            process.kill()  # it keeps nothing that it would have to write

    def stop(self, timeout_seconds: float) -> None:
        """End the process and the thread that watches it. A process that hangs in the kernel is left to itself: it ends when
        its driver lets it go."""
        self.end()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds + KILLED_SECONDS)

    def readings(self) -> list[Reading]:
        """Readings since the last call."""
        found = []
        while self._done:
            found.append(self._done.popleft())
        return found

    def _guarded(self) -> None:
        while not self._stop.is_set():
            try:
                self._run()
            except Exception:
                log.exception("watching the reader %s failed; it is begun again", self.name)
                self._tell_all(Unsupported("failed", "a fault of nodewright; the log has the reason"))
                self._stop.wait(LAST_BACKOFF_SECONDS)

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stop.is_set():
            why = self._nothing_here()
            if why is not None:
                self._tell_all(why)
                self._stop.wait(LOOK_SECONDS)
                continue
            backoff.began()
            replaced = self._serve()
            self._stop.wait(backoff.replaced() if replaced else backoff.ended())

    def _nothing_here(self) -> Unsupported | None:
        if self._always:
            return None
        try:
            self._first.present(self._host)
        except Unreadable as why:
            return Unsupported(why.reason, why.hint)
        return None

    def _serve(self) -> bool:
        """One process, from its start to its end; whether it was ended only to be replaced."""
        modules = [type(a.collector).__module__ for a in self._asked.values()]
        started = spawn([sys.executable, "-I", "-c", _IN_CHILD, str(_HOME), *modules])
        if started is None:
            self._tell_all(Unsupported("failed", "the reader process cannot be started"))
            return False
        self._process, stream = started
        self.health.pid, self.health.answered = self._process.pid, None
        for asked in self._asked.values():
            asked.due, asked.since, asked.hangs, asked.answered = 0.0, None, False, False
        try:
            with stream:
                return self._talk(stream, self._process)
        finally:
            self._let_go(self._process)
            self._process, self.health.pid = None, None
            self.health.restarts += 1

    def _talk(self, stream: socket.socket, process: subprocess.Popen[bytes]) -> bool:
        """Ask what is due and take what comes, until it ends, hangs for too long or should be replaced: True then."""
        poll = select.poll()  # not select(), which knows no descriptor beyond 1023
        poll.register(stream, select.POLLIN)
        self._began = beat = time.monotonic()
        taken = 0
        while not self._stop.is_set() and process.poll() is None:
            if poll.poll(max(0.0, min(beat - time.monotonic(), 0.5)) * 1000):
                # before asking again: who was suspended meanwhile finds the answers here
                taken += 1
                if taken > ANSWERS_LIMIT:
                    self._tell_all(Unsupported("failed", "the reader process does not stop answering"))
                    return False
                if not self._take(stream):
                    self._ended_by_itself(process)
                    return False
                continue
            now = time.monotonic()
            if now >= beat:
                beat += POKE_SECONDS * (1 + int((now - beat) / POKE_SECONDS))
                taken = 0
                if not self._ask(stream, now):
                    return False
                if self._is_done(now):
                    return True
        return False

    def _ended_by_itself(self, process: subprocess.Popen[bytes]) -> None:
        """Say so, where it did: its side of the connection is closed a moment before it is gone."""
        try:
            status = process.wait(KILLED_SECONDS)
        except subprocess.TimeoutExpired:
            return
        if not self._stop.is_set():
            self._tell_all(Unsupported("failed", f"the reader process ended with status {status}"))

    def _ask(self, stream: socket.socket, now: float) -> bool:
        """Ask every collector that is due, and again each one that has not answered. False: it does not listen any more."""
        stream.settimeout(SILENT_SECONDS)
        silent = now - (self.health.answered or self._began) >= SILENT_SECONDS
        for asked in self._asked.values():
            if asked.since is None and now < asked.due:
                continue
            if asked.since is None:
                asked.since, asked.due = now, now + asked.collector.cadence_seconds - POKE_SECONDS / 2
            if silent:  # else it says itself what it waits for
                self._notice(asked, now - asked.since, "")
            try:
                body = msgspec.json.encode(Collect(asked.collector.name, time.monotonic_ns()))
                stream.sendall(framed(body))
            except OSError:
                return False
        return True

    def _take(self, stream: socket.socket) -> bool:
        """One answer. False: there will be no more."""
        stream.settimeout(SILENT_SECONDS)
        try:
            body = receive(stream)
            if body is None:
                return False
            reply = self._decoder.decode(body)
            if isinstance(reply, Busy):
                asked = self._asked[reply.collector]
                self._notice(asked, reply.seconds, reply.doing)
            else:
                self._read(reply)
        except (OSError, BadFrame, ValueError, KeyError, RecursionError) as problem:
            self._tell_all(Unsupported("failed", f"the reader process broke the protocol: {problem}"))
            return False
        self.health.answered = time.monotonic()
        return True

    def _read(self, reply: Read) -> None:
        asked = self._asked[reply.collector]
        asked.since, asked.hangs, asked.answered = None, False, True
        self._put(reading_of(reply, self._kinds[reply.collector]))

    def _notice(self, asked: _Asked, seconds: float, doing: str) -> None:
        """Say that a run hangs, once it does; and again with the call's name, when that is known."""
        if seconds < (SILENT_SECONDS if asked.answered else FIRST_SECONDS):
            return
        what = f"{doing} has not returned" if doing else "no answer"
        asked.hangs = True
        self._tell(
            asked.collector,
            Unsupported(
                "unresponsive", f"{what} for {seconds:.0f} s: see the kernel log; a hung driver may need a reboot"
            ),
        )

    def _is_done(self, now: float) -> bool:
        """Whether this process should give way to a new one."""
        waits = [now - a.since for a in self._asked.values() if a.since is not None and a.hangs]
        if waits and max(waits) >= KILL_SECONDS:
            return True
        out_of_order = self.health.state not in ("ok", "starting", "unresponsive")
        return out_of_order and now - max(self._began, self.health.since) >= RENEW_SECONDS

    def _let_go(self, process: subprocess.Popen[bytes]) -> None:
        """Kill it and wait until it is gone: no second one is started beside one that hangs in the kernel."""
        process.kill()
        while True:
            try:
                process.wait(KILLED_SECONDS if self._stop.is_set() else BEAT_SECONDS)
                return
            except subprocess.TimeoutExpired:
                if self._stop.is_set():
                    return
                hint = "the driver keeps the reader process in the kernel: reboot, or reset the device"
                self._tell_all(Unsupported("unresponsive", hint))

    def _tell_all(self, why: Unsupported) -> None:
        for asked in self._asked.values():
            self._tell(asked.collector, why)

    def _tell(self, collector: Collector, why: Outcome) -> None:
        now = self._host.clock.now()
        self._put(Reading(collector=collector.name, at=now, duration_ns=0, cpu_ns=0, late_ns=0, outcome=why))

    def _put(self, reading: Reading) -> None:
        self._done.append(reading)
        if reading.collector != self._first.name:
            return
        state = state_of(reading.outcome)
        outcome = reading.outcome
        detail = outcome.hint if isinstance(outcome, Unsupported) else getattr(outcome, "error", "")
        changed = state != self.health.state
        if changed:
            self.health.since = time.monotonic()
            if state not in ("ok", "absent"):
                log.warning("reader %s: %s (%s)", self.name, state, detail)
        self.health.state, self.health.detail = state, detail
        if changed:
            self._on_change()
