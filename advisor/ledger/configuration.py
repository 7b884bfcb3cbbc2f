"""How is a service configured now, lever by lever, and what differs between two configurations?"""

from collections.abc import Mapping

import msgspec

from advisor.facts import ServiceFacts
from advisor.view import View
from collectors.cpulist import format_cpulist
from collectors.entities import Model
from collectors.levers import Lever, Setting, Value

DEFAULT = "default"
"""A lever that nobody has set: the server decides."""
ORPHANED = "orphaned"
"""No lever, but a state in which nothing holds that was said before."""
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
    workers that run, as a process that starts may not have set its own yet.
    """
    found: dict[str, Value] = {s.lever.value: _value(s) for s in facts.settings if s.lever is not Lever.METRICS}
    workers = facts.setting(Lever.WORKERS)
    if workers is None or workers.value is None:
        found[Lever.WORKERS] = len(view.serving) or None
    found[Lever.COMPUTE_THREADS] = None if facts.threads is None else facts.threads.value or DEFAULT
    masks = [w.allowed for w in view.serving if w.allowed is not None and w.runnable > 0]
    found[Lever.AFFINITY] = format_cpulist(frozenset().union(*masks)) if masks else None
    if view.cgroup is not None:
        found[Lever.CPU_QUOTA] = "none" if view.quota_cores is None else view.quota_cores
        limit = view.cgroup.memory_limit_bytes
        found["memory_limit"] = "none" if limit is None else limit
    found[ORPHANED] = view.service.orphaned
    found |= {f"model {model.name}": _version(model) for model in view.service.models}
    return found


def changes_between(before: Configuration, now: Configuration) -> tuple[LeverChange, ...]:
    """What differs of that which is known on both sides, in the order of names."""
    return tuple(
        LeverChange(lever=lever, old=before[lever], new=value)
        for lever, value in sorted(now.items())
        if value is not None and before.get(lever) is not None and before[lever] != value
    )


def joined(before: Configuration, now: Configuration) -> dict[str, Value]:
    """What is known by now: a lever that cannot be read at this moment has kept its value."""
    return {**before, **{lever: value for lever, value in now.items() if value is not None}}


def _value(setting: Setting) -> Value:
    return None if setting.unread else DEFAULT if setting.value is None else setting.value


def _version(model: Model) -> Value:
    """What tells one version of a model from the next: the stated version, else its files, by the end of their path (a
    version is often a folder, and a release unpacks to another place each time) and size."""
    if model.version is not None:
        return model.version
    ends = (("/".join(one.path.rsplit("/", 2)[-2:]), one.size_bytes) for one in model.files)
    return "; ".join(sorted(f"{end} ({size} bytes)" for end, size in ends)) or None
