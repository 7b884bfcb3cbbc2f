"""What does a server's metrics page say, in the words of its framework's MetricMap?

A page becomes totals; `collectors.pages.serving_samples` compares them with those of the page before.
"""

import re
from collections.abc import Collection, Iterable
from math import isfinite

import msgspec

from collectors.metric_map import MetricMap
from collectors.pages.page_lines import labels_of, parse_line
from collectors.pages.quantiles import Buckets, buckets_of
from collectors.pages.serving_plan import GAUGES, Plan, Target, plan_of
from collectors.reading import Unreadable

MODEL_LIMIT = 32
"""Models of one service that are told apart; on some servers clients can make up names."""
MODEL_NAME_LIMIT = 80
BUCKET_LIMIT = 20_000
"""Buckets of one distribution on one page. With more it is not told how it spreads: they are kept until the next page."""
_STARTED = "process_start_time_seconds "
_DECLARATIONS = ("# TYPE ", "# HELP ")
_LINES = re.compile(r"[^\n]+")
_BOUND = re.compile(r'(?:^|,)[ \t]*le[ \t]*=[ \t]*"([^"\\]*)"')

HistogramKey = tuple[str, str]
"""Name and labels."""
Spread = dict[HistogramKey, Buckets]


class Totals(msgspec.Struct):
    """What a page, or one model on it, says: values as printed, added up over labels (of kv_cache the largest).

    `values`: by the keys of a `Target`; what the page does not tell is absent. `spread`: the histograms of a
    distribution; None = too many buckets, or without an infinite one.
    """

    values: dict[str, float] = {}
    spread: dict[str, Spread | None] = {}

    def add(self, key: str, value: float) -> None:
        held = self.values.get(key)
        if held is None:
            self.values[key] = value
        else:
            self.values[key] = max(held, value) if key == "kv_cache" else held + value

    def fill(self, keys: Iterable[str]) -> None:
        """A counter that is declared and has no series has counted nothing."""
        for key in keys:
            if key not in GAUGES:
                self.values.setdefault(key, 0.0)


class Page(msgspec.Struct):
    """A whole page: the totals of the service, and those of its models where it names more than one."""

    service: Totals
    models: dict[str, Totals] = {}
    process_started: str | None = None
    """Start of the process that printed it, as printed; None = it does not say."""


def read_page(text: str, names: MetricMap, known_models: Collection[str] = ()) -> Page:
    """The totals of a page; of more models than are told apart, `known_models` come first. Raises Unreadable if the page
    is not of such a server, or damaged.

    A counter that the page declares, or prints with other labels only, is zero: a series appears when it first counts.
    """
    reader = _Reader(plan_of(names), names.model_label)
    marked = False
    process_started: str | None = None
    for found in _LINES.finditer(text):
        line = found[0]
        marked = marked or (bool(names.marks) and _has_mark(line, names.marks))
        if line.startswith(_STARTED):
            process_started = line[len(_STARTED) :].strip()
        reader.take(line)
    if not (marked or (reader.seen and not names.marks)):
        raise Unreadable("the page holds none of the server's metrics", "check its address in the server's settings")
    page = reader.page(known_models)
    page.process_started = process_started
    return page


