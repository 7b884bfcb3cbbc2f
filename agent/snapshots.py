"""What does the interface say of a recording at the moment up to which it has been played?"""

from advisor.documents import Snapshot
from advisor.view import ThreadView
from agent.played import Played
from agent.self_cost import SelfCost
from agent.status import NodePicture, model_statuses, service_status, threads_of, worker_status
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
        statuses, workers, models = [], [], []
        threads: dict[int, tuple[ThreadView, ...]] = {}
        verdicts = {s.name: s.verdict for s in advice.services}
        for service in played.services:
            view, facts = judging.view(service), judging.facts(service)
            statuses.append(service_status(service, view, facts, verdicts[service.name]))
            models += model_statuses(service, view)
            workers += [worker_status(w, view, facts) for w in service.workers]
            threads |= threads_of(view)
        return Snapshot(
            migrations=judging.migrations.known(played.services),
            generation=generation,
            node=self._node.take(latest.samples(), collectors, played.now, judging.gpus(), played.services),
            services=tuple(statuses),
            workers=tuple(workers),
            models=tuple(models),
            self_status=self._cost.status(played.beat, 1.0, collectors),
            advice=advice,
            threads=threads,
        )
