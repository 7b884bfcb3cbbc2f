"""What is one family of `/metrics`, and how does prometheus-client take it?"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from agent.http.labels import Labels

if TYPE_CHECKING:
    from prometheus_client import Metric

PREFIX = "nodewright"


class Family(NamedTuple):
    """`name` is without `_total`. One value per set of labels."""

    name: str
    text: str
    counter: bool
    values: Mapping[Labels, float]


def metric_of(family: Family) -> "Metric":
    from prometheus_client import Metric

    metric = Metric(family.name, family.text.rstrip("."), "counter" if family.counter else "gauge")
    full = f"{family.name}_total" if family.counter else family.name
    for labels, value in family.values.items():
        metric.add_sample(full, {key: _encodable(text) for key, text in labels}, value)
    return metric


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
