"""What became of one request?"""

from dataclasses import dataclass

DROPPED = "dropped"
"""Never sent: as many as allowed were under way when it was due."""
TIMEOUT = "timeout"


@dataclass(slots=True)
class Outcome:
    """Instants in seconds after the begin of the step. `ended` None: it is still under way, or was never sent."""

    planned: float
    sent: float | None = None
    ended: float | None = None
    failure: str | None = None
    """Why it counts as not answered: `dropped`, `timeout`, `HTTP 503`, ...; None while under way, and where it was answered."""
    first_token: float | None = None
    """When the first piece of a streamed answer with content came."""
    last_token: float | None = None
    tokens: int = 0
    """Pieces with content; the known servers send one a token."""

    @property
    def answered(self) -> bool:
        return self.ended is not None and self.failure is None

    def latency(self, now: float) -> float:
        """Seconds from the planned instant to the end, or to `now` where it has not ended: the wait for a server that stalls
        is never left out."""
        return (now if self.ended is None else self.ended) - self.planned
