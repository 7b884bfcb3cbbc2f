"""Which moments has a running agent stored, as far as they are needed here?"""

from collections.abc import Callable, Sequence

from advisor.documents import Timeline
from tui.source import Source

PAGE_SECONDS = 3600


class Stored:
    """The moments of a running agent's store, asked for by the hour where somebody goes."""

    def __init__(self, source: Source, timeline: Timeline) -> None:
        self._source = source
        self._timeline = timeline
        self._pages: dict[int, Sequence[float]] = {}
        self._asked_at: dict[int, float] = {}
        """Of each page, the newest moment that was known when it was asked for: more may have come to it since."""

    @property
    def span(self) -> tuple[float, float]:
        """Its oldest and its newest moment, as told last (Unix seconds)."""
        stretches = self._timeline.stretches
        return stretches[0].first, stretches[-1].last

    def before(self, seconds: float) -> list[float]:
        """What is known of its moments before then, oldest first."""
        return [at for page in sorted(self._pages) for at in self._pages[page] if at < seconds]

    async def look_around(self, at: float, until: float, newest: float) -> None:
        """Learn the moments of the hour of `at`, and those before and after it, also where they lie beyond a gap; from `until`
        on none is needed. `newest`: time of the newest picture. Raises Unreachable."""
        hour = at // PAGE_SECONDS
        edges = (
            at,
            self._beyond(hour * PAGE_SECONDS, earlier=True),
            self._beyond((hour + 1) * PAGE_SECONDS, earlier=False),
        )
        for page in sorted({int(edge // PAGE_SECONDS) for edge in edges if edge is not None}):
            if self._asked_at.get(page, -1.0) < min((page + 1) * PAGE_SECONDS, until):
                await self._ask(page, newest)

    def _beyond(self, edge: float, *, earlier: bool) -> float | None:
        """The nearest stored time before or after an instant."""
        inside = (one for one in self._timeline.stretches if (one.first < edge if earlier else one.last >= edge))
        found = [min(one.last, edge - 1) if earlier else max(one.first, edge) for one in inside]
        choose: Callable[[list[float]], float] = max if earlier else min
        return choose(found) if found else None

    async def _ask(self, page: int, newest: float) -> None:
        since = page * PAGE_SECONDS
        self._timeline = await self._source.get(f"timeline?since={since}&until={since + PAGE_SECONDS}", Timeline)
        self._pages[page], self._asked_at[page] = self._timeline.moments, newest
