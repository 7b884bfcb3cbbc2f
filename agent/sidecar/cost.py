"""What does the sidecar cost, without making the sampler wait for its answer?"""

import threading
import time

from agent.child_process import cost_of
from agent.sidecar.protocol import CostReply
from agent.sidecar.supervisor import SidecarProcess, SidecarState

RENEW_SECONDS = 10.0


class SidecarMeter:
    """State, CPU seconds and resident bytes of the sidecar; the last two None where they are not known.

    A child is read from /proc, a sidecar of its own unit is asked in a thread of its own.
    """

    def __init__(self, sidecar: SidecarProcess | None) -> None:
        self._sidecar = sidecar
        self._at = 0.0
        self._cost: tuple[float | None, int | None] = (None, None)
        self._asking = threading.Lock()

    def read(self) -> tuple[SidecarState, float | None, int | None]:
        if self._sidecar is None:
            return ("off", None, None)
        now = time.monotonic()
        if now - self._at >= RENEW_SECONDS:
            self._at = now
            pid = self._sidecar.pid
            if pid is not None:
                self._cost = cost_of(pid)
            elif self._sidecar.state == "running" and self._asking.acquire(blocking=False):
                threading.Thread(target=self._ask, name="sidecar-cost", daemon=True).start()
        return (self._sidecar.state, *self._cost)

    def _ask(self) -> None:
        try:
            reply = self._sidecar.client.cost() if self._sidecar else None
            if isinstance(reply, CostReply):
                self._cost = (reply.cpu_seconds, reply.resident_bytes)
        finally:
            self._asking.release()
