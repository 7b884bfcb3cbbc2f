"""Does one of several equal workers hold the connections and the work, while the others idle?"""

from collections import Counter
from math import ceil, log, sqrt

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View, WorkerView, quantile
from collectors.facts import ProcessFacts
from collectors.levers import Lever

STOPS_ACCEPTING = frozenset({"gunicorn"})
"""Servers whose limit of requests in flight makes a worker leave new connections to the others; elsewhere what exceeds
it is answered with an error, which spreads nothing."""

SATURATED = 0.95
"""Busy share from which a worker has no time left."""


class AcceptImbalance(Rule):
    """Workers share a listening socket, and one of them has accepted most connections: it is saturated, others idle.

    What it looks for: the busiest worker at its limit and at 1.6 times the mean or more, with no more workers than cores,
    idle cores, nobody waiting to be accepted, and several workers that listen on the same socket.
    Why it matters: a connection that is kept alive stays with the worker that accepted it. Its requests queue there, and
    the service gets no more done than one worker can.
    What to do: let a worker accept fewer connections, put a balancer in front, or have clients renew their connections.
    More workers are the wrong answer: the new ones would idle too.
    When it is wrong: where there is only one client connection, which one worker has to serve; where one request keeps a
    worker busy for seconds; for workers with masks of their own, and where a front-end hands out the requests.
    """

    proven = ("built",)
    recovers = "cores"
    yields_to = (
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "cgroup-cpu-throttled",
        "cpu-oversubscribed-openmp",
        "thread-default-ignores-quota",
    )
    thresholds = {
        "busy_imbalance": Threshold(enter=1.6, leave=1.4, unit="ratio", doc="busiest worker / mean of the workers"),
        "busiest_worker": Threshold(enter=0.85, leave=0.75, unit="ratio", doc="runnable share of the busiest worker"),
        "idle_cores": Threshold(enter=0.5, leave=0.3, unit="cores", doc="usable cores that nobody uses"),
        "accept_queue": Threshold(
            enter=0.5, unit="connections", doc="median of connections waiting to be accepted, at most"
        ),
        "throttled_ratio": Threshold(enter=0.05, unit="ratio", doc="at most this share of periods throttled"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        workers, left = view.serving, min(view.effective_cores, float(len(view.mask)))
        count, connections = len(workers), view.established
        cores = min(view.pool_cores, float(len(view.mask)))
        if count < 2 or count > cores + 0.5 or (connections is not None and connections < 2):
            return None
        busy = [min(1.0, w.runnable) for w in workers]
        mean, most = sum(busy) / count, max(busy)
        if most < settings.limit("busiest_worker") or most < settings.limit("busy_imbalance") * mean:
            return None
        idle, queue = left - view.cores_used, quantile(view.accept_queue, 0.5)
        if idle < settings.limit("idle_cores") or (queue or 0.0) > settings.limit("accept_queue"):
            return None
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        if throttled > settings.limit("throttled_ratio") or len({w.allowed for w in workers if w.allowed}) > 1:
            return None
        sharing = _sharing(workers, facts, view.service.port)
        if sharing is None:
            text = "sockets of the workers: CAP_SYS_PTRACE for the sidecar, or the same user"
            return Need(kind="privilege", text=text)
        if sharing < 2:
            return None
        loaded = sum(1 for each in busy if each >= most / 2)
        return Conclusion(
            subject=subject_of(view),
            title=f"{loaded} of {count} workers do{'es' if loaded == 1 else ''} the work that all accept: "
            "spread the connections, do not add workers",
            summary=f"The busiest worker was busy {most:.0%} of the time, the mean worker {mean:.0%}, and {idle:.1f} of "
            f"{left:.1f} cores idled while nobody waited to be accepted. {self._connections(connections)} A balancer in "
            "front, or clients that renew their connections, spread them whatever the server.",
            confidence=self._confidence(view, most),
            evidence=(
                evidence(view, "busy_imbalance", "ratio", most / mean, settings.enter("busy_imbalance")),
                evidence(view, "busiest_worker", "ratio", most, settings.enter("busiest_worker")),
                evidence(view, "idle_cores", "cores", idle, settings.enter("idle_cores")),
                evidence(view, "accept_queue_p50", "connections", queue or 0.0, settings.enter("accept_queue")),
                evidence(view, "workers_on_one_socket", "workers", sharing, 2),
                evidence(view, "cores_used", "cores", view.cores_used),
                *asked(view),
            ),
            rejected=(
                Rejected("workers-below-cores-saturated", f"the least busy worker is busy {min(busy):.0%} of the time"),
                Rejected("gil-bound-worker", f"{count - loaded} workers with a lock of their own idle beside it"),
                Rejected("affinity-overlapping-pins", "all workers have the same mask"),
                Rejected("cgroup-cpu-throttled", f"{throttled:.0%} of periods throttled"),
                Rejected("io-bound-workers", "the busiest worker computes, and nobody waits to be accepted"),
            ),
            changes=self._changes(view, facts, count),
            gains=self._gains(
                count, left, left / max(0.05, view.cores_used), most / mean, connections, saturated=most >= SATURATED
            ),
        )

    @staticmethod
    def _connections(known: float | None) -> str:
        return "How many connections there are is not readable here." if known is None else f"{known:.0f} are open."

    @staticmethod
    def _confidence(view: View, most: float) -> float:
        """Many answers in the window exclude one long request; without the server's count that is not known."""
        rate = view.requests_per_second
        many = rate is not None and rate * view.window_seconds >= 100
        return (0.8 if many else 0.65) * (1.0 if view.established is not None else 0.7)

    @staticmethod
    def _changes(view: View, facts: ServiceFacts, count: int) -> tuple[Change, ...]:
        setting = facts.setting(Lever.MAX_REQUESTS_IN_FLIGHT)
        if view.service.framework not in STOPS_ACCEPTING or setting is None or view.established is None:
            return ()
        proposed = ceil(view.established / count)
        known = setting.value if isinstance(setting.value, int) else None
        if known is not None and known <= proposed:
            return ()
        return (Change(lever=Lever.MAX_REQUESTS_IN_FLIGHT, current=known, proposed=proposed),)

    @staticmethod
    def _gains(
        count: int, left: float, room: float, imbalance: float, connections: float | None, *, saturated: bool
    ) -> tuple[Gain, ...]:
        """At most all workers become as busy as the busiest, and use `room` times the cores that they use now. At least the
        connections fall on the workers at random, of which the fullest gets more than its share: c/n + sqrt(2 ln(n) c/n) of
        c (balls into bins); and nothing where the busiest worker has time left, so that it answers all that comes."""
        high = max(1.0, min(imbalance, imbalance * left / count, room))
        share = max(1.0, (connections or count) / count)
        low = max(1.0, high / (1 + sqrt(2 * log(count) / share))) if saturated else 1.0
        ratio = throughput(low, sqrt(low * high), high)
        tail = gain("latency_p99_ratio", 0.9 / ratio.p90, 1.1 / ratio.p50, 1.1)
        return ratio, latency_p50_of(ratio), tail


def _sharing(workers: tuple[WorkerView, ...], facts: ServiceFacts, port: int | None) -> int | None:
    """How many of the workers listen on one and the same socket of the service; None where no one could look."""
    sockets: Counter[int] = Counter()
    looked = False
    for worker in workers:
        known = facts.processes.get(worker.key)
        if isinstance(known, ProcessFacts) and isinstance(known.listening, tuple):
            looked = True
            sockets.update({each.inode for each in known.listening if port is None or each.port == port})
    return max(sockets.values(), default=0) if looked else None
