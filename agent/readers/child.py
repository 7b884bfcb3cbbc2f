"""The reader process: runs the collectors that it is asked for, each in a thread of its own, until nobody asks any more.

The main thread touches no driver, so that it always can say which call does not return.
"""

import argparse
import importlib
import os
import signal
import socket
import threading
import time

import msgspec

from agent.framing import BadFrame, framed, receive
from agent.readers.messages import Busy, Collect, Read, Reply, read_of
from collectors.collector import Collector, only_subclass
from collectors.host import Host
from collectors.reading import Failed
from collectors.runner import collect_one


class Turn:
    """One collector and its thread, which waits for the next question."""

    def __init__(self, collector: Collector, host: Host, answers: "Answers") -> None:
        self.collector = collector
        self._host = host
        self._answers = answers
        self._asked = threading.Event()
        self._planned_ns = 0
        self._since: float | None = None
        self._thread = threading.Thread(target=self._run, name=collector.name, daemon=True)
        self._thread.start()

    def ask(self, planned_ns: int) -> Busy | None:
        """Begin a run; where the one before has not ended, say so."""
        since = self._since
        if since is not None:
            waited = time.monotonic() - since
            return Busy(collector=self.collector.name, seconds=round(waited, 3), doing=self.collector.doing)
        self._planned_ns, self._since = planned_ns, time.monotonic()
        self._asked.set()
        return None

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            reading = collect_one(self.collector, self._host, (), self._planned_ns)
            self._since = None
            self._answers.send(read_of(reading))


class Answers:
    """The way back, for all threads."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, reply: Reply) -> None:
        try:
            frame = framed(msgspec.json.encode(reply))
        except BadFrame as problem:
            if not isinstance(reply, Read):
                return
            without = msgspec.structs.replace(reply, samples={}, why=Failed(str(problem)))
            frame = framed(msgspec.json.encode(without))
        with self._lock:
            try:
                self._stream.sendall(frame)
            except OSError:  # the agent is gone; the main thread notices it as well
                pass


def serve(stream: socket.socket, names: list[str], host: Host) -> None:
    """Answer until the other side hangs up. `names`: the collectors' modules, so that no other is loaded."""
    answers = Answers(stream)
    turns = {}
    for name in names:
        kind = only_subclass(importlib.import_module(name), Collector)
        collector: Collector = kind()
        turns[collector.name] = Turn(collector, host, answers)
    decoder = msgspec.json.Decoder(Collect)
    while True:
        try:
            body = receive(stream)
            if body is None:
                return
            asked = decoder.decode(body)
        except (OSError, BadFrame, msgspec.DecodeError):
            return
        turn = turns.get(asked.collector)
        busy = turn.ask(asked.planned_mono_ns) if turn is not None else None
        if busy is not None:
            answers.send(busy)


def main(arguments: list[str] | None = None) -> None:
    """`MODULE … --fd N`. Threads are daemons: a call into a driver that never returns does not keep the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--fd", type=int, required=True)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _be_quiet()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=asked.fd) as stream:
        serve(stream, asked.modules, Host.real())


def _be_quiet() -> None:
    """Drivers' libraries print what they think to standard output, which is the agent's own."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
