"""How do several profiles become one? Counts add up; shares are weighted by what they are shares of."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from advisor.profiling.stored import Side, StackSample, StoredProfile
from advisor.profiling.view import HotSpot, Share, WorkerProfile
from collectors.entities import WorkerKey
from collectors.profiles.profile import ProfileCost

MERGED = "merged"
_MOST_HOT = 20
_Key = TypeVar("_Key", bound=Hashable)
_Item = TypeVar("_Item", bound=Hashable)


def merge(profiles: Sequence[StoredProfile], identity: str = MERGED) -> StoredProfile:
    """One profile of all. Raises ValueError where there is none.

    `seconds` are those of all processes together, `pid` is 0 and `service` empty where they differ, `kind` is
    `continuous` where they differ, `hertz` the mean over the seconds. Source lines are those of the newest that has any.
    """
    if not profiles:
        raise ValueError("there is no profile to merge")
    ordered = sorted(profiles, key=lambda one: one.at_unix_seconds)
    seconds = sum(one.seconds for one in ordered)
    kinds = {one.kind for one in ordered}
    return StoredProfile(
        id=identity,
        at_unix_seconds=ordered[0].at_unix_seconds,
        seconds=seconds,
        service=_common((one.service for one in ordered), ""),
        service_id=_common((one.service_id for one in ordered), ""),
        pid=_common((one.pid for one in ordered), 0),
        started=_common((one.started for one in ordered), 0),
        slot=_common((one.slot for one in ordered), None),
        kind=kinds.pop() if len(kinds) == 1 else "continuous",
        reason=", ".join(dict.fromkeys(one.reason for one in ordered)),
        hertz=_mean([(one.hertz, one.seconds) for one in ordered]),
        samples=sum(one.samples for one in ordered),
        stacks=merge_stacks(one.stacks for one in ordered),
        digest=merge_digests([one.digest for one in ordered if one.digest is not None]),
        missing=tuple(dict.fromkeys(entry for one in ordered for entry in one.missing)),
        notes=tuple(dict.fromkeys(note for one in ordered for note in one.notes)),
        cost=_cost(one.cost for one in ordered),
        lines=next((one.lines for one in reversed(ordered) if one.lines), ()),
    )


def merge_stacks(groups: Iterable[Iterable[StackSample]]) -> tuple[StackSample, ...]:
    """Counts of the same thread, stack, side and class added up, the most frequent first."""
    counts: Counter[tuple[str, tuple[str, ...], Side, str]] = Counter()
    for stacks in groups:
        for one in stacks:
            counts[one.thread, one.frames, one.side, one.work] += one.count
    return tuple(
        StackSample(thread=thread, frames=frames, side=side, work=work, count=count)
        for (thread, frames, side, work), count in counts.most_common()
    )


def merge_digests(digests: Sequence[WorkerProfile]) -> WorkerProfile | None:
    """Shares of CPU time weighted by CPU time, the rest by wall time; None where there is none.

    What belongs to one process, its threads and its event loop, stays only where there is one digest.
    """
    if len(digests) < 2:
        return digests[0] if digests else None
    walls = [one.seconds for one in digests]
    cpus = [one.seconds * one.cores for one in digests]
    wall = sum(walls)

    def over_wall(pick: Callable[[WorkerProfile], float]) -> float:
        return _mean([(pick(one), one.seconds) for one in digests])

    held = [(one.gil_held, one.seconds) for one in digests if one.gil_held is not None]
    return WorkerProfile(
        key=_common((one.key for one in digests), WorkerKey(0, 0)),
        seconds=wall,
        cores=over_wall(lambda one: one.cores),
        samples=sum(one.samples for one in digests),
        classes=_shares([one.classes for one in digests], cpus),
        native=all(one.native for one in digests),
        gil_held=_share(held) if held else None,
        python_active=over_wall(lambda one: one.python_active),
        gil_waiting=over_wall(lambda one: one.gil_waiting),
        pool_cores=over_wall(lambda one: one.pool_cores),
        waits=_weighted([one.waits for one in digests], walls),
        hot=_hot(digests, cpus),
        phases=_weighted([one.phases for one in digests], cpus),
        calls=_weighted([one.calls for one in digests], cpus),
    )


def _hot(digests: Sequence[WorkerProfile], cpus: Sequence[float]) -> tuple[HotSpot, ...]:
    shares = _weighted([{(spot.where, spot.work): spot.share for spot in one.hot} for one in digests], cpus)
    best = sorted(shares.items(), key=lambda item: -item[1])[:_MOST_HOT]
    return tuple(HotSpot(where=where, work=work, share=share) for (where, work), share in best)


def _shares(parts: Sequence[Mapping[str, Share]], weights: Sequence[float]) -> dict[str, Share]:
    names = dict.fromkeys(name for part in parts for name in part)
    nothing = Share(0.0)
    pairs = list(zip(parts, weights, strict=True))
    return {name: _share([(part.get(name, nothing), weight) for part, weight in pairs]) for name in names}


def _share(parts: Sequence[tuple[Share, float]]) -> Share:
    total = sum(weight for _, weight in parts)
    if total <= 0:
        return Share(0.0)
    variance = sum((weight * share.error) ** 2 for share, weight in parts)
    return Share(sum(weight * share.value for share, weight in parts) / total, variance**0.5 / total)


def _weighted(parts: Sequence[Mapping[_Key, float]], weights: Sequence[float]) -> dict[_Key, float]:
    total = sum(weights)
    sums: dict[_Key, float] = {}
    if total > 0:
        for part, weight in zip(parts, weights, strict=True):
            for name, value in part.items():
                sums[name] = sums.get(name, 0.0) + value * weight / total
    return sums


def _mean(values: Sequence[tuple[float, float]]) -> float:
    """Of values with their weights; without any weight the plain mean."""
    total = sum(weight for _, weight in values)
    if total <= 0:
        return sum(value for value, _ in values) / len(values)
    return sum(value * weight for value, weight in values) / total


def _common(values: Iterable[_Item], otherwise: _Item) -> _Item:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else otherwise


def _cost(costs: Iterable[ProfileCost]) -> ProfileCost:
    parts = tuple(costs)
    return ProfileCost(
        cpu_seconds=sum(one.cpu_seconds for one in parts),
        stopped_seconds=sum(one.stopped_seconds for one in parts),
        errors=sum(one.errors for one in parts),
        behind_seconds=sum(one.behind_seconds for one in parts),
    )
