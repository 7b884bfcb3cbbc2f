"""What is known of all nodes: figures by node and service, each with the query that it came from."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from advisor.fleet.queries import PER_NODE, PER_SERVICE, Asking

Labels = Mapping[str, str]
Vector = Iterable[tuple[Labels, float]]
LEAST_SAMPLES = 10
"""Of a service on a node within the window; with less nothing is said of it."""


@dataclass(frozen=True)
class Figures:
    """`services`: figure to service to node to value. A figure that a node does not tell is absent there."""

    asking: Asking
    services: Mapping[str, Mapping[str, Mapping[str, float]]]
    nodes: Mapping[str, Mapping[str, float]]
    versions: Mapping[str, frozenset[str]]
    prices: Mapping[str, tuple[str, float]]
    """Node to currency and price of an hour."""
    findings: Mapping[tuple[str, str], Mapping[str, str]]
    """Rule and service (empty: the node itself) to node to severity."""
    missing: Mapping[tuple[str, str], frozenset[str]]
    """Service and what kind of thing is missing to judge a move to a GPU, to nodes."""
    queries: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def all_nodes(self) -> frozenset[str]:
        return frozenset(node for nodes in self.versions.values() for node in nodes)

    @cached_property
    def all_services(self) -> tuple[str, ...]:
        return tuple(sorted(self.services["samples"]))

    def seen(self, service: str) -> tuple[str, ...]:
        """Nodes with enough samples of the service."""
        samples = self.services["samples"].get(service, {})
        return tuple(sorted(node for node, count in samples.items() if count >= LEAST_SAMPLES))

    def of(self, figure: str, service: str) -> dict[str, float]:
        """Of those nodes, where they tell it."""
        known = self.services[figure].get(service, {})
        return {node: known[node] for node in self.seen(service) if node in known}

    def promql(self, *figures: str) -> tuple[str, ...]:
        return tuple(self.queries[name] for name in figures)


def figures_of(asking: Asking, vectors: Mapping[str, Vector]) -> Figures:
    """`vectors`: the answers, by the figure's name."""
    label = asking.node_label
    services: dict[str, dict[str, dict[str, float]]] = {name: defaultdict(dict) for name in PER_SERVICE}
    for name in PER_SERVICE:
        for labels, value in _named(vectors[name], label):
            services[name][labels.get("service", "")][labels[label]] = value
    nodes = {name: {labels[label]: value for labels, value in _named(vectors[name], label)} for name in PER_NODE}
    versions: dict[str, set[str]] = defaultdict(set)
    for labels, _ in _named(vectors["version"], label):
        versions[labels.get("version", "")].add(labels[label])
    findings: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for labels, value in _named(vectors["finding"], label):
        if value > 0:
            findings[(labels.get("rule", ""), labels.get("service", ""))][labels[label]] = labels.get(
                "severity", "info"
            )
    missing: dict[tuple[str, str], set[str]] = defaultdict(set)
    for labels, _ in _named(vectors["missing"], label):
        missing[(labels.get("service", ""), labels.get("needs", ""))].add(labels[label])
    return Figures(
        asking=asking, services=services, nodes=nodes, queries=asking.queries(),
        versions={version: frozenset(found) for version, found in versions.items()},
        prices={labels[label]: (labels.get("currency", ""), value) for labels, value in _named(vectors["price"], label)},
        findings=findings, missing={key: frozenset(found) for key, found in missing.items()},
    )  # fmt: skip


def _named(vector: Vector, label: str) -> Iterator[tuple[Labels, float]]:
    return ((labels, value) for labels, value in vector if labels.get(label))
