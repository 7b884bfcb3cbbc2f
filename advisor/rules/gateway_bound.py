"""Do the processes that take requests hold a service back, while those that run models idle?"""

from math import ceil, floor

from advisor.doors import Behind, Doors, behind, behind_gateway, doors_of
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Gain, Need, Rejected
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.queued import in_progress, waiting_requests
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever

AGENT = "seldon-core/agent"
LEAST, LIKELY = 0.3, 0.7
"""Parts of what the limit behind the gateway allows: requests may not spread evenly over more processes, and those behind may
turn out to be held by something else."""
UNSPREAD = "More processes or replicas that run models do not help: they idle."


class GatewayBound(Rule):
    """What takes the requests is at its limit, and the models behind it wait for work.

    What it looks for: API servers, proxies and gateways whose busiest thread never rests, or that use the cores they may,
    while requests are in progress and the processes that run models are busy less than half of the time.
    Why it matters: workers, replicas and GPUs that are added behind it stay as idle as those that are there.
    What to do: more processes that take requests where the server has such a setting, more CPU where a quota holds a gateway;
    for the gateways of Seldon Core 2 more replicas, with at least as many partitions of their topics.
    When it is wrong: where what fills the gateway is work that can be spared (payloads, handing light requests over), which
    has rules of its own; and where the models wait for something else behind them.
    """

    proven = ("built",)
    recovers = "cores"
    yields_to = (
        "serialisation-heavy",
        "ipc-dominates-light-model",
        "event-loop-blocked",
        "cgroup-cpu-throttled",
        "gpu-starved-by-preprocess",
        "affinity-too-narrow",
        "cpu-noisy-neighbour",
    )
    thresholds = {
        "gateway_busy": Threshold(
            enter=0.9, leave=0.75, unit="ratio", doc="time in which the gateway's thread never rests"
        ),
        "gateway_ran": Threshold(
            enter=0.75, leave=0.6, unit="cores", doc="of that thread, what it ran and did not wait"
        ),
        "limit_full": Threshold(enter=0.9, leave=0.75, unit="ratio", doc="cores used by a gateway / cores it may use"),
        "behind_busy": Threshold(
            enter=0.5, leave=0.6, unit="ratio", doc="use of the processes that run models, at most"
        ),
        "in_progress": Threshold(enter=4, leave=2, unit="requests", doc="requests in progress or open connections"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if not view.serving:
            return _gateway_alone(view, facts, settings)
        doors = doors_of(view)
        if doors is None or doors.busy < settings.limit("gateway_busy") or doors.ran < settings.limit("gateway_ran"):
            return None
        here = max(in_progress(view) or 0.0, waiting_requests(view), view.established or 0.0)
        if here < settings.limit("in_progress"):
            return None
        idle = behind(view)
        if idle is None:
            return Need(
                kind="metrics", text="how busy its GPUs are: whether they wait for requests that its API servers hold"
            )
        if idle.busy > settings.limit("behind_busy"):
            return None
        change, why_not = _more_doors(view, facts, doors, idle)
        count = len(doors.processes)
        return Conclusion(
            subject=subject_of(view),
            title=f"{count} process{'es' if count > 1 else ''} that take{'' if count > 1 else 's'} requests "
            f"{'are' if count > 1 else 'is'} at {'their' if count > 1 else 'its'} limit while those that run models are "
            f"{idle.busy:.0%} busy: " + (f"{change.proposed} of them" if change else "more workers do not help"),
            summary=f"The busiest thread of each was runnable {doors.busy:.0%} of the time and ran {doors.ran:.0%} of it; one "
            f"thread cannot do more. {UNSPREAD}{why_not}",
            confidence=0.7 if change else 0.6,
            evidence=_evidence(view, settings, doors, idle, here),
            rejected=_rejected(view, idle),
            changes=() if change is None else (change,),
            gains=_gains(count, change, idle),
        )


def _more_doors(view: View, facts: ServiceFacts, doors: Doors, idle: Behind) -> tuple[Change | None, str]:
    """As many as those behind can take, up to twice as many and to the cores that are left. Where there is none, why."""
    setting = facts.setting(Lever.API_SERVERS)
    if setting is None:
        return None, " This server has no setting for more of them: another replica of it is what helps."
    now = setting.value if isinstance(setting.value, int) and setting.value > 0 else len(doors.processes)
    left = floor(view.effective_cores - view.cores_used + 0.25)
    wanted = min(2 * now, ceil(now / max(0.1, idle.busy)), now + left)
    if wanted <= now:
        return (
            None,
            f" There is no core left for another one: {view.cores_used:.1f} of {view.effective_cores:.1f} are used.",
        )
    return Change(lever=Lever.API_SERVERS, current=now, proposed=wanted), ""


def _evidence(view: View, settings: Settings, doors: Doors, idle: Behind, here: float) -> tuple[Evidence, ...]:
    return (
        evidence(view, "gateway_busy", "ratio", doors.busy, settings.enter("gateway_busy")),
        evidence(view, "gateway_ran", "cores", doors.ran, settings.enter("gateway_ran")),
        evidence(view, "gateway_processes", "processes", len(doors.processes)),
        evidence(view, _behind_name(idle), "ratio", idle.busy, settings.enter("behind_busy")),
        evidence(view, "requests_in_progress", "requests", here, settings.enter("in_progress")),
        *asked(view),
    )


def _behind_name(idle: Behind) -> str:
    return "models_busy" if idle.use is None else f"{idle.use.metric}_p95"


def _rejected(view: View, idle: Behind) -> tuple[Rejected, ...]:
    return (
        Rejected(
            "workers-below-cores-saturated", f"{idle.processes} processes run models and are {idle.busy:.0%} busy"
        ),
        Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} of {len(view.pool)} cores"),
    )


def _gains(count: int, change: Change | None, idle: Behind) -> tuple[Gain, ...]:
    """At most as many times more as there are more processes, until those behind are full."""
    if change is None or not isinstance(change.proposed, int) or not isinstance(change.current, int):
        return ()
    more = min(change.proposed / change.current, 1 / max(0.05, idle.busy)) - 1
    ratio = throughput(1 + LEAST * more, 1 + LIKELY * more, 1 + more)
    return (ratio, latency_p50_of(ratio), gain("latency_p99_ratio", 0.8 / ratio.p90, 1 / ratio.p50, 1.1 / ratio.p10))


def _gateway_alone(view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
    """A gateway that is a service of its own, of several threads: its limit is its quota, or the cores that there are."""
    limit = view.quota_cores if view.quota_cores is not None else view.effective_cores
    idle = behind_gateway(view.neighbours)
    if view.cores_used < settings.limit("limit_full") * limit:
        return _occupied(view, facts, idle, settings)
    if idle is None:
        return Need(kind="metrics", text="whether the model servers behind it idle: none of this node shows that")
    if idle.busy > settings.limit("behind_busy"):
        return None
    quota = view.quota_cores
    wanted = None if quota is None else min(float(len(view.pool)), 2 * quota)
    change = (
        Change(lever=Lever.CPU_QUOTA, current=quota, proposed=wanted, restart=False)
        if quota is not None and wanted is not None and wanted > quota
        else None
    )
    most = (
        0.0 if change is None or quota is None or wanted is None else min(wanted / quota, 1 / max(0.05, idle.busy)) - 1
    )
    ratio = throughput(1 + LEAST * most, 1 + LIKELY * most, 1 + most)
    used = f"{view.cores_used:.2f} of the {limit:.2f} cores that it may use"
    return Conclusion(
        subject=subject_of(view),
        title=f"The gateway uses {used} while the models of this node are {idle.busy:.0%} busy: "
        + (f"allow it {wanted:g}" if change else "another replica of it"),
        summary=f"It uses {used}. {UNSPREAD} More replicas of a gateway share its topics by partitions: there have to be as "
        "many. Model servers on other nodes are not seen from here.",
        confidence=0.5,
        evidence=(
            evidence(view, "cores_used_of_limit", "ratio", view.cores_used / limit, settings.enter("limit_full")),
            evidence(view, "cores_used", "cores", view.cores_used, settings.enter("limit_full") * limit),
            evidence(view, "models_busy", "ratio", idle.busy, settings.enter("behind_busy")),
            *asked(view),
        ),
        rejected=_rejected(view, idle),
        changes=() if change is None else (change,),
        gains=() if change is None else (ratio, latency_p50_of(ratio)),
    )


def _occupied(view: View, facts: ServiceFacts, idle: Behind | None, settings: Settings) -> Need | None:
    """A gateway with CPU to spare may be held by the number of requests that it has under way at once. That looks like as many
    clients: the lag of its consumers tells them apart, and no page of this node has it."""
    setting = facts.setting(Lever.GATEWAY_WORKERS)
    inside = [one.in_progress for one in view.neighbours if one.name.startswith(AGENT) and one.in_progress is not None]
    if setting is None or not isinstance(setting.value, int) or idle is None or not inside:
        return None
    if sum(inside) < settings.limit("limit_full") * setting.value or idle.busy > settings.limit("behind_busy"):
        return None
    return Need(
        kind="metrics",
        text=f"the lag of the gateway's consumers, as Kafka knows it: {sum(inside):.1f} requests are in the models, about as "
        f"many as its {setting.value} workers for each consumer can have there, while the models are {idle.busy:.0%} busy",
    )
