"""How does the agent ask the sidecar, and what does it get when the sidecar is slow, gone or unwilling?"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from agent.framing import BadFrame, receive
from agent.sidecar.protocol import (
    CostReply,
    CostRequest,
    FactsReply,
    FactsRequest,
    Hello,
    HelloReply,
    MemoryReply,
    MemoryRequest,
    ProfilePart,
    ProfilePending,
    ProfilePoll,
    ProfileRequest,
    ProfileStarted,
    Refusal,
    Reply,
    Request,
    to_frame,
    to_reply,
)
from collectors.entities import WorkerKey
from collectors.facts import ProcessFacts, unreadable_facts
from collectors.framework import Request as FileRequest
from collectors.inside.memory import ProcessMemory
from collectors.profiles.profile import Profile, ProfileSpec
from collectors.reading import Unsupported

DEADLINE_SECONDS = 2.0
POLL_SECONDS = 0.1
LATE_SECONDS = 20.0
"""A profile that is not there this long after its time is given up."""
SILENT_SECONDS = 5.0
"""For so long a profile that was begun is asked for although the sidecar does not answer."""
GRACE_SECONDS = 0.05
"""Once, after a deadline that passed while nobody waited."""
Expected = TypeVar("Expected", HelloReply, MemoryReply, CostReply, ProfileStarted)
_ANOTHER = "the sidecar answered another question"
_HINT = "see whether it runs: nodewright doctor"


class SidecarClient:
    """Asks over one connection, made when needed with `connect` and again after a failure. Any thread may call it; they
    take turns. No state of the sidecar is an exception here."""

    def __init__(self, connect: Callable[[], socket.socket], deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._connect = connect
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None

    def facts(self, key: WorkerKey, requests: Sequence[FileRequest] = ()) -> ProcessFacts:
        """What is inside the process; every part Unsupported where the sidecar could not or would not look."""
        reply = self._ask(FactsRequest(key, tuple(requests)))
        match reply:
            case FactsReply(facts=facts) if facts.key == key:
                return facts
            case Refusal(message=message, hint=hint):
                return unreadable_facts(key, message, hint)
            case _:
                return unreadable_facts(key, _ANOTHER, "use the same version of both")

    def memory(self, key: WorkerKey) -> ProcessMemory | Unsupported:
        """Which part of the process's memory is its own, or why the sidecar does not say. An older one, which would break off
        at a question that it does not know, is not asked."""
        known = self.hello()
        if isinstance(known, HelloReply) and "memory" not in known.capabilities:
            return Unsupported(f"the sidecar ({known.version}) does not count memory", "use the same version of both")
        reply = known if isinstance(known, Refusal) else _expect(self._ask(MemoryRequest(key)), MemoryReply)
        if isinstance(reply, Refusal):
            return Unsupported(reply.message, reply.hint)
        return reply.memory if reply.key == key else Unsupported(_ANOTHER, "use the same version of both")

    def hello(self) -> HelloReply | Refusal:
        """Version, verbs and missing privileges of the sidecar, or why it does not say."""
        return _expect(self._ask(Hello()), HelloReply)

    def cost(self) -> CostReply | Refusal:
        """CPU time and memory of the sidecar, or why it does not say."""
        return _expect(self._ask(CostRequest()), CostReply)

    def profile(self, key: WorkerKey, spec: ProfileSpec, end: threading.Event) -> Profile | Refusal:
        """Take a profile: blocks for about `spec.seconds`, while other questions are answered. `end` set: end it early
        with what was seen."""
        started = _expect(self._ask(ProfileRequest(key, spec)), ProfileStarted)
        if isinstance(started, Refusal):
            return started
        until = time.monotonic() + spec.seconds + LATE_SECONDS
        silent_until = time.monotonic() + SILENT_SECONDS
        parts: list[bytes] = []
        while time.monotonic() < until:
            match self._ask(ProfilePoll(started.id, len(parts), end.is_set())):
                case ProfilePart(id=started.id, data=data, parts=count):
                    parts.append(data)
                    if len(parts) == count:
                        return _decoded(b"".join(parts), key)
                case ProfilePending():
                    silent_until = time.monotonic() + SILENT_SECONDS
                    _pause(end)
                case Refusal(key="sidecar.unavailable") if time.monotonic() < silent_until and not end.is_set():
                    _pause(end)  # it may be busy with another question; the profile goes on
                case Refusal() as refusal:
                    return refusal
                case _:
                    break
        return _unavailable("the sidecar did not finish the profile")

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _ask(self, request: Request) -> Reply:
        """The reply, or a Refusal of our own. A connection that broke since the last question is made anew once."""
        until = time.monotonic() + self._deadline_seconds
        if not self._lock.acquire(timeout=self._deadline_seconds):
            return _unavailable("the sidecar is busy")
        try:
            fresh = self._connection is None
            try:
                return self._exchange(request, until)
            except ConnectionError:
                self._drop()
                if fresh:
                    raise
            return self._exchange(request, until)
        except TimeoutError:
            self._drop()  # its late answer must not be taken for that to the next question
            return _unavailable(f"the sidecar did not answer within {self._deadline_seconds:g} s")
        except BadFrame as problem:
            self._drop()
            return _unavailable(f"the sidecar broke the protocol: {problem}")
        except OSError as error:
            self._drop()
            return _unavailable(f"the sidecar cannot be reached: {error.strerror or error}")
        finally:
            self._lock.release()

    def _exchange(self, request: Request, until: float) -> Reply:
        if self._connection is None:
            self._connection = self._connect()
        stream = Deadline(self._connection, until)
        try:
            stream.send(to_frame(request))
        except BrokenPipeError:
            pass  # it may have said why before it hung up
        body = receive(stream)
        if body is None:
            raise ConnectionResetError(None, "it ended the connection")
        return to_reply(body)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Deadline:
    """A socket whose sends and receives all end by one moment. Raises TimeoutError after it, once what is there was taken:
    who was suspended meanwhile (a paused container, a moved machine) is late, and the other side is not."""

    def __init__(self, stream: socket.socket, until: float) -> None:
        self._stream = stream
        self._until = until
        self._late = False

    def send(self, data: bytes) -> None:
        self._wait()
        self._stream.sendall(data)

    def recv(self, count: int) -> bytes:
        self._wait()
        return self._stream.recv(count)

    def _wait(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            if self._late:
                raise TimeoutError
            self._late, left = True, GRACE_SECONDS
        self._stream.settimeout(left)


def _unavailable(message: str) -> Refusal:
    return Refusal(key="sidecar.unavailable", message=message, hint=_HINT)


def _pause(end: threading.Event) -> None:
    if end.is_set():
        time.sleep(POLL_SECONDS)
    else:
        end.wait(POLL_SECONDS)


def _decoded(body: bytes, key: WorkerKey) -> Profile | Refusal:
    try:
        profile = msgspec.json.decode(body, type=Profile)
    except msgspec.DecodeError as error:
        return _unavailable(f"the sidecar sent no profile: {error}")
    return profile if profile.key == key else _unavailable("the sidecar sent the profile of another process")


def _expect(reply: Reply, kind: type[Expected]) -> Expected | Refusal:
    if isinstance(reply, (kind, Refusal)):
        return reply
    return _unavailable(_ANOTHER)
