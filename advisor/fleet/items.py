"""What is said of a fleet: items with their numbers and the queries that these came from, and what could not be told."""

from typing import Literal

import msgspec

from advisor.finding import Severity

Kind = Literal["outlier", "same-finding", "headroom", "cost", "gpu-candidate", "packing"]
MOST_NODES = 10
"""That one item names; of the others their number is told."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """`node` None: over all nodes that the item is about."""

    name: str
    unit: str
    value: float
    node: str | None = None


class FleetItem(msgspec.Struct, frozen=True, kw_only=True):
    """`nodes` are the first ten of `node_count`. `limits`: what was not seen, and may make it wrong."""

    kind: Kind
    severity: Severity
    service: str | None
    title: str
    summary: str
    nodes: tuple[str, ...]
    node_count: int
    numbers: tuple[Number, ...]
    promql: tuple[str, ...]
    limits: tuple[str, ...] = ()


class FleetInconclusive(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and could not be told. `needs` says what is missing."""

    kind: Kind
    service: str | None
    needs: str
    promql: tuple[str, ...]


class FleetDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `nodewright fleet` prints. `notes`: what made the answers less than whole."""

    source: str
    at: str
    since_seconds: float
    node_count: int
    service_count: int
    items: tuple[FleetItem, ...]
    inconclusive: tuple[FleetInconclusive, ...]
    notes: tuple[str, ...] = ()


Told = FleetItem | FleetInconclusive


def named(nodes: "list[str] | tuple[str, ...]") -> str:
    """`a, b, c and 9 more`."""
    shown = ", ".join(nodes[:3])
    return f"{shown} and {len(nodes) - 3} more" if len(nodes) > 3 else shown
