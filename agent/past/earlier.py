"""What was known of services and devices from longer before a moment than its ticks are played?"""

from collections.abc import Sequence

from advisor.history import History
from advisor.trend import FIELDS, Rows
from agent.gpu_history import last_week
from agent.judging import Judging
from agent.store.reader import StoreReader
from agent.trend_history import last_days
from collectors.entities import Service

_GENERATION = FIELDS.index("generation")


class Earlier:
    """Gives what the agent had in its memory at that time, from its minutes and hours in the store. `began`: start of its run
    (Unix seconds)."""

    def __init__(self, reader: StoreReader, history: History, judging: Judging, began: float) -> None:
        self._reader = reader
        self._history = history
        self._judging = judging
        self._began = began
        self._minutes: dict[str, Rows] = {}
        """Of services, those of this run."""

    def resume(self, service: Service, at: float) -> None:
        """A service that is there when the play begins: as if it had been watched all the time."""
        minutes, hours = last_days(self._reader, service.id, at)
        until, since = ([row for row in minutes if row[0] <= at], [row for row in hours if row[0] <= at])
        track = self._history.tracks.service(f"service:{service.id}")
        track.trend.restore(until, since, self._began)
        self._minutes[service.id] = [row for row in minutes if row[0] > self._began]
        own = [values for end, values in (*since, *until) if end > self._began]
        self._judging.resume(service, _generation(own[-1]) if own else 0)

    def appeared(self, service: Service, at: float) -> None:
        """A service that comes later: as in a running agent."""
        minutes, hours = last_days(self._reader, service.id, at)
        until, since = ([row for row in minutes if row[0] <= at], [row for row in hours if row[0] <= at])
        self._history.tracks.restored.append((f"service:{service.id}", until, since))

    def catch_up(self, service: Service, at: float) -> None:
        """While nothing is judged: what its minutes say of levers that were changed until then."""
        known = [values for end, values in self._minutes.get(service.id, ()) if end <= at]
        for _ in range(self._judging.generation(service), _generation(known[-1]) if known else 0):
            self._judging.restart(service)

    def device(self, uuid: str, at: float) -> None:
        entity = f"gpu:{uuid}"
        self._history.tracks.gpus.restored.append((entity, last_week(self._reader, entity, at)))


def _generation(values: Sequence[float | None]) -> int:
    return int(values[_GENERATION] or 0)
