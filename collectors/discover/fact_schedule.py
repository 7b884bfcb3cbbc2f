"""Into which processes is a look worth its cost now?

Libraries and sockets come late in a server's start, so its processes are looked at again at certain ages. Python
processes of no service are looked at too, a few times: one of them may be a server without a framework. They take turns,
and of those that are alike a few stand for all.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import inf

from collectors.discover.process_table import SECOND_NS, Entry
from collectors.entities import WorkerKey

SERVICE_AGES_SECONDS = (0, 5, 15, 30, 300)
CANDIDATE_AGES_SECONDS = (5, 30, 300)
CANDIDATES_AT_ONCE = 4
CANDIDATES_ALIKE = 2
"""Children of one parent with one command line: where one of them serves, the others are told by their parent."""
ASK_AGAIN_NS = 15 * SECOND_NS


_Kin = tuple[int, tuple[str, ...]]


class FactSchedule:
    """Remembers when the next look into each process is due. One thread uses it."""

    def __init__(self) -> None:
        self._due_ns: dict[WorkerKey, float] = {}
        self._candidates: dict[WorkerKey, _Kin] = {}
        self._alike: Counter[_Kin] = Counter()
        self._since_ns: dict[WorkerKey, int] = {}
        """Where the ages of a process do not count from its birth."""

    def wanted(self, members: Iterable[Entry], candidates: Iterable[Entry], now_ns: int) -> list[Entry]:
        """Processes of services, then candidates, whose time has come; each is named once, and again only if nothing
        was learnt for a while."""
        found = [entry for entry in members if self._due(entry, SERVICE_AGES_SECONDS, now_ns)]
        turns = CANDIDATES_AT_ONCE
        for entry in candidates:
            if self._is_candidate(entry) and self._due(entry, CANDIDATE_AGES_SECONDS, now_ns):
                found.append(entry)
                turns -= 1
                if not turns:
                    break
        return found

    def _is_candidate(self, entry: Entry) -> bool:
        if entry.key in self._candidates:
            return True
        kin = (entry.process.ppid, entry.process.argv)
        if self._alike[kin] >= CANDIDATES_ALIKE:
            return False
        self._candidates[entry.key] = kin
        self._alike[kin] += 1
        return True

    def _due(self, entry: Entry, ages: Sequence[int], now_ns: int) -> bool:
        due = self._due_ns.get(entry.key)
        if due is None:
            due = self._due_ns[entry.key] = self._since_ns.get(entry.key, entry.born_ns) + ages[0] * SECOND_NS
        if now_ns < due:
            return False
        self._due_ns[entry.key] = now_ns + ASK_AGAIN_NS
        return True

    def learnt(self, entry: Entry, now_ns: int) -> None:
        """An answer came: the next look is due at the first age that the process has not reached yet."""
        ages = CANDIDATE_AGES_SECONDS if entry.key in self._candidates else SERVICE_AGES_SECONDS
        since_ns = self._since_ns.get(entry.key, entry.born_ns)
        times = (since_ns + age * SECOND_NS for age in ages)
        self._due_ns[entry.key] = next((time for time in times if time > now_ns), inf)

    def again(self, key: WorkerKey, now_ns: int) -> None:
        """Something has changed for the process: look as if it had just been born."""
        self._since_ns[key] = now_ns
        self._due_ns.pop(key, None)

    def forget(self, key: WorkerKey) -> None:
        self._due_ns.pop(key, None)
        self._since_ns.pop(key, None)
        kin = self._candidates.pop(key, None)
        if kin is not None:
            self._alike[kin] -= 1
            if not self._alike[kin]:
                del self._alike[kin]
