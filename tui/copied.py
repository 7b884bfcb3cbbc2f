"""What is copied of a change, so that somebody can paste it where the change is made?"""

from collections.abc import Iterable, Sequence

from advisor.finding import Change, Finding
from advisor.plan import Plan
from tui import format as fmt
from tui.places import change_text, effect_text, place_text


def finding_copy(finding: Finding) -> str:
    """Title and subject, then each change with all of its places."""
    return "\n".join((f"# {_about(finding.title, finding.subject.name)}", *_changes(finding.changes), ""))


def plan_copy(plan: Plan) -> str:
    """The steps in their order."""
    rows = [f"# {_about(plan.verdict, plan.service)}"]
    for number, step in enumerate(plan.steps, 1):
        rows += [f"# step {number}: {fmt.plain(step.title)}", *_changes(step.changes)]
    return "\n".join((*rows, ""))


def counted(changes: Sequence[Change]) -> str:
    """`1 change, 2 places`"""
    places = sum(len(change.how) for change in changes)
    return f"{fmt.count(len(changes), 'change')}, {fmt.count(places, 'place')}"


def _about(text: str, subject: str) -> str:
    return f"{fmt.plain(text)} ({fmt.plain(subject)})"


def _changes(changes: Iterable[Change]) -> Iterable[str]:
    """What is to be written stands alone on its line."""
    for change in changes:
        yield f"# {change_text(change)}"
        for place in change.how:
            where, what = place_text(place)
            yield f"# {where}: {effect_text(place)}"
            yield what
