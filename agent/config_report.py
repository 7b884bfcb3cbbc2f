"""How are the settings shown, and which schema do they have?"""

from collections.abc import Mapping
from typing import Any

from agent.config import FREE_SECTIONS, NAMED_SECTIONS, PLAIN_SECTIONS, LoadedConfig
from agent.config_draft import dotted
from agent.settings import Kind, SettingSpec, settings_of, show

_DURATION_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*(us|ms|s|min|h|d|w|y)\s*$"
_SIZE_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*(B|[KMGT]iB|[kMGT]B)\s*$"
_RATE_PATTERN = _SIZE_PATTERN.removesuffix("$") + r"/\s*s\s*$"


def shown_settings(loaded: LoadedConfig) -> list[dict[str, Any]]:
    """Each setting with its value as written and its origin. No setting is a secret: the token is in its own file."""
    rows = []
    for name, kind in PLAIN_SECTIONS.items():
        rows += _rows(loaded, (name,), kind, getattr(loaded.config, name))
    for section, kind in NAMED_SECTIONS.items():
        for name, entry in getattr(loaded.config, section).items():
            rows += _rows(loaded, (section, name), kind, entry)
            for key, value in getattr(entry, "thresholds", {}).items():
                rows.append(_row(loaded, (section, name, key), value))
    for section in FREE_SECTIONS:
        rows += _free_rows(loaded, (section,), getattr(loaded.config, section))
    return rows


def as_text(rows: list[dict[str, Any]]) -> str:
    """One line a setting: `key = value`, then its origin."""
    left = [f"{row['key']} = {_literal(row['value'])}" for row in rows]
    width = min(60, max(map(len, left), default=0))
    return "\n".join(f"{text:<{width}}  # {row['origin']}" for text, row in zip(left, rows, strict=True))


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a configuration file."""
    properties: dict[str, Any] = {name: _section_schema(kind) for name, kind in PLAIN_SECTIONS.items()}
    for name, kind in NAMED_SECTIONS.items():
        entry = _section_schema(kind)
        if name == "rule":
            entry["additionalProperties"] = {"type": "number", "description": "A threshold of the rule."}
        properties[name] = {"type": "object", "additionalProperties": entry, "description": entry["description"]}
    for name in FREE_SECTIONS:
        properties[name] = {"type": "object", "description": "Free table: currency, hourly, purchase_price, …"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nodewright configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _rows(loaded: LoadedConfig, path: tuple[str, ...], kind: type, section: object) -> list[dict[str, Any]]:
    return [
        _row(loaded, (*path, key), show(spec, getattr(section, attribute)))
        for key, attribute, spec in settings_of(kind)
    ]


def _row(loaded: LoadedConfig, path: tuple[str, ...], value: object) -> dict[str, Any]:
    key = dotted(path)
    return {"key": key, "value": value, "origin": loaded.origins.get(key, "default")}


def _free_rows(loaded: LoadedConfig, path: tuple[str, ...], table: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for key, value in table.items():
        inner = (*path, key)
        rows += _free_rows(loaded, inner, value) if isinstance(value, Mapping) else [_row(loaded, inner, value)]
    return rows


def _literal(value: object) -> str:
    match value:
        case None:
            return "(not set)"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case list():
            return "[" + ", ".join(f'"{item}"' for item in value) + "]"
        case _:
            return str(value)


def _section_schema(kind: type) -> dict[str, Any]:
    section = kind()
    return {
        "type": "object",
        "description": (kind.__doc__ or "").replace("`", ""),
        "additionalProperties": False,
        "properties": {
            key: _schema(spec, show(spec, getattr(section, attribute))) for key, attribute, spec in settings_of(kind)
        },
    }


def _schema(spec: SettingSpec, default: object) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": spec.doc} | ({} if default is None else {"default": default})
    if spec.choices:
        return schema | {"enum": list(spec.choices)}
    match spec.kind:
        case Kind.FLAG:
            return schema | {"type": "boolean"}
        case Kind.DURATION:
            return schema | {"type": "string", "pattern": _DURATION_PATTERN}
        case Kind.SIZE:
            return schema | {"type": "string", "pattern": _SIZE_PATTERN}
        case Kind.RATE:
            return schema | {"type": "string", "pattern": _RATE_PATTERN}
        case Kind.TEXTS:
            return schema | {"type": "array", "items": {"type": "string"}}
        case Kind.NUMBER:
            bounds = {"minimum": spec.minimum, "maximum": spec.maximum}
            return schema | {"type": "number"} | {k: v for k, v in bounds.items() if v is not None}
        case Kind.URL:
            return schema | {"type": "string", "format": "uri"}
        case Kind.DATE:
            return schema | {"type": "string", "format": "date"}
        case _:
            return schema | {"type": "string", "minLength": 1}
