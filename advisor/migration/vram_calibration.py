"""By how much does what models of a kind hold of a device differ from what is predicted of them?

Kinds are those of which estimators are known to be wrong in the same way: runtime, architecture, type of the weights. Of each
service with such a model on a device the newest ratio is kept, observed / predicted; predictions of the same kind are
multiplied by their median. Published errors run both ways: 0.07 and 4.4 times the prediction.
"""

from collections.abc import Iterable
from math import exp, log
from statistics import median

import msgspec

MOST_ENTRIES = 48
MOST_SERVICES = 15
"""Of one entry; the one that was seen to move longest ago makes room."""
PLAUSIBLE = (0.2, 5.0)
"""Beyond it something else is in that memory, or not all of the model is."""
MOVED = 0.02
"""A ratio that moved by less, as a logarithm, is no news."""
LEAST_TO_LOWER = 3
"""A prediction is raised for what one service holds, lowered for what so many do: too little memory is the worse mistake."""


class Key(msgspec.Struct, frozen=True):
    """What holds a model, what it is, and of what type its weights are."""

    runtime: str
    architecture: str
    dtype: str

    @property
    def name(self) -> str:
        return f"{self.runtime}, {self.architecture}, {self.dtype}"


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """`ratios`: of each service (its id), natural logarithm of observed / predicted, the newest last. `turn`: the higher, the
    later it was seen to move."""

    key: Key
    ratios: tuple[tuple[str, float], ...]
    turn: int

    @property
    def count(self) -> int:
        return len(self.ratios)

    @property
    def last(self) -> float:
        return self.ratios[-1][1]

    @property
    def median(self) -> float:
        return median(ratio for _, ratio in self.ratios)


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What predictions of one kind are multiplied by, after what so many services hold."""

    ratio: float
    services: int

    def told(self, key: Key) -> str:
        count = "1 service" if self.services == 1 else f"{self.services} services"
        return f"memory: observed {self.ratio:.2f} × the prediction in {count} ({key.name})"


class VramCalibration:
    """Some dozens of entries; the one that moved longest ago makes room for another. One thread uses it."""

    def __init__(self) -> None:
        self._entries: dict[Key, Observed] = {}
        self.corrections: dict[Key, Correction] = {}
        """Another object as soon as one of them differs."""

    @property
    def entries(self) -> tuple[Observed, ...]:
        return tuple(self._entries.values())

    def recall(self, kept: Iterable[Observed]) -> None:
        """What was known before a restart of the agent."""
        for one in sorted(kept, key=lambda one: one.turn):
            plausible = tuple((name, ratio) for name, ratio in one.ratios if _plausible(exp(min(9.0, ratio))))
            if plausible:
                self._entries[one.key] = msgspec.structs.replace(one, ratios=plausible[-MOST_SERVICES:])
        self._bound()

    def learn(self, key: Key, service: str, ratio: float) -> None:
        """What a service holds / what was predicted of it."""
        if not _plausible(ratio):
            return
        known, now = self._entries.get(key), log(ratio)
        before = dict(known.ratios).get(service) if known is not None else None
        if before is not None and abs(now - before) < MOVED:
            return
        others = () if known is None else tuple(one for one in known.ratios if one[0] != service)
        turn = 1 + max((one.turn for one in self._entries.values()), default=0)
        self._entries[key] = Observed(key=key, ratios=(*others, (service, round(now, 4)))[-MOST_SERVICES:], turn=turn)
        self._bound()

    def restart(self, service: str) -> None:
        """Its configuration is another one: what it held says no more."""
        for key, one in list(self._entries.items()):
            left = tuple(seen for seen in one.ratios if seen[0] != service)
            if not left:
                del self._entries[key]
            elif len(left) < one.count:
                self._entries[key] = msgspec.structs.replace(one, ratios=left)
        self._bound()

    def correction(self, key: Key | None) -> Correction | None:
        return None if key is None else self.corrections.get(key)

    def _bound(self) -> None:
        for key in sorted(self._entries, key=lambda key: self._entries[key].turn)[:-MOST_ENTRIES]:
            del self._entries[key]
        found = {key: given for key, one in self._entries.items() if (given := _correction(one)) is not None}
        if found != self.corrections:
            self.corrections = found


def _plausible(ratio: float) -> bool:
    return PLAUSIBLE[0] <= ratio <= PLAUSIBLE[1]


def _correction(one: Observed) -> Correction | None:
    if one.median < 0 and one.count < LEAST_TO_LOWER:
        return None
    return Correction(ratio=exp(one.median), services=one.count)
