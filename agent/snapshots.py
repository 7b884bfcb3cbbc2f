"""What does the interface say of a recording at the moment up to which it has been played?"""

import msgspec

from advisor.documents import Snapshot
from agent.played import Played
from agent.self_cost import SelfCost
from agent.service_documents import documents_of
from agent.status import NodePicture
from nodewright import __version__


class Snapshots:
    """Takes snapshots of a recording that plays. Cores and pressure are of the time since the one before, as in a running
    agent."""

    def __init__(self, played: Played) -> None:
        self._played = played
        self._node = NodePicture(played.judging.document((), played.now).node, played.topology)
        self._cost = SelfCost(__version__)

    def take(self, generation: int) -> Snapshot:
        played, judging = self._played, self._played.judging
        advice, latest = played.advice, played.latest
        collectors = latest.collectors()
        found = documents_of(played.services, judging, advice)
        return Snapshot(
            migrations=judging.migrations.known(played.services),
            generation=generation,
            node=self._node.take(
                latest.samples(), collectors, played.now, judging.gpus(), played.services, price=judging.price
            ),
            services=found.services,
            workers=found.workers,
            models=found.models,
            self_status=msgspec.structs.replace(self._cost.status(played.beat, 1.0, collectors), replayed=True),
            advice=advice,
            threads=found.threads,
        )
