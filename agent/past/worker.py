"""Who works out a stretch of the past, and what if it hangs or dies?

A child of the agent, or, where the limits of the agent's own unit leave no room for it, a process that systemd starts for each
connection.
"""

import asyncio
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from advisor.documents import Problem
from agent.child_process import KILLED_SECONDS, spawn
from agent.framing import framed
from agent.past.messages import (
    DONE,
    FRAME_LIMIT_BYTES,
    HEADER,
    MOMENT,
    PROGRESS,
    TROUBLE,
    Asked,
    Progress,
    parts,
    trouble,
)

SILENT_SECONDS = 60.0
"""A process that has not said for so long how far it is hangs, or gets no time on a CPU at all."""
_HINT = "ask again; the agent's log has more"
Moment = Callable[[int, bytes], None]
"""Unix milliseconds, and the moment, packed."""
Told = Callable[[int, int], None]


class Failed(Exception):  # noqa: N818 - an answer, not a fault
    """The stretch could not be worked out."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Worker(Protocol):
    """Works out one stretch at a time."""

    async def work_out(self, since_ms: int, until_ms: int, moment: Moment, progress: Told) -> None:
        """Hand on each moment from `since_ms` to before `until_ms` (Unix time), oldest first. Raises Failed, and what
        `moment` raises; cancelling it ends the process."""


class ProcessWorker:
    """A process for each stretch: at `socket_path` where that is given, else a child run by `command` with `--fd N` added."""

    def __init__(
        self, db: Path, command: Sequence[str], socket_path: str | None = None, silent_seconds: float = SILENT_SECONDS
    ) -> None:
        self._db = db
        self._command = command
        self._socket_path = socket_path
        self._silent_seconds = silent_seconds

    async def work_out(self, since_ms: int, until_ms: int, moment: Moment, progress: Told) -> None:
        asked = Asked(db=str(self._db.absolute()), since_ns=since_ms * 1_000_000, until_ns=until_ms * 1_000_000)
        process, stream = await self._begin()
        ended = None
        try:
            reader, writer = await asyncio.open_connection(sock=stream)
            try:
                writer.write(framed(msgspec.json.encode(asked)))
                await self._take_all(reader, moment, progress)
            finally:
                writer.close()
        except (EOFError, OSError, struct.error, msgspec.MsgspecError) as error:
            ended = error
        finally:
            status = (
                None
                if process is None
                else await asyncio.shield(asyncio.to_thread(_let_go, process, ended is not None))
            )
        if ended is not None:
            raise Failed(_died(status))

    async def _begin(self) -> tuple[subprocess.Popen[bytes] | None, socket.socket]:
        if self._socket_path is not None:
            stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            stream.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(stream, self._socket_path)
            except OSError as error:
                stream.close()
                hint = "start nodewright-past.socket, or unset agent.past_socket"
                message = f"nothing works out the past at {self._socket_path}: {error.strerror}"
                raise Failed(Problem("past.failed", message, hint)) from error
            return None, stream
        started = await asyncio.to_thread(spawn, self._command)
        if started is None:
            raise Failed(Problem("past.failed", "the process that works out the past cannot be started", _HINT))
        return started

    async def _take_all(self, reader: asyncio.StreamReader, moment: Moment, progress: Told) -> None:
        """Until it says that it is done. Raises Failed, and EOFError where it ends before."""
        while True:
            try:
                async with asyncio.timeout(self._silent_seconds):
                    kind, length = HEADER.unpack(await reader.readexactly(HEADER.size))
                    if length > FRAME_LIMIT_BYTES:
                        raise EOFError
                    body = await reader.readexactly(length)
            except TimeoutError:
                message = (
                    f"the process that works out the past gave no sign for {self._silent_seconds:.0f} s and was ended"
                )
                raise Failed(Problem("past.hung", message, _HINT)) from None
            if kind == MOMENT:
                moment(*parts(body))
            elif kind == PROGRESS:
                told = msgspec.json.decode(body, type=Progress)
                progress(told.done, told.of)
            elif kind == TROUBLE:
                raise Failed(trouble(body))
            elif kind == DONE:
                return
            else:
                raise EOFError


def _let_go(process: subprocess.Popen[bytes], wait: bool) -> int | None:
    """End it; its exit status where it had ended by itself."""
    try:
        return process.wait(KILLED_SECONDS) if wait else process.wait(0)
    except subprocess.TimeoutExpired:
        process.kill()
    try:
        process.wait(KILLED_SECONDS)
    except subprocess.TimeoutExpired:  # it hangs in the kernel, and ends once that lets it
        pass
    return None


def _died(status: int | None) -> Problem:
    if status == -signal.SIGKILL:
        message = "the process that works out the past was killed, as when memory runs out"
        return Problem("past.failed", message, "raise the memory limit of the agent's container or unit")
    return Problem("past.failed", f"the process that works out the past ended too early (status {status})", _HINT)
