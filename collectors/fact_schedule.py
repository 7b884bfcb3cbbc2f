"""Into which processes is a look worth its cost now?

Libraries and sockets come late in a server's start, so its processes are looked at again at certain ages. Python
processes of no service are looked at too, a few times: one of them may be a server without a framework.
"""

from collections.abc import Iterable, Sequence
from math import inf

from collectors.entities import WorkerKey
from collectors.process_table import SECOND_NS, Entry

SERVICE_AGES_SECONDS = (0, 5, 15, 30, 300)
CANDIDATE_AGES_SECONDS = (5, 30, 300)
CANDIDATES = 32
ASK_AGAIN_NS = 15 * SECOND_NS


class FactSchedule:
    """Remembers when the next look into each process is due. One thread uses it."""

    def __init__(self) -> None:
        self._due_ns: dict[WorkerKey, float] = {}
        self._candidates: set[WorkerKey] = set()

    def wanted(self, members: Iterable[Entry], candidates: Iterable[Entry], now_ns: int) -> list[Entry]:
        """Processes of services, then candidates, whose time has come; each is named once, and again only if nothing
        was learnt for a while."""
        found = [entry for entry in members if self._due(entry, SERVICE_AGES_SECONDS, now_ns)]
        for entry in candidates:
            if entry.key not in self._candidates:
                if len(self._candidates) >= CANDIDATES:
                    continue
                self._candidates.add(entry.key)
            if self._due(entry, CANDIDATE_AGES_SECONDS, now_ns):
                found.append(entry)
        return found

    def _due(self, entry: Entry, ages: Sequence[int], now_ns: int) -> bool:
        due = self._due_ns.get(entry.key)
        if due is None:
            due = self._due_ns[entry.key] = entry.born_ns + ages[0] * SECOND_NS
        if now_ns < due:
            return False
        self._due_ns[entry.key] = now_ns + ASK_AGAIN_NS
        return True

    def learnt(self, entry: Entry, now_ns: int) -> None:
        """An answer came: the next look is due at the first age that the process has not reached yet."""
        ages = CANDIDATE_AGES_SECONDS if entry.key in self._candidates else SERVICE_AGES_SECONDS
        times = (entry.born_ns + age * SECOND_NS for age in ages)
        self._due_ns[entry.key] = next((time for time in times if time > now_ns), inf)

    def forget(self, key: WorkerKey) -> None:
        self._due_ns.pop(key, None)
        self._candidates.discard(key)
