"""Profiles that people ask the agent for, while it runs."""

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from advisor.profiling.request import ProfileRequest, ProfileState
from agent.profiling.access import NotStarted
from agent.profiling.keeping import Whose, new_id
from agent.profiling.profiler import Keep, Take
from agent.profiling.requested import AT_ONCE, take_requested
from collectors.entities import Service, WorkerKey
from collectors.profiles.profile import Missing, Profile, ProfileSpec
from collectors.profiles.rates import affordable_blocking_hertz

log = logging.getLogger("nodewright.profiling")

REMEMBERED = 50
HELD = 4
"""Finished profiles that are held whole, as where they cannot be stored; older ones are in the store only."""


class Requests:
    """Begins profiles and says how far each is. Any thread may call it."""

    def __init__(
        self, take: Take, keep: Keep, services: Callable[[], Sequence[Service]], spent: Callable[[Profile], None],
        *, enabled: bool = True,
    ) -> None:  # fmt: skip
        """`keep` returns when the profile is stored; `spent` is told of each process's profile, for the accounts."""
        self._take = take
        self._keep = keep
        self._services = services
        self._spent = spent
        self._enabled = enabled
        self._lock = threading.Lock()
        self._states: OrderedDict[str, ProfileState] = OrderedDict()
        self._running: dict[str, tuple[threading.Thread, frozenset[WorkerKey]]] = {}
        self._end = threading.Event()

    def start(self, asked: ProfileRequest) -> ProfileState:
        """The state `running`, with a new id. Raises NotStarted."""
        if not self._enabled:
            raise NotStarted("off", "profiling is switched off", "set profiling.enabled = true")
        whose = self._targets(asked.target)
        rounds = -(-len(whose) // AT_ONCE)
        state = ProfileState(
            id=new_id(), state="running", target=str(asked.target), at_unix_seconds=time.time(),
            seconds=asked.seconds * rounds,
        )  # fmt: skip
        keys = frozenset(one.key for one in whose)
        thread = threading.Thread(target=self._run, args=(state, asked, whose), name="requested", daemon=True)
        with self._lock:
            others = [them for _, them in self._running.values()]
            if any(keys & them for them in others):
                raise NotStarted("busy", f"{asked.target} is being profiled", "ask again when that is done")
            if sum(min(AT_ONCE, len(them)) for them in (*others, keys)) > AT_ONCE:
                raise NotStarted("busy", f"{AT_ONCE} processes are being profiled", "ask again when that is done")
            self._running[state.id] = thread, keys
            self._states[state.id] = state
            finished = [known.id for known in self._states.values() if known.state != "running"]
            for identity in finished[: max(0, len(self._states) - REMEMBERED)]:
                del self._states[identity]
        thread.start()
        return state

    def state(self, identity: str) -> ProfileState | None:
        with self._lock:
            return self._states.get(identity)

    def end(self) -> None:
        """Tell what runs to end with what was seen so far; waits for nothing."""
        self._end.set()

    def stop(self, timeout_seconds: float) -> None:
        """The same, and wait until that is kept, as far as the time allows."""
        self.end()
        until = time.monotonic() + timeout_seconds
        with self._lock:
            running = [thread for thread, _ in self._running.values()]
        for thread in running:
            thread.join(max(0.0, until - time.monotonic()))

    def _targets(self, target: int | str) -> list[Whose]:
        services = self._services()
        numbered = isinstance(target, int) or (target.isascii() and target.isdigit() and len(target) <= 18)
        pid = int(target) if numbered else None
        for service in services:
            if pid is not None:
                found = [worker for worker in service.workers if worker.pid == pid]
            else:
                found = list(service.serving) if service.name == target else []
            if found:
                return [Whose.of(service, worker.key) for worker in found]
        known = ", ".join(service.name for service in services) or "none runs"
        what = f"process {pid} of a service" if pid is not None else f"service {target!r}"
        raise NotStarted("unknown", f"there is no {what}", f"services: {known}")

    def _run(self, state: ProfileState, asked: ProfileRequest, whose: list[Whose]) -> None:
        spec = ProfileSpec(
            kind="blocking" if asked.native else "burst", seconds=asked.seconds,
            hertz=min(asked.hertz, _bearable_hertz(whose)) if asked.native else asked.hertz, native=True, idle=asked.idle,
            gil=asked.gil,
        )  # fmt: skip
        try:
            result, profiles = take_requested(whose, spec, self._take, self._end, state.id)
            for profile in profiles:
                self._spent(profile)
            if isinstance(result, Missing):
                self._put(msgspec.structs.replace(state, state="failed", reason=result.reason, hint=result.hint))
                return
            self._keep(result)
            self._put(msgspec.structs.replace(state, state="done", profile=result))
        except Exception as error:
            log.exception("a profile that was asked for failed")
            self._put(msgspec.structs.replace(state, state="failed", reason=f"a fault of nodewright: {error}",
                                              hint="see its log"))  # fmt: skip

    def _put(self, state: ProfileState) -> None:
        """Its last word, by which there is room for another."""
        with self._lock:
            self._running.pop(state.id, None)
            self._states[state.id] = state
            whole = [known for known in self._states.values() if known.profile is not None]
            for known in whole[: max(0, len(whole) - HELD)]:
                self._states[known.id] = msgspec.structs.replace(known, profile=None)


def _bearable_hertz(whose: Sequence[Whose]) -> int:
    """Blocking looks a second that hold none of the processes still for more than a small part of the time: nobody was
    told here what more would cost, as the command line does."""
    return affordable_blocking_hertz(max(map(_threads, whose), default=1))


def _threads(one: Whose) -> int:
    try:
        return len(os.listdir(f"/proc/{one.key.pid}/task"))
    except OSError:
        return 1
