"""What is told, tick by tick, to whoever looks on while a node is watched?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from advisor.documents import AdviceDocument
from agent.config import Config
from collectors.entities import Service
from collectors.facts import Facts
from collectors.reading import Instant, Reading

if TYPE_CHECKING:
    from agent.assembly import Watch


class Witness:
    """Does nothing by itself. Every method is called in the thread that samples, and must not block for long."""

    def begins(self, watch: "Watch") -> None:
        """Before the first tick."""

    def learnt(self, services: Sequence[Service], facts: Facts) -> None:
        """The services, or what is known of their processes, are others from this tick on."""

    def reconfigured(self, config: Config) -> None:
        """Other settings hold from this tick on."""

    def took(self, reading: Reading) -> None:
        """A reading was taken into the history."""

    def ticked(self, now: Instant) -> None:
        """The tick has ended; the judgement that may follow is of this instant too."""

    def judged(self, now: Instant, advice: AdviceDocument) -> None:
        """The rules have judged, and this is what is said now."""

    def ended(self, now: Instant, judged: bool) -> None:
        """All that belongs to the tick is done; `judged`: the rules have judged in it."""
