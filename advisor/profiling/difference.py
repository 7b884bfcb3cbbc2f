"""What changed between two profiles, and which of it is more than the noise of sampling?

Shares are of each profile's own samples, so that windows of different lengths and rates compare. A change counts as
sure where chance makes as large a one in any of the functions at most once in 20 comparisons. Samples are taken as
independent: a window that is short beside the program's own rhythm varies more than that.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from math import log, sqrt
from typing import TypeVar

import msgspec

from advisor.profiling.header import ProfileHeader, header_of
from advisor.profiling.sides import shown_side
from advisor.profiling.stored import Side, StackSample, StoredProfile

FALSE_ALARMS = 0.05
"""Probability that any change of a comparison is called sure although nothing changed."""
_MOST_FUNCTIONS = 200
_MOST_STACKS = 200
_Key = TypeVar("_Key", bound=Hashable)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Shares 0..1 of the samples of each profile; `error` is one standard error of `after` - `before`."""

    before: float
    after: float
    error: float
    sure: bool

    @property
    def delta(self) -> float:
        return self.after - self.before


class FunctionChange(msgspec.Struct, frozen=True, kw_only=True):
    """A function: samples in itself (`self_share`) and in it or what it called (`inclusive`).

    `cores_before`, `cores_after`: CPU seconds per second in itself; None where the profile has no measured CPU time, or
    the side is not one of CPU time.
    """

    where: str
    self_share: Change
    inclusive: Change
    cores_before: float | None = None
    cores_after: float | None = None


class StackChange(msgspec.Struct, frozen=True, kw_only=True):
    """A stack, over all threads."""

    frames: tuple[str, ...]
    share: Change


class ProfileDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Two profiles compared on one side. Functions and stacks by the size of their change, the sure ones first."""

    base: ProfileHeader
    other: ProfileHeader
    side: Side
    base_samples: int
    other_samples: int
    functions: tuple[FunctionChange, ...]
    stacks: tuple[StackChange, ...]
    functions_compared: int
    """How many there are; the list holds the largest changes."""
    stacks_compared: int


def difference(base: StoredProfile, other: StoredProfile, side: Side | None = None) -> ProfileDifference:
    """`other` against `base`, on `side` or on the first that either has."""
    side = _side(base, other, side)
    before, after = _one_side(base, side), _one_side(other, side)
    stacks_before, stacks_after = _by_stack(before), _by_stack(after)
    total_before, total_after = sum(stacks_before.values()), sum(stacks_after.values())
    stacks = _changes(stacks_before, stacks_after, total_before, total_after)
    functions = _functions(stacks_before, stacks_after, _cores(base, side), _cores(other, side))
    return ProfileDifference(
        base=header_of(base),
        other=header_of(other),
        side=side,
        base_samples=total_before,
        other_samples=total_after,
        functions=tuple(sorted(functions, key=_function_order)[:_MOST_FUNCTIONS]),
        stacks=tuple(
            StackChange(frames=frames, share=change)
            for frames, change in sorted(stacks.items(), key=lambda item: _order(item[1]))[:_MOST_STACKS]
        ),
        functions_compared=len(functions),
        stacks_compared=len(stacks),
    )


def change_of(before: int, total_before: int, after: int, total_after: int, compared: int) -> Change:
    """The change of one share, where `compared` things are looked at."""
    share_before, share_after = _ratio(before, total_before), _ratio(after, total_after)
    error = sqrt(_variance(before, total_before) + _variance(after, total_after))
    sure = bool(total_before and total_after) and abs(share_after - share_before) > _limit(compared) * error
    return Change(before=share_before, after=share_after, error=error, sure=sure)


def _side(base: StoredProfile, other: StoredProfile, wanted: Side | None) -> Side:
    if wanted is not None:
        return wanted
    first = shown_side(base)
    return first if any(one.side == first for one in base.stacks) else shown_side(other)


def _one_side(profile: StoredProfile, side: Side) -> list[StackSample]:
    return [one for one in profile.stacks if one.side == side]


def _by_stack(stacks: Iterable[StackSample]) -> Counter[tuple[str, ...]]:
    counts: Counter[tuple[str, ...]] = Counter()
    for one in stacks:
        counts[one.frames] += one.count
    return counts


def _functions(
    before: Mapping[tuple[str, ...], int],
    after: Mapping[tuple[str, ...], int],
    cores_before: float | None,
    cores_after: float | None,
) -> list[FunctionChange]:
    total_before, total_after = sum(before.values()), sum(after.values())
    own = _changes(_self_counts(before), _self_counts(after), total_before, total_after)
    whole = _changes(_inclusive_counts(before), _inclusive_counts(after), total_before, total_after)
    none = change_of(0, total_before, 0, total_after, len(whole))
    found = []
    for where, inclusive in whole.items():
        alone = own.get(where, none)
        found.append(
            FunctionChange(
                where=where,
                self_share=alone,
                inclusive=inclusive,
                cores_before=None if cores_before is None else cores_before * alone.before,
                cores_after=None if cores_after is None else cores_after * alone.after,
            )
        )
    return found


def _changes(
    before: Mapping[_Key, int], after: Mapping[_Key, int], total_before: int, total_after: int
) -> dict[_Key, Change]:
    names = dict.fromkeys([*before, *after])
    return {
        name: change_of(before.get(name, 0), total_before, after.get(name, 0), total_after, len(names))
        for name in names
    }


def _self_counts(stacks: Mapping[tuple[str, ...], int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for frames, count in stacks.items():
        if frames:
            counts[frames[-1]] += count
    return counts


def _inclusive_counts(stacks: Mapping[tuple[str, ...], int]) -> Counter[str]:
    """A function that calls itself counts once a sample."""
    counts: Counter[str] = Counter()
    for frames, count in stacks.items():
        for where in set(frames):
            counts[where] += count
    return counts


def _cores(profile: StoredProfile, side: Side) -> float | None:
    """CPU seconds per second that the side's samples stand for. Looks at Python threads leave out the pools of native
    libraries; native samples are of all threads."""
    if profile.digest is None or side not in ("cpu", "native"):
        return None
    cores = profile.digest.cores
    return cores if side == "native" else max(0.0, cores - profile.digest.pool_cores)


def _ratio(count: int, total: int) -> float:
    return count / total if total else 0.0


def _variance(count: int, total: int) -> float:
    """Of a share, by the rule of succession: one that was never seen is uncertain too."""
    share = (count + 1) / (total + 2)
    return share * (1 - share) / max(1, total)


def _limit(compared: int) -> float:
    """In standard errors, so that `FALSE_ALARMS` holds for all together: P(|z| > x) <= exp(-x²/2)."""
    return sqrt(2 * log(max(1, compared) / FALSE_ALARMS))


def _order(change: Change) -> tuple[bool, float]:
    return not change.sure, -abs(change.delta)


def _function_order(function: FunctionChange) -> tuple[bool, float, float]:
    sure = function.self_share.sure or function.inclusive.sure
    return not sure, -abs(function.self_share.delta), -abs(function.inclusive.delta)