class _Reader:
    """Collects the wanted series of one page, line by line."""

    def __init__(self, plan: Plan, model_label: str | None) -> None:
        self._plan = plan
        self._model_label = model_label
        self._last_labels: tuple[str, dict[str, str], str] = ("", {}, "")
        self._series: list[tuple[Target, str, float]] = []
        self._printed: set[str] = set()
        self._buckets: dict[str, dict[HistogramKey, dict[float, float]]] = {}
        self._bucket_counts: dict[str, int] = {}
        self._model_of: dict[HistogramKey, str] = {}
        self._unknown: set[str] = set()
        self.seen: set[str] = set()
        """Keys of which the page says something, if only that they exist."""

    def take(self, line: str) -> None:
        found = self._plan.targets.get(_name_of(line))
        if found is None:
            if line.startswith("# TYPE "):
                self.seen |= self._plan.families.get(_name_of(line[7:]), frozenset())
            return
        name, text, value = parse_line(line)
        for target in found:
            if target.bucket:
                self._take_bucket(target, name, text, value)
            else:
                self._take_value(target, text, value)

    def _take_value(self, target: Target, text: str, value: float) -> None:
        self.seen.add(target.key)
        labels = labels_of(text) if target.where or self._model_label else {}
        if not target.matches(labels):
            return
        if isfinite(value):
            self._series.append((target, self._model(labels), value))
            self._printed.add(target.name)
        else:
            self._unknown.add(target.key)

    def _take_bucket(self, target: Target, name: str, text: str, value: float) -> None:
        if self._bucket_counts.get(target.key, 0) > BUCKET_LIMIT:
            return
        bound, rest = _bound_of(text)
        labels, own_name = self._labels_beside_bound(rest)
        if bound is None or not isfinite(value) or not target.matches(labels):
            return
        self._bucket_counts[target.key] = self._bucket_counts.get(target.key, 0) + 1
        held = self._buckets.setdefault(target.key, {}).setdefault((name, own_name), {})
        held[bound] = held.get(bound, 0.0) + value
        self._model_of[name, own_name] = self._model(labels)

    def _labels_beside_bound(self, text: str) -> tuple[dict[str, str], str]:
        """The labels and one name for the set of them. The buckets of a histogram, mostly printed one after the other,
        have them in common."""
        if text != self._last_labels[0]:
            labels = labels_of(text)
            self._last_labels = text, labels, "\x1f".join(sorted(f"{k}={v}" for k, v in labels.items()))
        return self._last_labels[1:]

    def _model(self, labels: dict[str, str]) -> str:
        """Its name as it may be shown; empty if the series is of none."""
        name = labels.get(self._model_label, "") if self._model_label else ""
        name = name[:MODEL_NAME_LIMIT]
        return name if name.isprintable() else "".join(char if char.isprintable() else "?" for char in name)

    def page(self, known_models: Collection[str]) -> Page:
        names = {model for _, model, _ in self._series if model}
        kept = sorted(names, key=lambda name: (name not in known_models, name))[:MODEL_LIMIT]
        found = Page(Totals(), {name: Totals() for name in kept} if len(names) > 1 else {})
        for target, model, value in self._series:
            if target.other_name in self._printed and target.other_name != target.name:
                continue
            found.service.add(target.key, value)
            if model in found.models:
                found.models[model].add(target.key, value)
        found.service.fill(self.seen - self._unknown)
        of_models = {key for totals in found.models.values() for key in totals.values}
        for totals in found.models.values():
            totals.fill(of_models)
        for key, histograms in self._buckets.items():
            whole = _spread(histograms) if self._bucket_counts[key] <= BUCKET_LIMIT else None
            found.service.spread[key] = whole
            for model, totals in found.models.items():
                own = None if whole is None else {k: b for k, b in whole.items() if self._model_of[k] == model}
                totals.spread[key] = own
        return found


def _spread(histograms: dict[HistogramKey, dict[float, float]]) -> Spread | None:
    shared: dict[tuple[float, ...], tuple[float, ...]] = {}
    found: Spread = {}
    for key, counts in histograms.items():
        buckets = buckets_of(counts)
        if buckets is None:
            return None
        found[key] = Buckets(shared.setdefault(buckets.bounds, buckets.bounds), buckets.counts)
    return found


def _has_mark(line: str, marks: tuple[str, ...]) -> bool:
    """Whether a line begins so, or declares a name that does: a server without requests may print no series yet."""
    return line.startswith(marks) or (line.startswith(_DECLARATIONS) and line[7:].startswith(marks))


def _name_of(line: str) -> str:
    """The first word, ended by a space or by labels; before all else, as most lines are not wanted."""
    end = line.find("{")
    words = (line if end < 0 else line[:end]).split(None, 1)
    return words[0] if words else ""


def _bound_of(text: str) -> tuple[float | None, str]:
    """The upper bound of a bucket, None if it is no number, and the text of the labels beside it."""
    found = _BOUND.search(text)
    if found is not None and text.count('le="') == 1:
        number, rest = found[1], text[: found.start()] + text[found.end() :]
    else:  # another label may end so, or hold it
        labels = labels_of(text)
        number = labels.pop("le", "")
        rest = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    try:
        bound = float(number)
    except ValueError:
        return None, rest
    return (None if bound != bound else bound), rest.lstrip(", \t")


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
