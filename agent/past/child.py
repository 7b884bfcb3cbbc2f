"""The process that works out moments of the past: it answers one question, at low priority, and ends."""

import logging
import os
import resource
import socket
import sqlite3
import sys
import traceback
import zlib
from contextlib import suppress
from pathlib import Path

import msgspec

from advisor.documents import Problem, Snapshot
from agent.framing import BadFrame, receive
from agent.http.encoded import encode
from agent.past.messages import DONE, PROGRESS, TROUBLE, Asked, Progress, frame, moment
from agent.past.pace import Pace
from agent.past.play import play
from agent.store.stored_moments import StoredMoments
from agent.store.stored_ticks import NotKept
from collectors.reading import Instant

MEMORY_BYTES = 256 << 20
"""Of its own data. The largest node that was tried, of 128 processes and 2,000 threads, takes a third of it."""
TELL_TICKS = 25
FIRST_TO_GO = b"1000"
"""Where memory runs out, the kernel takes this process before any other."""
_NICE = 19


def run_child(fd: int, *, alone: bool = False) -> int:
    """Serve the agent at the other end of this socket. `alone`: a CPU quota is shared with nobody. Returns an exit status."""
    _be_small()
    with socket.socket(fileno=fd) as connection:
        try:
            body = receive(connection)
            if body is not None:
                pace = Pace(None) if alone else Pace.here()
                _answer(_Teller(connection, pace), msgspec.json.decode(body, type=Asked))
        except (OSError, BadFrame, msgspec.MsgspecError):  # the agent has ended, or wants to know no more
            return 1
    return 0


def _be_small() -> None:
    """Take what nobody else wants, and no more than that much memory, as far as a sandbox lets it."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        own = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
        resource.setrlimit(resource.RLIMIT_DATA, (own, most))
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(FIRST_TO_GO)
    logging.disable(logging.CRITICAL)  # what there was to be said was said then


def _answer(teller: "_Teller", asked: Asked) -> None:
    problem: Problem | None = None
    try:
        path = Path(asked.db)
        for stretch in StoredMoments(path).stretches():
            play(path, stretch, asked.since_ns, asked.until_ns, teller.look, teller.progress)
    except NotKept as error:
        problem = Problem("past.not-kept", str(error), "ask for a later moment")
    except MemoryError:
        limit = f"it takes more than {MEMORY_BYTES >> 20} MiB to work it out"
        problem = Problem("past.failed", limit, "copy the store to a larger machine, or ask for a moment of less load")
    except msgspec.MsgspecError as error:
        form = f"what is kept of this time has a form that is not known here: {_line(error)}"
        problem = Problem("past.failed", form, "another version of nodewright has kept it: ask for another time")
    except (sqlite3.Error, zlib.error, LookupError, ValueError) as error:
        why = "a row that others name is missing" if isinstance(error, LookupError) else _line(error)
        damaged = f"what is kept of this time cannot be read: {why}"
        problem = Problem("past.failed", damaged, "the file of that day is damaged: ask for another day")
    except OSError:
        raise
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        said = f"a fault of nodewright: {type(error).__name__}: {_line(error)}"
        problem = Problem("past.failed", said, "the agent's log has more; please report it")
    teller.end(problem)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


class _Teller:
    def __init__(self, connection: socket.socket, pace: Pace) -> None:
        self._connection = connection
        self._pace = pace

    def look(self, at: Instant, snapshot: Snapshot) -> None:
        self._connection.sendall(moment(at.wall_ns, snapshot))

    def progress(self, done: int, of: int) -> None:
        self._pace.keep()
        if done % TELL_TICKS == 0 or done == of:
            self._connection.sendall(frame(PROGRESS, encode(Progress(done, of))))

    def end(self, problem: Problem | None) -> None:
        self._connection.sendall(frame(DONE) if problem is None else frame(TROUBLE, encode(problem)))
