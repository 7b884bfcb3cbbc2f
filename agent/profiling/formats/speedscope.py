"""A profile for https://www.speedscope.app: one sampled profile of each thread and side.

The file is as https://www.speedscope.app/file-format-schema.json describes it. Weights are samples, not seconds: the
sides of a profile count different things.
"""

from typing import Literal

import msgspec

from advisor.profiling.frames import printable, split_frame
from advisor.profiling.sides import MEANING, SIDES
from advisor.profiling.stored import Side, StackSample, StoredProfile

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


class _Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    file: str | None = None
    line: int | None = None


class _Shared(msgspec.Struct, frozen=True):
    frames: tuple[_Frame, ...]


class _Sampled(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: Literal["sampled"] = "sampled"
    name: str
    unit: Literal["none"] = "none"
    start_value: int = 0
    end_value: int
    samples: tuple[tuple[int, ...], ...]
    """Indices of frames, root first."""
    weights: tuple[int, ...]


class SpeedscopeFile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole file."""

    schema: str = msgspec.field(name="$schema", default=SCHEMA)
    shared: _Shared
    profiles: tuple[_Sampled, ...]
    name: str
    active_profile_index: int = 0
    exporter: str = "nodewright"


def speedscope(profile: StoredProfile) -> SpeedscopeFile:
    """The threads with most samples first, of each thread the sides cpu, gil, wait, native."""
    groups: dict[tuple[str, Side], list[StackSample]] = {}
    for one in profile.stacks:
        groups.setdefault((one.thread, one.side), []).append(one)
    frames: dict[str, int] = {}
    largest = sorted(groups, key=lambda key: (SIDES.index(key[1]), -sum(one.count for one in groups[key]), key[0]))
    profiles = tuple(_sampled(key, groups[key], frames) for key in largest) or (
        _Sampled(name="no samples", end_value=0, samples=(), weights=()),
    )
    title = f"{profile.service} pid {profile.pid}" if profile.pid else profile.service or profile.id
    return SpeedscopeFile(
        shared=_Shared(tuple(map(_frame, frames))), profiles=profiles, name=printable(f"{title} ({profile.kind})")
    )


def _sampled(key: tuple[str, Side], stacks: list[StackSample], frames: dict[str, int]) -> _Sampled:
    thread, side = key
    ordered = sorted(stacks, key=lambda one: one.frames)
    return _Sampled(
        name=printable(f"{thread}: {MEANING[side]}"),
        end_value=sum(one.count for one in ordered),
        samples=tuple(tuple(frames.setdefault(frame, len(frames)) for frame in one.frames) for one in ordered),
        weights=tuple(one.count for one in ordered),
    )


def _frame(text: str) -> _Frame:
    name, file, line = split_frame(text)
    return _Frame(printable(name), None if file is None else printable(file), line)
