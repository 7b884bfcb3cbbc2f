"""What does the server's launch become when a change of the advice is applied as it was read?

A place (`changes[].how[]`) is data from outside: it is checked against the few things that the demo's server has, put
into a launch as values, and never reaches a shell.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from advisor.finding import Change
from agent.demo.launch import COMPUTE_KEYS, SERVER_KEYS, DemoError, Launch, relative_to
from collectors.cpulist import parse_cpulist
from collectors.levers import Place, Value

ENVIRONMENT_KEY = re.compile(r"[A-Z][A-Z0-9_]*")
ARGUMENT_KEY = re.compile(r"--?[a-z][a-z0-9-]*")
PLAIN = re.compile(r"[A-Za-z0-9_.,:%+/-]{0,64}")


class InapplicableError(Exception):
    """This place cannot be set by the demo; the text says why."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A launch with the changes in it, and the places that they were set in."""

    launch: Launch
    places: tuple[Place, ...]
    refused: tuple[str, ...]
    """Why earlier places of the same change were not taken."""


def apply_changes(changes: Iterable[Change], launch: Launch, folder: Path, cpus: frozenset[int]) -> Applied:
    """`launch` with every change made in the first place that is not ineffective and that the demo can set.

    `folder` is where the server runs, `cpus` those that it may be given. DemoError if a change has no such place.
    """
    places: list[Place] = []
    refused: list[str] = []
    for change in changes:
        for place in change.how:
            if place.effective is False:
                continue
            try:
                launch = apply_place(place, launch, folder, cpus)
            except InapplicableError as problem:
                refused.append(f"{place.kind} {place.key}: {problem}")
            else:
                places.append(place)
                break
        else:
            reasons = "; ".join(refused) or "no place that takes effect"
            raise DemoError(f"{change.lever} {change.current} -> {change.proposed} could not be applied", reasons)
    if not places:
        raise DemoError("the finding proposes no change", "look at it with `nodewright top`")
    return Applied(launch, tuple(places), tuple(refused))


def apply_place(place: Place, launch: Launch, folder: Path, cpus: frozenset[int]) -> Launch:
    """`launch` with this one place set. InapplicableError if the server has no such place or the value is unfit."""
    match place.kind:
        case "env":
            return _environment(place, launch)
        case "file":
            return _file(place, launch, folder)
        case "argument":
            return _argument(place, launch)
        case "taskset":
            return _cpus(place, launch, cpus)
    raise InapplicableError("not a place of a plain process")


def _text(value: Value) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if value is None or not PLAIN.fullmatch(text):
        raise InapplicableError(f"{value!r} is no plain value")
    return text


def _environment(place: Place, launch: Launch) -> Launch:
    if not ENVIRONMENT_KEY.fullmatch(place.key) or not place.key.startswith((*COMPUTE_KEYS, *SERVER_KEYS)):
        raise InapplicableError("not a setting of the server or of its compute libraries")
    return replace(launch, environment={**launch.environment, place.key: _text(place.value)})


def _file(place: Place, launch: Launch, folder: Path) -> Launch:
    name = relative_to(folder, place.target)
    settings = launch.files.get(name or "")
    if name is None or settings is None:
        raise InapplicableError(f"{place.target} is no settings file of the server")
    present = settings.get(place.key)
    value = _typed(place.value)
    if present is not None and type(present) is not type(value):
        raise InapplicableError(f"{place.value!r} is not of the kind of {present!r}")
    return replace(launch, files={**launch.files, name: {**settings, place.key: value}})


def _typed(value: Value) -> Value:
    """A number or a flag that was written as text becomes one again."""
    if not isinstance(value, str):
        return value
    try:
        typed = json.loads(value)
    except ValueError:
        return _text(value)
    return typed if isinstance(typed, bool | int | float) else _text(value)


def _argument(place: Place, launch: Launch) -> Launch:
    if not ARGUMENT_KEY.fullmatch(place.key):
        raise InapplicableError(f"{place.key!r} is no option")
    kept: list[str] = []
    words = iter(launch.arguments)
    for word in words:
        if word == place.key:
            next(words, None)
        elif not word.startswith(place.key + "="):
            kept.append(word)
    return replace(launch, arguments=(*kept, place.key, _text(place.value)))


def _cpus(place: Place, launch: Launch, cpus: frozenset[int]) -> Launch:
    try:
        wanted = parse_cpulist(_text(place.value))
    except ValueError:
        raise InapplicableError(f"{place.value!r} is no list of CPUs") from None
    if not wanted or not wanted <= cpus:
        raise InapplicableError(f"CPUs {place.value} are not all available here")
    return replace(launch, cpus=wanted)
