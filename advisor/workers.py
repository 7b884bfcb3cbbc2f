"""How many worker processes can a service be given, in the numbers in which its server counts them?"""

from math import ceil

from advisor.facts import ServiceFacts
from advisor.finding import Change
from advisor.view import View
from collectors.knobs import Knob
from collectors.levers import Lever
from collectors.registry import framework_named


def can_count(facts: ServiceFacts) -> bool:
    """Whether the server has a number of workers. Of one without any knob nothing is known, and its code may have it; one
    whose knobs do not include it starts the processes that its model needs."""
    framework = framework_named(facts.service.framework)
    return framework is None or not framework.knobs or _knob(facts) is not None


def change_to(view: View, facts: ServiceFacts, processes: int) -> Change | None:
    """The setting with which so many processes serve: where one step of it is several of them, no more than asked for if
    that is more than now, and no less if it is less. None where that is no change, or no step is known."""
    now, each = len(view.serving), processes_each(view, facts)
    if not each or processes == now:
        return None
    proposed = processes // each if processes > now else ceil(processes / each)
    current = now // each
    if proposed == current or proposed < 1:
        return None
    return Change(lever=Lever.WORKERS, current=current, proposed=proposed)


def processes_after(view: View, change: Change) -> int:
    """How many serve after a change of `change_to`."""
    return len(view.serving) * int(change.proposed or 1) // int(change.current or 1)


def count_told(facts: ServiceFacts, change: Change, what: str = "") -> str:
    """`3 workers`, or `3 workers for each pool` where one step of the setting is a process for each."""
    knob, several = _knob(facts), len(facts.service.serving) > int(change.current or 0)
    each = f" for each {knob.of_each}" if knob is not None and knob.of_each is not None and several else ""
    return f"{change.proposed} {what}".strip() + each


def processes_each(view: View, facts: ServiceFacts) -> int | None:
    """Processes that one step of the setting adds; None where the server has none, or where it is not known."""
    knob, now = _knob(facts), len(view.serving)
    if not can_count(facts) or now == 0:
        return None
    if knob is None or knob.of_each is None:
        return 1
    each = max(1, len(view.gpus)) if knob.of_each == "device" else _stated(facts, knob, now)
    return each if each and now % each == 0 else None


def _stated(facts: ServiceFacts, knob: Knob, now: int) -> int | None:
    """What runs / what is set. A number that was counted on a server of several pools or models does not tell it."""
    setting = facts.setting(Lever.WORKERS)
    value = setting.value if setting is not None else None
    value = value if isinstance(value, int) and value > 0 else now
    if now % value or (now == value and _several(facts, knob)):
        return None
    return now // value


def _several(facts: ServiceFacts, knob: Knob) -> bool:
    if knob.of_each == "model":
        return len(facts.service.models) > 1
    pools = facts.setting(Lever.MODEL_POOL)
    return pools is not None and isinstance(pools.value, int) and pools.value > 1


def _knob(facts: ServiceFacts) -> Knob | None:
    framework = framework_named(facts.service.framework)
    return framework.knob(Lever.WORKERS) if framework is not None else None
