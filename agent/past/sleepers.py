"""What were the threads like of which no row was stored, as they slept?"""

from collections.abc import Iterable

import msgspec

from advisor.history import History
from collectors.collector import all_collectors
from collectors.reading import Ok, Reading
from collectors.sample import Sample
from collectors.sources.threads import ThreadSample


class Sleepers:
    """Gives each reading of threads those that slept, as the collector itself does: with what was read of them last."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._last: dict[str, Sample] = {}
        self._awake: frozenset[str] = frozenset()
        self._collectors = {c.name for c in all_collectors() if any(kind.tier == "notable" for kind in c.samples)}

    def know(self, samples: Iterable[Sample], *, all_of_them: bool) -> None:
        """What was kept of those that slept; `all_of_them`: there are no others but those that ran lately."""
        if all_of_them:
            self._last = {name: self._last[name] for name in self._awake & self._last.keys()}
        for sample in samples:
            self._last[sample.entity] = sample
            self._rebase(sample)

    def keep_only(self, workers: frozenset[str]) -> None:
        """Those of processes that are gone are gone, too."""
        self._last = {name: one for name, one in self._last.items() if getattr(one, "worker", None) in workers}

    def joined(self, reading: Reading) -> Reading:
        """The reading with those that slept."""
        if reading.collector not in self._collectors or not isinstance(reading.outcome, Ok):
            return reading
        present = {sample.entity: sample for sample in reading.samples if sample.tier == "notable"}
        for name in self._awake - present.keys():
            if isinstance(one := self._last.get(name), ThreadSample):  # how it is while it sleeps is not kept
                self._last[name] = msgspec.structs.replace(one, state=None, busy=0)
        self._last |= present
        self._awake = frozenset(name for name, one in present.items() if one.notable)
        for name in present.keys() - self._awake:  # it runs in the next one, and its counters grew from here
            self._rebase(present[name])
        others = (sample for sample in reading.samples if sample.tier != "notable")
        return msgspec.structs.replace(reading, outcome=Ok((*self._last.values(), *others)))

    def _rebase(self, sample: Sample) -> None:
        if isinstance(sample, ThreadSample):
            self._history.rebase(sample)
