"""Under which names does a page print what a MetricMap asks for?

A trailing `_total` counts on neither side: parsers and clients add and drop it, and a histogram may itself end in it. A page
may print one counter in both ways (as Ray does from 2.10 on): `other_name` says which of them counts.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from collectors.metric_map import Distribution, MetricMap, Series

GAUGES = frozenset(("in_flight", "queue", "kv_cache", "model_bytes", "model_gpu_bytes"))
SPREAD = frozenset(("latency", "first_token", "inter_token"))
"""The distributions whose buckets are read."""
_SUFFIXES = ("_sum", "_count", "_bucket")


class Target(NamedTuple):
    """What the series of one printed name count for: a field of the map, `FIELD.sum` and `FIELD.count` of a distribution,
    `FIELD.total` and `FIELD.number` where it is printed as two counters, or `FIELD` for its buckets."""

    key: str
    where: tuple[tuple[str, re.Pattern[str]], ...]
    name: str
    bucket: bool = False

    @property
    def other_name(self) -> str:
        """Where a page prints this name too, it counts instead: a counter's with `_total`, a gauge's without."""
        return self.name.removesuffix("_total") if self.key in GAUGES else f"{self.name}_total"

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(pattern.fullmatch(labels.get(label, "")) for label, pattern in self.where)


class Plan(NamedTuple):
    """A MetricMap by printed names. `families`: the name in `# TYPE NAME` -> the keys that it declares."""

    targets: Mapping[str, tuple[Target, ...]]
    families: Mapping[str, frozenset[str]]


@lru_cache(maxsize=64)
def plan_of(names: MetricMap) -> Plan:
    targets: dict[str, tuple[Target, ...]] = {}
    families: dict[str, frozenset[str]] = {}
    for printed, target in _targets(names):
        targets[printed] = (*targets.get(printed, ()), target)
        for family in (printed, *(printed.removesuffix(end) for end in _SUFFIXES if printed.endswith(end))):
            if not target.bucket:
                families[family] = families.get(family, frozenset()) | {target.key}
    return Plan(targets, families)


def _targets(names: MetricMap) -> Iterable[tuple[str, Target]]:
    for field, many in names.scalars.items():
        yield from _printed(field, many)
    for field, one in names.distributions.items():
        yield from _of_distribution(field, one)


def _of_distribution(field: str, one: Distribution) -> Iterable[tuple[str, Target]]:
    yield from _printed(f"{field}.sum", one.of, "_sum")
    yield from _printed(f"{field}.count", one.of, "_count")
    if field in SPREAD:
        yield from _printed(field, one.of, "_bucket")
    yield from _printed(f"{field}.total", one.total)
    yield from _printed(f"{field}.number", one.count)


def _printed(key: str, many: Iterable[Series], suffix: str = "") -> Iterable[tuple[str, Target]]:
    for each in many:
        where = tuple((label, re.compile(pattern)) for label, pattern in each.where)
        base = each.name.removesuffix("_total")
        for name in (base, f"{base}_total"):
            yield name + suffix, Target(key, where, name + suffix, bucket=suffix == "_bucket")
