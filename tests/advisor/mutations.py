"""Hosts changed at random: any part of a view or of facts becomes None, nothing, zero, huge or something else that its
declaration allows."""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import replace

from advisor.trend import FIELDS, Trend
from collectors.entities import WorkerKey

CPUS = 300
HUGE = 1e15
OUTSIDE = 999
"""A CPU that no host has."""
WORDS = ("", "unheard-of", "performance", "powersave", "0-3", "onnxruntime", "python", "compute", "1")
Path = tuple[str | WorkerKey | int, ...]


class Part(NamedTuple):
    """Something in a host that can be changed: where it is, what it is called, its declared type, and what it is now."""

    path: Path
    name: str
    kind: Any
    now: Any


def picked(value: Any, kind: Any, number: int) -> Part:
    """The part that a number chooses: at each level one of what is there, or, now and then, all of it."""
    part = Part((), "", kind, value)
    while inside := _inside(part):
        number, which = divmod(number, len(inside) + bool(part.path))
        if which == len(inside):
            return part
        part = inside[which]
    return part


def _inside(part: Part) -> list[Part]:
    path, name, kind, now = part
    if isinstance(now, msgspec.Struct) and not isinstance(now, WorkerKey):
        hints = _hints(type(now))
        return [Part((*path, field), field, hints[field], getattr(now, field)) for field in _names(type(now))]
    inner = _element(kind)
    if isinstance(now, tuple) and inner is not None:
        return [Part((*path, position), name, inner, item) for position, item in enumerate(now[:3])]
    if isinstance(now, Mapping) and inner is not None:
        return [Part((*path, key), "share", inner, now[key]) for key in list(now)[:3]]
    return []


def changed(value: Any, path: Path, new: Any) -> Any:
    """`value` with the part at `path` replaced."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, msgspec.Struct):
        return replace(value, **{str(first): changed(getattr(value, str(first)), rest, new)})
    if isinstance(value, tuple):
        at = int(first)
        return (*value[:at], changed(value[at], rest, new), *value[at + 1 :])
    return {**value, first: changed(value[first], rest, new)}


def choices(name: str, kind: Any, now: Any) -> tuple[Any, ...]:
    """What a part may be instead. Rates, sizes and shares stay what their names promise: never below zero, shares at most 1."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        found = (None,) if NoneType in inner else ()
        return found + tuple(one for part in inner if part is not NoneType for one in choices(name, part, now))
    if origin is Literal:
        return inner
    if kind in (float, int) and isinstance(now, bool):
        now = None
    if kind is float:
        return _numbers(name, now if isinstance(now, float | int) else 1.0)
    if kind is int:
        whole = now if isinstance(now, int) else 1
        return (0, 1, 2, whole + 1, whole // 2, 2 * whole, int(HUGE)) if name not in ("pid", "tid") else (whole,)
    if kind is bool:
        return (True, False)
    if kind is str:
        return WORDS
    return _gathered(name, kind, now)


def _gathered(name: str, kind: Any, now: Any) -> tuple[Any, ...]:
    """Alternatives for what holds other things."""
    origin = get_origin(kind)
    if kind is Trend:
        return tuple(_trend(level) for level in (0.0, 0.5, 1e9))
    if origin is frozenset:
        return (frozenset(), frozenset({0}), frozenset({OUTSIDE}), frozenset(range(CPUS)))
    if origin is tuple:
        if name == "cores" and now:
            every = tuple(replace(now[cpu % len(now)], cpu=cpu) for cpu in range(CPUS))
            return ((), now[:1], every)
        if (inner := _element(kind)) is None:
            return (now,)
        return ((), now[:1], now + now) if isinstance(now, tuple) and now else ((), (some(inner, full=True),))
    if origin in (dict, Mapping):
        return ({}, now) if isinstance(now, Mapping) else ({},)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not WorkerKey:
        return (some(kind, full=True), some(kind, full=False))
    return (now,)


def some(kind: Any, *, full: bool) -> Any:
    """A value of a declared type: everything said, or as little as it allows."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if NoneType in inner and not full else some(next(p for p in inner if p is not NoneType), full=full)
    if origin is Literal:
        return inner[0]
    if origin is tuple:
        if inner[-1] is not Ellipsis:
            return tuple(some(part, full=full) for part in inner)
        return (some(inner[0], full=full),) if full else ()
    if origin is frozenset:
        return frozenset({0})
    if origin in (dict, Mapping):
        return {}
    if kind is Trend:
        return _trend(0.5)
    if kind is WorkerKey:
        return WorkerKey(101, 1101)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = _hints(kind)
        return kind(**{name: some(hints[name], full=full) for name in _names(kind)})
    return {float: 0.5, int: 1, str: "a", bool: True}[kind]


def _numbers(name: str, now: float) -> tuple[float, ...]:
    shares = ("value", "busy", "own", "steal", "confidence", "running", "idle", "blocked", "gil_wait")
    if name.endswith(("ratio", "_p95", "share", "error")) or name in shares:
        return (0.0, 0.5, 1.0, min(1.0, 0.9 * now), min(1.0, 1.1 * now))
    return (0.0, 1e-9, 1.0, 0.5 * now, 0.9 * now, 1.1 * now, 2 * now, min(HUGE, 100 * now), HUGE)


@cache
def _trend(level: float) -> Trend:
    trend = Trend()
    row = tuple(level for _ in FIELDS)
    for position in range(200):
        trend.slices.append(1.8e9 + 5 * position, row)
        trend.minutes.append(1.8e9 + 60 * position, row)
    return trend


def _element(kind: Any) -> Any:
    """The type of the items of a tuple of any length, or of the values of a mapping; None of anything else."""
    for part in (kind, *get_args(kind)):
        origin, inner = get_origin(part), get_args(part)
        if origin is tuple and inner[-1] is Ellipsis:
            return inner[0]
        if origin in (dict, Mapping):
            return inner[1]
    return None


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(kind))
