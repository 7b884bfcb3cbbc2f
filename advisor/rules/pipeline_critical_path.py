"""Which stage of a pipeline holds it back, and what is the pipeline worth without that?"""

from math import ceil

from advisor.contention import copies_that_fit
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Gain, Need, Rejected, Subject
from advisor.gpu.use import fullest
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling.limits import fullness
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence
from advisor.stages import Line, Stage, lines_of
from advisor.view import View
from collectors.levers import Lever

SHARED = 0.5
"""Part of the gain that is likely where the instances of all stages share the same cores or devices: another one takes from
the others what it needs."""


class PipelineCriticalPath(Rule):
    """One stage of a pipeline is busy all the time; the others could do more and wait for it.

    What it looks for: of the models that a pipeline joins, the one whose instances are busy nearly all the time, with
    requests that wait for it, while the next one has time to spare.
    Why it matters: a pipeline is as fast as its slowest stage. What is done for any other stage changes nothing.
    What to do: more instances of that stage alone, a batch or a faster form of it, until the next stage is the slowest.
    When it is wrong: where stages are served elsewhere and are not seen, and where the gateway or the queue between stages is
    what is slow. Where cores or devices are full, another instance takes from the stages what it needs.
    """

    proven = ("built",)
    recovers = "device"
    needs_load = False
    minimum_samples = 0
    yields_to = ("gateway-bound", "cgroup-cpu-throttled", "cpu-oversubscribed-openmp")
    thresholds = {
        "stage_busy": Threshold(enter=0.85, leave=0.7, unit="ratio", doc="busy time of a stage's instances, at least"),
        "waited": Threshold(enter=0.2, leave=0.1, unit="ratio", doc="share of a request's time there that it waits"),
        "next": Threshold(
            enter=1.15, leave=1.05, unit="ratio", doc="capacity of the next stage / of this one, at least"
        ),
        "room": Threshold(
            enter=0.9, unit="ratio", doc="use of the cores, or of the fullest GPU, from which there is none"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        lines = lines_of(view)
        if not lines:
            return None
        line = lines[0]
        slow, after = line.fullest, line.next_fullest
        if slow.name in line.uncounted:
            text = f"how many instances of {slow.name} run: its configuration, to tell which stage of {line.told} is the limit"
            return Need(kind="privilege", text=text) if slow.busy >= settings.limit("stage_busy") else None
        if slow.busy < settings.limit("stage_busy"):
            return None
        if slow.waited is None:
            return Need(
                kind="metrics", text=f"how long requests wait for {slow.name}: whether it is the limit of {line.told}"
            )
        if slow.waited < settings.limit("waited") or after is None:
            return None
        ahead = after.capacity_of(slow) if after.name not in line.uncounted else None
        if ahead is None:
            return Need(
                kind="privilege", text=f"how many instances of {after.name} run: what {line.told} could do next"
            )
        if ahead < settings.limit("next"):
            return None
        used = _used(view)
        change = _more(view, slow, ahead) if used < settings.limit("room") else None
        partial = (
            f" Of {', '.join(line.elsewhere)} nothing is seen here: the path is partial." if line.elsewhere else ""
        )
        return Conclusion(
            subject=Subject(kind="pipeline", name=view.service.name, pids=view.service.pids),
            title=f"{slow.name} holds {line.told} back: it is {min(1.0, slow.busy):.0%} busy, the next stage, {after.name}, "
            f"{after.busy:.0%}",
            summary=f"{_told(line)} With {slow.name} out of the way the pipeline does up to {ahead:.2f} times as much, until "
            f"{after.name} is the limit. {_where(change, used)}{partial}",
            confidence=0.5 if line.elsewhere else 0.7,
            evidence=_evidence(view, settings, slow, after, ahead, used),
            rejected=(
                Rejected(f"more for {after.name}", f"it has {1 - after.busy:.0%} of its time to spare"),
                Rejected(
                    "gateway-bound", f"requests wait {slow.waited:.0%} of their time inside the stage's own queue"
                ),
            ),
            changes=() if change is None else (change,),
            gains=_gains(slow, ahead, change),
        )


def _used(view: View) -> float:
    """Of the fullest device, where its models are on any, else of the cores."""
    found = fullest(view.gpus) if view.gpus else None
    return found[1].p95 if found is not None else fullness(view)


def _more(view: View, slow: Stage, ahead: float) -> Change | None:
    """As many instances as the next stage can follow, twice as many at most, where their memory fits."""
    wanted = min(2 * slow.instances, ceil(slow.instances * ahead), slow.instances + copies_that_fit(view, inside=True))
    if wanted <= slow.instances:
        return None
    return Change(lever=Lever.MODEL_INSTANCES, current=slow.instances, proposed=wanted, model=slow.name)


def _told(line: Line) -> str:
    each = (
        f"{s.name} answers {s.rate:.1f} a second in {s.latency_seconds * 1e3:.3g} ms with {s.instances} "
        f"instance{'s' if s.instances > 1 else ''}, {min(1.0, s.busy):.0%} busy"
        for s in line.stages
    )
    return "; ".join(each) + "."


def _where(change: Change | None, used: float) -> str:
    if change is not None:
        return "Changes to other stages change nothing."
    return (
        f"No other instance has room ({used:.0%} of the cores or of the device are used, or its memory is full): batches, "
        "another format or lower precision of this stage are what helps."
    )


def _evidence(
    view: View, settings: Settings, slow: Stage, after: Stage, ahead: float, used: float
) -> tuple[Evidence, ...]:
    return (
        evidence(view, "stage_busy", "ratio", slow.busy, settings.enter("stage_busy")),
        evidence(view, "stage_waited", "ratio", slow.waited or 0.0, settings.enter("waited")),
        evidence(view, "stage_capacity", "1/s", slow.capacity),
        evidence(view, "stage_instances", "instances", slow.instances),
        evidence(view, "next_stage_busy", "ratio", after.busy),
        evidence(view, "next_stage_capacity_ratio", "ratio", ahead, settings.enter("next")),
        evidence(view, "used", "ratio", used, settings.enter("room")),
        *asked(view),
    )


def _gains(slow: Stage, ahead: float, change: Change | None) -> tuple[Gain, ...]:
    """Nothing at least, as the instances may share what they run on; at most until the next stage is the limit."""
    if change is None or not isinstance(change.proposed, int):
        return ()
    most = min(ahead, change.proposed / slow.instances)
    ratio = throughput(1.0, 1 + SHARED * (most - 1), most)
    return (ratio, latency_p50_of(ratio), gain("latency_p99_ratio", 0.8 / ratio.p90, 1 / ratio.p50, 1.2))
