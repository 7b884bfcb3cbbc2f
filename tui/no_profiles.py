"""Why are there no profiles to look at, and what helps?"""

from collections.abc import Sequence

from advisor.documents import Problem, ProfilingStatus
from tui import format as fmt
from tui.source import Picture


def none_text(picture: Picture, services: Sequence[str]) -> tuple[str, ...]:
    """What is said where no profile is kept: why, and how to get one."""
    profiling = picture.self_status.profiling
    why = _why_none(profiling, services)
    ask = "Press t to take one now." if services and (profiling is None or profiling.state != "off") else ""
    return (f"No profiles yet on {picture.node.node}", *why, *([ask] if ask else []))


def none_then_text(picture: Picture) -> tuple[str, ...]:
    """The same of a moment of the past."""
    return (
        f"No profile of {picture.node.node} from before {fmt.clock(picture.node.at)}",
        "Shown are those that had ended by then and are still kept.",
        "Press . for the present.",
    )


def unreadable_text(problem: Problem) -> tuple[str, ...]:
    """What is said where the list cannot be had."""
    if problem.key == "path.unknown":
        return (
            "This agent gives no profiles",
            "It is of an older version, or this recording holds none.",
            "A newer one takes them by itself: nodewright run",
        )
    return ("The profiles cannot be read", f"Reason: {problem.message}.", f"What helps: {problem.hint}")


def _why_none(profiling: ProfilingStatus | None, services: Sequence[str]) -> list[str]:
    if profiling is None:
        return [
            "Nothing is profiled here: this is a recording, or the agent runs without its sidecar.",
            "A running agent takes profiles by itself: nodewright run",
        ]
    if profiling.state == "off":
        return ["Profiling is switched off.", "To switch it on, set profiling.enabled = true and restart the agent."]
    if profiling.problem is not None:
        failed = fmt.count(profiling.failed, "profile")
        return [f"{failed} could not be taken. The last: {profiling.problem}."]
    if not services:
        return ["No model server runs, so there is nothing to look into."]
    resting = [f"{name} is left alone for now: {reason}." for name, reason in profiling.resting.items()]
    return [
        "Busy workers are looked into when a rule has a suspicion, and now and then.",
        "The first one is kept some minutes after a service has load.",
        *resting,
    ]
