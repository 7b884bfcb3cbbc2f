"""A server holds several models: what do their settings have in common, and which files are whose?"""

from collections.abc import Iterable, Sequence
from os.path import join, normpath

import msgspec

from collectors.entities import Process
from collectors.facts import Facts
from collectors.learned import working_folder
from collectors.levers import Lever, Setting, Value
from collectors.model_file import ModelFile

_NAMED = 3


class ModelValue(msgspec.Struct, frozen=True):
    """What holds for one model and where that is set. `value` None: it is not known, and `origin` says why."""

    model: str
    value: Value
    origin: str


def common_setting(lever: Lever, found: Sequence[ModelValue], without: str) -> Setting:
    """The value that all models have; None where they differ, or where it is not known of one. `without` says why no
    model is known."""
    if not found:
        return Setting(lever=lever, value=None, origin=without)
    unknown = next((one for one in found if one.value is None), None)
    if unknown is not None:
        origin = unknown.origin if len(found) == 1 else f"{unknown.model}: {unknown.origin}"
        return Setting(lever=lever, value=None, origin=origin)
    if len({one.value for one in found}) > 1:
        named = ", ".join(f"{one.model} {one.value}" for one in found[:_NAMED])
        return Setting(lever=lever, value=None, origin=f"differs between models: {named}")
    stated = next((one for one in found if not one.origin.startswith("default")), found[0])
    return Setting(lever=lever, value=stated.value, origin=stated.origin)


def files_below(folder: str, processes: Iterable[Process], facts: Facts) -> tuple[ModelFile, ...]:
    """The headers that were read beside these processes of files in `folder`, or of that file; a relative one counts from
    the working folder of each."""
    found: dict[str, ModelFile] = {}
    for process in processes:
        known = facts.get(process.key)
        path = normpath(join(working_folder(process.key, facts) or "/", folder))
        inside = (
            one
            for one in (known.models if known else ())
            if one.path == path or one.path.startswith(path.rstrip("/") + "/")
        )
        found.update((one.path, one) for one in inside)
    return tuple(found.values())
