"""A fleet in a test: nodes with one service each, of which single figures are changed."""

from collections.abc import Mapping
from typing import Any

from advisor.fleet.figures import Figures, figures_of
from advisor.fleet.queries import PER_NODE, PER_SERVICE, Asking

SERVICE = "gunicorn/app:8000"
ALIKE: Mapping[str, float] = {
    "samples": 240, "used_cores": 4.0, "used_cores_peak": 6.0, "requests": 100.0, "requests_peak": 120.0, "latency_p99": 0.2,
    "waiting_cores": 0.1, "resident_peak": 8 << 30, "capacity": 300.0, "capacity_low": 250.0, "share": 0.5,
}  # fmt: skip
NODE: Mapping[str, float] = {"cores": 16, "memory": 64 << 30}


def fleet(count: int, more: Mapping[str, Any] | None = None, **changed: Mapping[int, float | None]) -> Figures:
    """`changed`: figure to number of the node to its value there (None: it does not tell it), beside what all have. `more`:
    whole vectors by name."""
    vectors: dict[str, list[tuple[dict[str, str], float]]] = {}
    for name in (*PER_SERVICE, *PER_NODE):
        own = (ALIKE | NODE).get(name)
        values = dict.fromkeys(range(count), own) | dict(changed.get(name, {}))
        vectors[name] = [
            ({"instance": node(number), "service": SERVICE}, value)
            for number, value in values.items()
            if value is not None
        ]
    vectors["version"] = [({"instance": node(number), "version": "0.1.0"}, 1.0) for number in range(count)]
    vectors["price"] = [({"instance": node(number), "currency": "EUR"}, 2.0) for number in range(count)]
    vectors |= {"finding": [], "missing": [], **(more or {})}
    return figures_of(Asking(), vectors)


def node(number: int) -> str:
    return f"node-{number:03d}:9753"


def findings(rule: str, severities: Mapping[int, str], service: str = SERVICE) -> list[tuple[dict[str, str], float]]:
    return [
        ({"instance": node(number), "rule": rule, "service": service, "severity": severity}, 1.0)
        for number, severity in severities.items()
    ]
