"""Does handing requests to worker processes cost more than the model that they run?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.intervals import gain, latency_p50_of, memory, throughput
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, sureness, told
from advisor.profiling.limits import PRESSURE, of_service, pressed
from advisor.profiling.view import ProfileView, Share
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View, WorkerView
from collectors.entities import Role
from collectors.levers import Lever

FRAMEWORK = "mlserver"
"""The server that can run models in its front-end as well as in processes of their own."""
MODEL = ("kernel", "array", "trees", "tokenise", "decode", "python", "cuda-launch", "cuda-sync")
"""What a worker does for the model itself; the rest of its time goes into getting and returning requests."""
HANDING = ("ipc", "lock", "gil-wait")
"""What the front-end does to hand a request on: queues and pickling, and the locks of the threads that serve them."""
STAYS = 0.5
"""At worst, half of the time that handing over takes stays, as work that a request needs in any process."""
ALONE = (1.0, 0.75, 0.45)
"""What is left of the front-end's other work once none of its threads takes the interpreter's lock for each request to feed
a queue: all, likely, at best. Frames do not show that cost. A model that adds four numbers used 0.47 of it without workers
(1181 requests a second with one, 2875 with none)."""
KEPT = ("spin", "gc", "allocation")
"""What a pool, or the model itself, does beside its kernels: it goes where the model goes."""


class IpcDominatesLightModel(Rule):
    """The model is so light that handing its requests to a worker process costs more than running it.

    What it looks for: an MLServer with worker processes in which queues, pickling and what the workers do beside the
    model take more than a third of the CPU time that a request needs beside its payload, and the model little of it.
    Why it matters: each request is pickled, sent, read, run and sent back; more workers do not help where the front-end does
    half of that work.
    What to do: `parallel_workers` 0, so that the front-end runs the model itself; batching has the same effect on many
    requests at once.
    When it is wrong: for models that compute for more than a few milliseconds: in the front-end they would block its event
    loop for every other request.
    """

    proven = ("live", "built")
    recovers = "work"
    yields_to = (
        "serialisation-heavy", "cgroup-cpu-throttled", "cpu-oversubscribed-openmp", "openmp-spin-wait", "small-batches",
    )  # fmt: skip
    thresholds = {
        "ipc_share": Threshold(enter=0.35, leave=0.28, unit="ratio", doc="handing over, share of a request's CPU time"),
        "model_share": Threshold(enter=0.2, leave=0.3, unit="ratio", doc="the model, at most this share of it"),
        "model_seconds": Threshold(enter=0.005, unit="seconds", doc="the model, at most this much CPU time a request"),
        "gain": Threshold(enter=1.15, leave=1.05, unit="ratio", doc="likely throughput after / before, at least"),
        **PRESSURE,
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        front, workers = view.front_end, [w for w in view.workers if w.role is Role.WORKER]
        if view.service.framework != FRAMEWORK or front is None or not workers or not pressed(view, settings):
            return None
        busy = sum(w.cores_used for w in workers)
        if front.cores_used < 0.4 * busy:  # handing over costs both sides about the same
            return None
        seen = profile_of(facts, "how much of its CPU time goes into handing requests to the workers")
        if isinstance(seen, Need):
            return seen
        profiled = {w.key for w in seen.workers}
        if front.key not in profiled or not profiled & {w.key for w in workers}:
            return None
        seen = of_service(view, seen)
        rest = max(1e-9, 1 - seen.share("serialise", "unknown").value)
        ipc, model = _scaled(_handing(seen, front), rest), _scaled(seen.share(*MODEL), rest)
        if ipc.value - ipc.error < settings.limit("ipc_share") or model.value + model.error > settings.limit(
            "model_share"
        ):
            return None
        spent = _model_seconds(view, seen)
        gains = self._gains(view, seen, _handing(seen, front))
        if spent is not None and spent > settings.limit("model_seconds"):
            return None
        if gains[0].p50 < settings.limit("gain"):
            return None
        each = "" if spent is None else f" ({spent * 1e3:.2f} ms a request)"
        return Conclusion(
            subject=subject_of(view),
            title=f"Handing requests to {len(workers)} worker{'s' if len(workers) > 1 else ''} costs more than the model: "
            "run it in the front-end",
            summary=f"Queues, pickling and the workers' own loops took {told(ipc)} of the CPU time that requests need beside "
            f"their payload, the model {told(model)}{each}. With parallel_workers 0 the front-end runs the model itself, on "
            "its event loop: fine for a light model, while one that computes for long would block all others.",
            confidence=sureness(0.8 if spent is not None else 0.65, seen),
            evidence=(
                seen_in_profile(seen, "ipc_of_request_share", "ratio", ipc.value, settings.enter("ipc_share")),
                seen_in_profile(seen, "ipc_of_request_share_error", "ratio", ipc.error),
                seen_in_profile(seen, "model_of_request_share", "ratio", model.value, settings.enter("model_share")),
                *(
                    (seen_in_profile(seen, "model_cpu_per_request", "seconds", spent, settings.enter("model_seconds")),)
                    if spent is not None
                    else ()
                ),
                evidence(view, "front_end_cores", "cores", front.cores_used),
                evidence(view, "worker_cores", "cores", busy),
                *asked(view),
            ),
            rejected=(
                Rejected("serialisation-heavy", f"payloads took {told(seen.share('serialise'))}"),
                Rejected("workers-below-cores-saturated", f"its workers ({len(workers)}) use {busy:.2f} cores, the front-end "
                         f"{front.cores_used:.2f}"),
                Rejected("event-loop-blocked", f"the model is {model.value:.0%} of a request"),
            ),
            changes=(Change(lever=Lever.WORKERS, current=_setting(facts, len(workers)), proposed=0),),
            gains=gains,
        )  # fmt: skip

    @staticmethod
    def _gains(view: View, seen: ProfileView, handing: Share) -> tuple[Gain, ...]:
        """One process does all that is left of a request, and is saturated at one core."""
        total, unknown = view.cores_used, seen.share("unknown").value
        saved = (
            max(0.0, handing.value - handing.error) * STAYS,
            handing.value,
            min(0.95, handing.value + handing.error + unknown),
        )
        model = total * seen.share(*MODEL, *KEPT).value
        needed = [model + max(0.0, total * (1 - part) - model) * left for part, left in zip(saved, ALONE, strict=True)]
        now = max(0.1, min(1.0, max(w.runnable for w in view.workers)))  # of what the present arrangement can do
        low, likely, high = (now / max(0.02, each) for each in needed)
        ratio = throughput(low, likely, high)
        gains = [
            ratio,
            latency_p50_of(ratio),
            gain("latency_p99_ratio", 0.8 / ratio.p90, 1 / ratio.p50, 1.3 / ratio.p10),
        ]
        whole = view.resident_bytes
        held = sum(w.resident_bytes or 0 for w in view.workers if w.role is Role.WORKER)
        if whole and 0 < held < whole:
            gains.append(memory(whole, whole - held))
        return tuple(gains)


def _handing(seen: ProfileView, front: WorkerView) -> Share:
    """Share of all CPU time: handing over in the front-end, and all that the workers do beside model and payload."""
    total = seen.cores or 1.0
    value = variance = 0.0
    for worker in seen.workers:
        own = msgspec.structs.replace(seen, workers=(worker,))
        part = own.share(*HANDING)
        if worker.key != front.key:
            beside = own.share(*MODEL, *KEPT, "serialise", "unknown")
            part = Share(max(0.0, 1 - beside.value), beside.error)
        value += worker.cores / total * part.value
        variance += (worker.cores / total * part.error) ** 2
    return Share(value, variance**0.5)


def _scaled(share: Share, whole: float) -> Share:
    return Share(min(1.0, share.value / whole), share.error / whole)


def _model_seconds(view: View, seen: ProfileView) -> float | None:
    if not view.requests_per_second:
        return None
    return seen.share(*MODEL).value * view.cores_used / view.requests_per_second


def _setting(facts: ServiceFacts, counted: int) -> int:
    known = facts.setting(Lever.WORKERS)
    return known.value if known is not None and isinstance(known.value, int) else counted
