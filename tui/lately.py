"""Is it time to ask again for what changes more slowly than the picture?"""

from datetime import datetime

EVERY_SECONDS = 5.0


class Lately:
    """When something was last asked for, by the moment that the picture is of: of a recording that stands still it is asked
    once, and anew after a jump in either direction."""

    def __init__(self, every_seconds: float = EVERY_SECONDS) -> None:
        self._every_seconds = every_seconds
        self._at: datetime | None = None

    def due(self, at: str) -> bool:
        """Whether to ask now, with a picture of `at` (ISO 8601); it counts as asked then."""
        try:
            now = datetime.fromisoformat(at)
        except ValueError:  # a moment that nobody can read is as good as none
            return True
        before, apart = self._at, self._every_seconds
        try:
            apart = abs((now - before).total_seconds()) if before is not None else apart
        except TypeError:  # one of them has no zone
            pass
        if apart < self._every_seconds:
            return False
        self._at = now
        return True

    def forget(self) -> None:
        """The next picture is a reason to ask."""
        self._at = None
