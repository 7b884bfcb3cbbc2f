"""What is one setting: its default, its unit and its sentence, said once, and which values does it take?

Files, the environment, flags, `config show`, `config schema` and the docs are derived from the declaration.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.listen import parse_listen
from collectors.units import format_duration, format_rate, format_size, parse_duration, parse_rate, parse_size

_UNIT_SUFFIXES = ("_seconds", "_bytes", "_bytes_per_second")


class Kind(StrEnum):
    """How a setting is written. A duration and a size are text with a unit."""

    TEXT = "text"
    PATH = "path"
    URL = "url"
    PATTERN = "regular expression"
    LISTEN = "address"
    AGENT = "address of an agent"
    FLAG = "true or false"
    DURATION = "duration"
    SIZE = "size"
    RATE = "bytes a second"
    NUMBER = "number"
    TEXTS = "list of text"
    DATE = "date"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSpec:
    """The declaration of one setting. `minimum` and `maximum` are in base units, `flag` overrides it on the command
    line, `optional` means that it has no value unless given."""

    kind: Kind
    doc: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    flag: str | None = None
    optional: bool = False


def setting(kind: Kind, default: object, doc: str, **spec: Any) -> Any:
    """A dataclass field whose default is written as a user would write it."""
    declared = SettingSpec(kind=kind, doc=doc, optional=default is None, **spec)
    metadata = {"setting": declared}
    if default is None:
        return field(default=None, metadata=metadata)
    if kind is Kind.TEXTS:
        return field(default=(), metadata=metadata)
    return field(default=convert(declared, default), metadata=metadata)


def settings_of(section: Any) -> Iterator[tuple[str, str, SettingSpec]]:
    """(key, attribute, declaration) of each setting of a section: `interval` is the key of `interval_seconds`."""
    for one in dataclasses.fields(section):
        if "setting" in one.metadata:
            yield key_of(one.name), one.name, one.metadata["setting"]


def key_of(attribute: str) -> str:
    """The written name: the unit is in the value there."""
    for suffix in _UNIT_SUFFIXES:
        attribute = attribute.removesuffix(suffix)
    return attribute


def convert(spec: SettingSpec, raw: object) -> Any:
    """The value of what a file says. Raises ValueError with one clause that says what is wrong."""
    value = _CONVERTERS[spec.kind](raw)
    if spec.choices and value not in spec.choices:
        raise ValueError(f"{raw!r} is not one of {', '.join(spec.choices)}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if spec.minimum is not None and value < spec.minimum:
            raise ValueError(f"{raw!r} is too small; the least is {show(spec, spec.minimum)}")
        if spec.maximum is not None and value > spec.maximum:
            raise ValueError(f"{raw!r} is too large; the most is {show(spec, spec.maximum)}")
    return value


def convert_text(spec: SettingSpec, text: str) -> Any:
    """As `convert`, for what the environment or a flag says: numbers, lists and true/false are text there."""
    if spec.kind is Kind.NUMBER:
        try:
            return convert(spec, float(text))
        except OverflowError:
            raise ValueError(f"{text!r} is not a number") from None
    if spec.kind is Kind.FLAG:
        words = {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
        }
        return convert(spec, words.get(text.strip().lower(), text))
    if spec.kind is Kind.TEXTS:
        return convert(spec, [item.strip() for item in text.split(",") if item.strip()])
    return convert(spec, text)


def show(spec: SettingSpec, value: Any) -> Any:
    """A value as a user would write it in TOML (text, number, bool, list), None for a setting without one."""
    if value is None:
        return None
    match spec.kind:
        case Kind.DURATION:
            return format_duration(value)
        case Kind.SIZE:
            return format_size(int(value))
        case Kind.RATE:
            return format_rate(int(value))
        case Kind.PATH:
            return str(value)
        case Kind.TEXTS:
            return list(value)
        case _:
            return value


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"{raw!r} is not text")
    if not raw.strip() or "\0" in raw:
        raise ValueError(f"{raw!r} is empty or holds a NUL")
    return raw


def _path(raw: object) -> Path:
    if isinstance(raw, Path):
        return raw
    try:
        return Path(_text(raw)).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{raw!r}: this user has no home folder") from error


def _url(raw: object) -> str:
    text = _text(raw)
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{raw!r} is not an http:// or https:// address")
    if parts.username or parts.password:
        raise ValueError("an address with a password in it would be shown; use one without")
    return text


def _agent(raw: object) -> str:
    text = _text(raw)
    return text if text.startswith("unix:") and len(text) > len("unix:") else _url(text)


def _pattern(raw: object) -> str:
    text = _text(raw)
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{raw!r} is not a regular expression: {error}") from error
    return text


def _listen(raw: object) -> str:
    return str(parse_listen(_text(raw)))


def _flag(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError(f"{raw!r} is not true or false")
    return raw


def _number(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or raw != raw or abs(raw) == float("inf"):
        raise ValueError(f"{raw!r} is not a number")
    try:
        return float(raw)
    except OverflowError:
        raise ValueError("a number of so many digits is too large") from None


def _date(raw: object) -> str:
    """As ISO 8601. TOML has dates of its own; in quotes they are text."""
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw.isoformat()
    try:
        return date.fromisoformat(_text(raw)).isoformat()
    except ValueError:
        raise ValueError(f"{str(raw)!r} is not a date such as 2026-11-01") from None


def _quantity(parse: Callable[[str], float], what: str, example: str) -> Callable[[object], float]:
    def convert_quantity(raw: object) -> float:
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            raise ValueError(f"{raw} is a bare number; write {what} with its unit, such as {example}")
        return parse(_text(raw))

    return convert_quantity


def _texts(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple):
        raise ValueError(f"{raw!r} is not a list")
    return tuple(_text(item) for item in raw)


_CONVERTERS: dict[Kind, Callable[[object], Any]] = {
    Kind.TEXT: _text,
    Kind.PATH: _path,
    Kind.URL: _url,
    Kind.PATTERN: _pattern,
    Kind.LISTEN: _listen,
    Kind.AGENT: _agent,
    Kind.FLAG: _flag,
    Kind.DURATION: _quantity(parse_duration, "a duration", '"10s"'),
    Kind.SIZE: _quantity(parse_size, "a size", '"64MiB"'),
    Kind.RATE: _quantity(parse_rate, "a rate", '"40GiB/s"'),
    Kind.NUMBER: _number,
    Kind.TEXTS: _texts,
    Kind.DATE: _date,
}
