"""Does the service wait for the memory, so that more threads would bring nothing?"""

from advisor.contention import pool_threads
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Need, Rejected
from advisor.profiling.limits import busiest
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, if_known, subject_of
from advisor.view import View
from advisor.weights_traffic import Traffic, gib, streamed_model, weights_traffic
from collectors.entities import Model

IMPOSSIBLE = 1.15
"""Nothing reads faster than the memory gives: an estimate above this share of it is of weights that are not all read, or
that come from a cache."""
PLAUSIBLE = 0.5
"""The estimate is of weights alone: where threads brought nothing, this part of the threshold is enough."""
SCALES = 0.5
"""Threads that brought at least half of what they should are not what the memory holds back."""


class MemoryBandwidthBound(Rule):
    """The weights stream through the CPU as fast as the memory gives them; inferred, no counter says so.

    What it looks for: a transformer on CPUs whose weights, times the tokens or requests that read them each second, come near
    to the memory bandwidth that the owner states; or threads that brought nothing when somebody added them, on weights too
    large for any cache. Threads that wait for a CPU instead would be another matter, and rule it out.
    Why it matters: cores that wait for memory look busy. More threads, more cores or a higher clock change nothing.
    What to do: do not add threads. What helps is fewer bytes for each token: quantised weights, several requests in one batch,
    which read the weights once for all; or a device with faster memory.
    When it is wrong: where only part of the weights is read for each request (experts are counted as far as the header states
    them, tables of embeddings are not), or where the stated bandwidth is of another machine. Where processors have counters
    for it, `perf stat -M tma_memory_bandwidth` settles it.
    """

    proven = ("built",)
    recovers = "nothing"
    yields_to = (
        "affinity-cross-numa",
        "cpu-oversubscribed-openmp",
        "thread-default-ignores-quota",
        "cgroup-cpu-throttled",
    )
    thresholds = {
        "bandwidth_share": Threshold(
            enter=0.6, leave=0.5, unit="ratio", doc="estimated traffic / memory bandwidth of the node"
        ),
        "thread_elasticity": Threshold(
            enter=0.14, leave=0.2, unit="ratio", doc="growth of throughput / of threads (logarithms), at most"
        ),
        "delay_share": Threshold(enter=0.1, leave=0.15, unit="ratio", doc="run-queue delay / (run + delay), at most"),
        "weights_bytes": Threshold(enter=512 << 20, unit="bytes", doc="weights that no cache holds"),
        "process_busy": Threshold(enter=0.8, leave=0.65, unit="ratio", doc="runnable share of the busiest process"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        model = streamed_model(view)
        if model is None or view.gpus or view.model_gpu_bytes or pool_threads(view) < 2:
            return None
        size = model.size_bytes or 0
        busy, delay = busiest(view), view.delay_share
        if size < settings.limit("weights_bytes") or busy < settings.limit("process_busy"):
            return None
        if delay > settings.limit("delay_share"):
            return None
        elasticity, full = facts.thread_elasticity, facts.memory_bandwidth_bytes_per_second
        flat = elasticity is not None and abs(elasticity) < settings.limit("thread_elasticity")
        if elasticity is not None and elasticity >= SCALES:
            return None
        traffic = weights_traffic(view, facts, model)
        if traffic is None or not full:
            return self._without(view, model, traffic, flat, settings, facts)
        share = traffic.bytes_per_second / full
        least = settings.limit("bandwidth_share") * (PLAUSIBLE if flat else 1.0)
        if share > IMPOSSIBLE or share < least:
            return None
        return self._told(view, model, traffic, share, facts, settings)

    def _without(
        self, view: View, model: Model, traffic: Traffic | None, flat: bool, settings: Settings, facts: ServiceFacts
    ) -> Verdict:
        """Where the traffic or what the memory gives is not known: threads that brought nothing tell it all the same."""
        if flat:
            return self._told(view, model, traffic, None, facts, settings)
        if traffic is None or view.tokens_out_per_second is None:
            return None
        return Need(
            kind="metrics",
            text=f"[node] memory_bandwidth in the configuration (nodewright migrate --probe measures it): {traffic.told} "
            f"{gib(traffic.bytes_per_second)}/s",
        )

    def _told(
        self,
        view: View,
        model: Model,
        traffic: Traffic | None,
        share: float | None,
        facts: ServiceFacts,
        settings: Settings,
    ) -> Conclusion:
        threads, elasticity = pool_threads(view), facts.thread_elasticity
        return Conclusion(
            subject=subject_of(view),
            title=f"{threads} threads wait for the memory: do not add threads (inferred)",
            summary=f"{_why(traffic, share, elasticity)} Threads waited for a CPU {view.delay_share:.0%} of their runnable "
            "time, so it is not the cores that lack. This is inferred: no counter of the memory is read. Fewer bytes for each "
            "token help (quantised weights, batches), more threads or cores do not.",
            confidence=_sureness(share, elasticity, settings),
            evidence=(
                *if_known(view, "bandwidth_share", "ratio", share, settings.enter("bandwidth_share")),
                *if_known(view, "thread_elasticity", "ratio", elasticity, settings.enter("thread_elasticity")),
                *if_known(view, "estimated_traffic", "bytes_per_second", traffic.bytes_per_second if traffic else None),
                evidence(view, "weights_bytes", "bytes", float(model.size_bytes or 0), settings.enter("weights_bytes")),
                evidence(view, "run_delay_share", "ratio", view.delay_share, settings.enter("delay_share")),
                evidence(view, "active_compute_threads", "threads", threads),
                evidence(view, "cores_used", "cores", view.cores_used),
                *if_known(view, "tokens_out_per_second", "1/s", view.tokens_out_per_second),
                *asked(view),
            ),
            rejected=(
                Rejected("cpu-oversubscribed-openmp", f"run-queue delay is {view.delay_share:.0%} of runnable time"),
                Rejected("workers-below-cores-saturated", f"its {threads} threads use {view.cores_used:.1f} cores"),
                Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} cores"),
            ),
        )


def _why(traffic: Traffic | None, share: float | None, elasticity: float | None) -> str:
    told = ""
    if traffic is not None and share is not None:
        told = f"{traffic.told} {gib(traffic.bytes_per_second)}/s, {share:.0%} of what the memory gives. "
    if elasticity is not None:
        told += f"When threads were added, throughput grew by {elasticity:.2f} of that (1 = in proportion). "
    return told.rstrip()


def _sureness(share: float | None, elasticity: float | None, settings: Settings) -> float:
    """Two independent signs make it likely, one alone is worth a warning."""
    known = share is not None and share >= settings.enter("bandwidth_share")
    flat = elasticity is not None and abs(elasticity) < settings.enter("thread_elasticity")
    return 0.75 if known and flat else 0.5 if known else 0.4
