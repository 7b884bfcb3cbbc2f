"""Is a service so much as it was when it was judged last that judging it again would say the same?

Most services of a node do for hours what they did a moment ago. Their numbers are compared as they come, without the work of
a view; where one has moved by more than noise, or anything about the service has changed, it is judged anew.
"""

from collections.abc import Mapping, Sequence
from zlib import crc32

import msgspec

from advisor.engine import Judgement
from advisor.gist import Gist
from advisor.view import View
from collectors.entities import Service
from collectors.reading import Instant

LONGEST_SECONDS = 30.0
"""A judgement is not carried on for longer: a usual window."""
MOVED_RATIO = 0.04
MOVED_COARSELY = 0.25
"""Of what moves by itself from one window to the next: how often it is put on a CPU, what single models do."""
MOVED_CORES = 0.02


class _Kept(msgspec.Struct, frozen=True):
    gist: Gist
    at: Instant
    view: View
    judgement: Judgement


class Steady:
    """The last judgement of each service, and when it may be carried on. One thread uses it."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def carried(self, service: Service, gist: Gist | None, now: Instant) -> tuple[View, Judgement] | None:
        """The last view and judgement, where they still hold."""
        kept = self._kept.get(service.id)
        if kept is None or gist is None or not _alike(kept.gist, gist):
            return None
        if now.mono_ns < kept.at.mono_ns or _turn(service, now) != _turn(service, kept.at):
            return None
        return kept.view, kept.judgement

    def keep(self, service: Service, gist: Gist | None, view: View, judgement: Judgement, now: Instant) -> None:
        if gist is not None:
            self._kept[service.id] = _Kept(gist, now, view, judgement)

    def keep_only(self, services: Mapping[str, object]) -> None:
        for name in self._kept.keys() - services.keys():
            del self._kept[name]


def _turn(service: Service, at: Instant) -> int:
    """Spread over passes, so that not all services are due in the same one."""
    phase = crc32(service.id.encode()) / (1 << 32)
    return int(at.mono_ns * 1e-9 / LONGEST_SECONDS + phase)


def _alike(before: Gist, now: Gist) -> bool:
    if before.exact != now.exact or any(a is not b for a, b in zip(before.same, now.same, strict=True)):
        return False
    return _near(before.numbers, now.numbers, MOVED_RATIO) and _near(before.coarse, now.coarse, MOVED_COARSELY)


def _near(before: Sequence[float], now: Sequence[float], ratio: float) -> bool:
    if len(before) != len(now):
        return False
    for a, b in zip(before, now, strict=True):
        if a != b and (moved := abs(a - b)) > MOVED_CORES and moved > ratio * abs(a):  # most are nothing, and stay it
            return False
    return True
