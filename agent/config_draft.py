"""How do the sources of settings add up to one configuration with an origin per value?"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from typing import Any

from agent.config import (
    FREE_SECTIONS,
    LEAST_MONEY,
    MOST_MONEY,
    NAMED_SECTIONS,
    PLAIN_SECTIONS,
    Config,
    NodesSettings,
    NotifySettings,
    RuleSettings,
    ServiceSettings,
)
from agent.errors import CliError
from agent.prices import is_too_little
from agent.settings import Kind, SettingSpec, convert, convert_text, settings_of
from collectors.units import parse_duration

RuleThresholds = Mapping[str, frozenset[str]]
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_THRESHOLD = SettingSpec(kind=Kind.NUMBER, doc="A threshold of the rule.")
_PRICES = ("hourly", "purchase_price", "power_price_per_kwh")
_MONEY = (*_PRICES, "power_watts")


class Draft:
    """Settings while the sources are read, the later over the earlier. Keys are paths: (section, [name,] key)."""

    def __init__(self, rule_thresholds: Callable[[], RuleThresholds]) -> None:
        self._rule_thresholds = rule_thresholds
        self._values: dict[tuple[str, ...], Any] = {}
        self._origins: dict[tuple[str, ...], str] = {}

    def add_section(self, where: str, origin: str, section: str, table: Mapping[str, Any]) -> None:
        """One top-level table of a file. Raises CliError naming `where` and the key."""
        if section in PLAIN_SECTIONS:
            specs = {key: spec for key, _, spec in settings_of(PLAIN_SECTIONS[section])}
            self._add_keys(where, origin, (section,), specs, table)
        elif section in FREE_SECTIONS:
            self._add_free(where, origin, (section,), table)
        else:
            for name, entry in table.items():
                if not isinstance(entry, dict):
                    hint = f'write [{section}."NAME"]'
                    raise CliError("config.bad-value", f"{where}: {dotted((section, name))} is not a table", hint)
                specs = self._named_specs(where, section, name)
                self._values.setdefault((section, name), None)
                self._add_keys(where, origin, (section, name), specs, entry)

    def set(self, key: str, raw: object, origin: str, where: str) -> None:
        """A plain setting by its dotted key, from a value as a file would hold it."""
        self._put(where, origin, tuple(key.split(".")), _spec(key), raw, convert)

    def set_text(self, key: str, text: str, origin: str, where: str) -> None:
        """A plain setting by its dotted key, from text of the environment or a flag."""
        self._put(where, origin, tuple(key.split(".")), _spec(key), text, convert_text)

    def add_below(self, below: "Draft") -> None:
        """Take over what another draft has been given and this one has not."""
        for path, origin in below._origins.items():
            if path not in self._origins:
                self._values[path], self._origins[path] = below._values[path], origin

    def config(self) -> Config:
        sections: dict[str, Any] = {name: kind(**self._given(kind, (name,))) for name, kind in PLAIN_SECTIONS.items()}
        sections |= {name: self._tree((name,)) for name in FREE_SECTIONS}
        services = {
            name: ServiceSettings(**self._given(ServiceSettings, ("service", name))) for name in self._names("service")
        }
        rules = {name: self._rule(name) for name in self._names("rule")}
        nodes = {name: NodesSettings(**self._given(NodesSettings, ("nodes", name))) for name in self._names("nodes")}
        notify = {
            name: NotifySettings(**self._given(NotifySettings, ("notify", name))) for name in self._names("notify")
        }
        return Config(**sections, service=services, rule=rules, nodes=nodes, notify=notify)

    def origins(self) -> dict[str, str]:
        """Dotted key to origin, defaults included."""
        paths = [(name, key) for name, kind in PLAIN_SECTIONS.items() for key, _, _ in settings_of(kind)]
        named = [
            (section, name, key)
            for section, kind in NAMED_SECTIONS.items()
            for name in self._names(section)
            for key, _, _ in settings_of(kind)
        ]
        found = {dotted(path): "default" for path in (*paths, *named)}
        return found | {dotted(path): origin for path, origin in self._origins.items()}

    def _names(self, section: str) -> list[str]:
        return [path[1] for path in self._values if path[0] == section and len(path) == 2]

    def _add_keys(
        self, where: str, origin: str, path: tuple[str, ...], specs: Mapping[str, SettingSpec], table: Mapping[str, Any]
    ) -> None:
        for key, raw in table.items():
            if key not in specs:
                near = dotted((*path, nearest(key, specs)))
                message = f"{where}: unknown key {dotted((*path, key))}"
                raise CliError("config.unknown-key", message, f"did you mean {near}?")
            self._put(where, origin, (*path, key), specs[key], raw, convert)

    def _add_free(self, where: str, origin: str, path: tuple[str, ...], table: Mapping[str, Any]) -> None:
        for key, raw in table.items():
            inner = (*path, key)
            if isinstance(raw, dict):
                if len(path) > 1:
                    message = f"{where}: {dotted(inner)}: a table, not a number, text or true/false"
                    raise CliError("config.bad-value", message, "see [devices] in the docs")
                self._add_free(where, origin, inner, raw)
                continue
            self._values[inner] = _free_value(where, inner, raw)
            self._origins[inner] = origin

    def _named_specs(self, where: str, section: str, name: str) -> dict[str, SettingSpec]:
        specs = {key: spec for key, _, spec in settings_of(NAMED_SECTIONS[section])}
        if section != "rule":
            return specs
        rules = self._rule_thresholds()
        if name not in rules:
            message = f"{where}: unknown rule {dotted((section, name))}"
            hint = f"did you mean {nearest(name, rules)}?" if rules else "this version has no rules"
            raise CliError("config.unknown-key", message, hint)
        return specs | dict.fromkeys(rules[name], _THRESHOLD)

    def _put(
        self,
        where: str,
        origin: str,
        path: tuple[str, ...],
        spec: SettingSpec,
        raw: Any,
        read: Callable[[SettingSpec, Any], Any],
    ) -> None:
        try:
            self._values[path] = read(spec, raw)
        except ValueError as error:
            message = f"{where}: {dotted(path)}: {error}"
            raise CliError("config.bad-value", message, spec.doc.rstrip(".")) from error
        self._origins[path] = origin

    def _given(self, kind: type, path: tuple[str, ...]) -> dict[str, Any]:
        pairs = [(attribute, (*path, key)) for key, attribute, _ in settings_of(kind)]
        return {attribute: self._values[full] for attribute, full in pairs if full in self._values}

    def _rule(self, name: str) -> RuleSettings:
        given = self._given(RuleSettings, ("rule", name))
        own = {key for key, _, _ in settings_of(RuleSettings)}
        thresholds = {
            path[2]: value
            for path, value in self._values.items()
            if path[:2] == ("rule", name) and len(path) == 3 and path[2] not in own
        }
        return RuleSettings(**given, thresholds=thresholds)

    def _tree(self, path: tuple[str, ...]) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for full, value in self._values.items():
            if full[: len(path)] == path:
                inner = tree
                for part in full[len(path) : -1]:
                    inner = inner.setdefault(part, {})
                inner[full[-1]] = value
        return tree


def dotted(path: Iterable[str]) -> str:
    """A path as TOML writes it: `service."gunicorn/app:8000".slo_p99`."""
    return ".".join(part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path)


def nearest(word: str, words: Iterable[str]) -> str:
    """The most similar of `words`, however little."""
    return difflib.get_close_matches(word, sorted(words), n=1, cutoff=0.0)[0]


def _spec(key: str) -> SettingSpec:
    section, _, name = key.partition(".")
    return next(spec for own, _, spec in settings_of(PLAIN_SECTIONS[section]) if own == name)


def _free_value(where: str, path: tuple[str, ...], raw: object) -> str | float | bool:
    """A price or a fact of a device: loose, but money is a number that is not negative."""
    key = path[-1]
    problem = None
    if isinstance(raw, date | datetime | time):
        raw = raw.isoformat()
    if not isinstance(raw, str | int | float | bool):
        problem = f"{raw!r} is not a number, text or true/false"
    elif key in _MONEY and (isinstance(raw, str | bool) or not 0 <= raw <= MOST_MONEY):
        problem = f"{raw!r} is not a number from 0 to {MOST_MONEY:.0e}"
    elif key in _PRICES and is_too_little(float(raw)):
        problem = f"{raw!r} is above 0 and below {LEAST_MONEY:.0e}"
    elif key == "currency" and not isinstance(raw, str):
        problem = f"{raw!r} is not a currency such as EUR"
    elif key == "amortisation":
        try:
            parse_duration(str(raw))
        except ValueError as error:
            problem = str(error)
    if problem:
        raise CliError("config.bad-value", f"{where}: {dotted(path)}: {problem}", "see [devices] in the docs")
    assert isinstance(raw, str | int | float | bool)
    return raw
