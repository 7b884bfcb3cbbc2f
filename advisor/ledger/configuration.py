"""How is a service configured now, lever by lever, and what differs between two configurations?"""

from collections.abc import Mapping

import msgspec

from advisor.facts import ServiceFacts
from advisor.view import View
from collectors.cpulist import format_cpulist, union
from collectors.entities import Model
from collectors.levers import Lever, Setting, Value

DEFAULT = "default"
"""A lever that nobody has set: the server decides."""
COUNTED = "workers counted"
"""Workers as they are counted while what sets their number cannot be read: not to be compared with the number that was set."""
ORPHANED = "orphaned"
"""No lever, but a state in which nothing holds that was said before."""
UNLIMITED = "none"
LIMITS = frozenset((Lever.CPU_QUOTA, Lever.MEMORY_LIMIT))
"""Levers of which that may be the value."""
MOST_MODELS = 100
MOST_LEVERS = 300
_MODEL, _FILES = "model ", "; "
Configuration = Mapping[str, Value]
"""Lever, or `model NAME`, to its value; None = not known now."""


class LeverChange(msgspec.Struct, frozen=True, kw_only=True):
    """One lever that has another value than before. `lever`: a `Lever`, `memory_limit`, or `model NAME`."""

    lever: str
    old: Value
    new: Value


def configuration_of(view: View, facts: ServiceFacts) -> dict[str, Value]:
    """Settings as configured, and what the kernel shows of workers, masks, quotas and limits.

    The number of workers is the configured one where it is known, so that recycling a worker is no change. A mask is that of
    workers that run, as a process that starts may not have set its own yet; it is not known while one that waits has others.
    """
    found: dict[str, Value] = {s.lever.value: _value(s) for s in facts.settings if s.lever is not Lever.METRICS}
    workers = facts.setting(Lever.WORKERS)
    if workers is not None and workers.unread:
        found[COUNTED] = len(view.serving) or None
    elif workers is None or workers.value is None:
        found[Lever.WORKERS] = len(view.serving) or None
    found[Lever.COMPUTE_THREADS] = None if facts.threads is None else facts.threads.value or DEFAULT
    found[Lever.AFFINITY] = _mask(view)
    if view.cgroup is not None:
        limit, unlimited = view.cgroup.memory_limit_bytes, _unlimited(view, facts)
        found[Lever.CPU_QUOTA] = unlimited if view.quota_cores is None else view.quota_cores
        found[Lever.CPU_WEIGHT] = view.cgroup.weight
        found[Lever.MEMORY_LIMIT] = unlimited if limit is None else limit
    found[ORPHANED] = view.service.orphaned
    models = sorted(view.service.models, key=lambda model: model.name)[:MOST_MODELS]
    found |= {f"{_MODEL}{model.name}": _version(model) for model in models}
    return found


def _mask(view: View) -> str | None:
    masks = [(w.allowed, w.runnable > 0) for w in view.serving if w.allowed is not None]
    running = union(mask for mask, runs in masks if runs)
    known = running and running == union(mask for mask, _ in masks)
    return format_cpulist(running) if known else None


def _unlimited(view: View, facts: ServiceFacts) -> str | None:
    """What stands for no limit. In a container into which nobody could look its own files may state one."""
    return UNLIMITED if view.service.container is None or facts.limits is not None else None


def changes_between(before: Configuration, now: Configuration) -> tuple[LeverChange, ...]:
    """What differs of that which is known on both sides, in the order of names."""
    return tuple(
        LeverChange(lever=Lever.WORKERS if lever == COUNTED else lever, old=before[lever], new=value)
        for lever, value in sorted(now.items())
        if value is not None and before.get(lever) is not None and _differ(lever, before[lever], value)
    )


def joined(before: Configuration, now: Configuration) -> dict[str, Value]:
    """What is known by now: a lever that cannot be read at this moment has kept its value."""
    known = {lever: value for lever, value in now.items() if value is not None}
    kept = {lever: value for lever, value in before.items() if lever != COUNTED or Lever.WORKERS not in known}
    if len(kept) > MOST_LEVERS:  # models that came and went
        kept = {lever: value for lever, value in kept.items() if lever in now or not lever.startswith(_MODEL)}
    return {**kept, **known}


def _differ(lever: str, old: Value, new: Value) -> bool:
    """Files of a model become known one by one, and some are closed once they are read: a part of them is no other version."""
    if lever.startswith(_MODEL) and isinstance(old, str) and isinstance(new, str):
        before, now = set(old.split(_FILES)), set(new.split(_FILES))
        return not (before <= now or now <= before)
    return old != new


def _value(setting: Setting) -> Value:
    return None if setting.unread else DEFAULT if setting.value is None else setting.value


def _version(model: Model) -> Value:
    """What tells one version of a model from the next: the stated version, else its files, by the end of their path (a
    version is often a folder, and a release unpacks to another place each time) and size."""
    if model.version is not None:
        return model.version
    ends = (("/".join(one.path.rsplit("/", 2)[-2:]), one.size_bytes) for one in model.files)
    return _FILES.join(sorted(f"{end} ({size} bytes)" for end, size in ends)) or None
