"""What do the numbered fields of NVML (nvmlDeviceGetFieldValues) say, all at once and each alone?"""

import time
from collections.abc import Sequence
from typing import Any

from bench.nvml_values import Calls, Json, plain

PREFIX = "NVML_FI_DEV_"
MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
"""Of nvmlValue_t, by nvmlValueType_t."""
OF_A_LINK = frozenset(f"NVLINK_THROUGHPUT_{what}_{way}" for what in ("DATA", "RAW") for way in ("TX", "RX"))
EVERY_LINK = 0xFFFFFFFF
SLOW_US = 500

Answers = tuple[dict[str, Json], dict[str, list[str]]]
"""Values by name, then names by error."""


def field_values(calls: Calls, handle: Any, names: Sequence[str]) -> Answers:
    """One call for all of `names`. `UNFILLED` = success, yet neither a value nor a time was written."""
    known = {name: getattr(calls.nvml, PREFIX + name, None) for name in names}
    asked = {name: number for name, number in known.items() if number is not None}
    scopes = [(number, EVERY_LINK if name in OF_A_LINK else 0) for name, number in asked.items()]
    values: Any = calls.nvml.nvmlDeviceGetFieldValues(handle, scopes)
    answers: dict[str, Json] = {}
    errors: dict[str, list[str]] = {}
    for name, value in zip(asked, values, strict=True):
        if value.nvmlReturn:
            errors.setdefault(calls.error_name(value.nvmlReturn), []).append(name)
        elif value.timestamp == 0 and value.value.ullVal == 0:
            errors.setdefault("UNFILLED", []).append(name)
        else:
            answers[name] = plain(getattr(value.value, MEMBERS[value.valueType]))
    return answers, errors


def every_field(calls: Calls, handle: Any) -> dict[str, Json]:
    """All that the library has a name for, in one call. Raises as that call does."""
    names = sorted(name.removeprefix(PREFIX) for name in dir(calls.nvml) if name.startswith(PREFIX))
    begin = time.monotonic()
    answers, errors = field_values(calls, handle, names)
    took = round((time.monotonic() - begin) * 1e6)
    return {"asked": len(names), "wall_us": took, "answers": answers, "errors": errors}


def each_alone(calls: Calls, handle: Any, together: dict[str, Json]) -> dict[str, Json]:
    """What a field says when asked for alone, where that is not what it said `together`, and which are slow."""
    said = {**together["answers"], **{name: error for error, those in together["errors"].items() for name in those}}
    differs: dict[str, Json] = {}
    slow: dict[str, int] = {}
    for name, before in said.items():
        begin = time.monotonic()
        answers, errors = field_values(calls, handle, [name])
        took = round((time.monotonic() - begin) * 1e6)
        if took >= SLOW_US:
            slow[name] = took
        now = answers.get(name, next(iter(errors), None))
        if now != before:
            differs[name] = now
    return {"differs": differs, "wall_us": slow}
