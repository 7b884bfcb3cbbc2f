"""How does the sidecar serve several connections in one thread, and whom does it answer?"""

import logging
import selectors
import socket
import struct
from collections.abc import Callable

from agent.framing import HEADER_BYTES, BadFrame, frame_bytes
from agent.sidecar.protocol import Refusal, Reply, Request, to_frame, to_request

log = logging.getLogger("nodewright.sidecar")

CONNECTIONS_LIMIT = 8
SEND_SECONDS = 2.0
COMPLAINTS_LIMIT = 50
"""Refused peers and broken frames that are logged: nobody fills the log with them."""
_CHUNK_BYTES = 65536
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class Connection:
    """One agent: its socket and what of the next frame has come."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.received = bytearray()

    def take_frame(self) -> bytes | None:
        """The body of the next whole frame, if it is there. Raises BadFrame for one that is too long."""
        if len(self.received) < HEADER_BYTES:
            return None
        end = HEADER_BYTES + frame_bytes(self.received)
        if len(self.received) < end:
            return None
        body = bytes(self.received[HEADER_BYTES:end])
        del self.received[:end]
        return body

    def send(self, reply: Reply) -> None:
        """Raises OSError if the other side does not take it within `SEND_SECONDS`."""
        self.stream.settimeout(SEND_SECONDS)
        self.stream.sendall(to_frame(reply))
        self.stream.settimeout(0)


class Server:
    """Answers requests of peers whose uid is allowed until it is stopped, or until nobody can ask any more."""

    def __init__(self, answer: Callable[[Request], Reply], allowed_uids: frozenset[int]) -> None:
        self._answer = answer
        self._allowed_uids = allowed_uids
        self._selector = selectors.DefaultSelector()
        self._connections: dict[socket.socket, Connection] = {}
        self._stopped = False
        self._complaints = 0
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, self._wake_up)

    def listen_on(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))

    def talk_on(self, stream: socket.socket) -> None:
        """Serve a connected socket, or refuse its peer."""
        uid = peer_uid(stream)
        if uid not in self._allowed_uids:
            self._complain(f"a connection of uid {uid} was refused")
            _refuse(stream, "sidecar.peer-refused", "this user may not ask", "run the sidecar with --allow-uid UID")
            return
        if len(self._connections) >= CONNECTIONS_LIMIT:
            _refuse(stream, "sidecar.busy", "too many connections", "close the others")
            return
        stream.setblocking(False)
        connection = self._connections[stream] = Connection(stream)
        self._selector.register(stream, selectors.EVENT_READ, lambda: self._serve(connection))

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler."""
        self._stopped = True
        try:
            self._wake.send(b"\0")
        except OSError:  # it is closed already: a second signal
            pass

    def run(self, alive: Callable[[], None] = lambda: None, every_seconds: float | None = None) -> None:
        """`alive` is called between questions, at least every `every_seconds`."""
        while not self._stopped and len(self._selector.get_map()) > 1:
            alive()
            for key, _ in self._selector.select(every_seconds):
                key.data()

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        self._wake.close()

    def _wake_up(self) -> None:
        self._woken.recv(1)

    def _accept(self, listener: socket.socket) -> None:
        try:
            stream, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.talk_on(stream)

    def _serve(self, connection: Connection) -> None:
        """Answer what has come. A broken frame is answered, and then its connection is given up: where the next one
        begins cannot be told."""
        try:
            chunk = connection.stream.recv(_CHUNK_BYTES)
            connection.received += chunk
            while (body := connection.take_frame()) is not None:
                connection.send(self._reply(to_request(body)))
        except BlockingIOError:
            return
        except BadFrame as problem:
            self._give_up(connection, problem)
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._forget(connection)

    def _reply(self, request: Request) -> Reply:
        try:
            reply = self._answer(request)
        except Exception:  # one question's fault must not end the answers to all others
            log.exception("a question could not be answered")
            return Refusal(key="sidecar.fault", message="the sidecar failed on this question", hint="see its log")
        try:
            to_frame(reply)
        except BadFrame as problem:
            return Refusal(key="sidecar.too-long", message=str(problem), hint="ask for fewer settings files")
        return reply

    def _complain(self, text: str) -> None:
        self._complaints += 1
        if self._complaints <= COMPLAINTS_LIMIT:
            log.warning("%s", text)

    def _give_up(self, connection: Connection, problem: BadFrame) -> None:
        self._complain(f"a peer broke the protocol: {str(problem)[:200]}")
        try:
            connection.send(Refusal(key="sidecar.bad-frame", message=str(problem), hint="use the same version of both"))
        except OSError:
            pass
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        del self._connections[connection.stream]
        self._selector.unregister(connection.stream)
        connection.stream.close()


def peer_uid(stream: socket.socket) -> int:
    """The uid of the process that connected, or that made the pair: the kernel's word, not the peer's."""
    raw = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


def _refuse(stream: socket.socket, key: str, message: str, hint: str) -> None:
    with stream:
        try:
            stream.setblocking(False)
            stream.send(to_frame(Refusal(key=key, message=message, hint=hint)))
        except OSError:
            pass
