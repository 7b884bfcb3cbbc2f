"""Which findings stand on several nodes, so that one change ends them all? Which work may move to a GPU?"""

from collections.abc import Iterator, Mapping

from advisor.finding import Severity
from advisor.fleet.figures import Figures
from advisor.fleet.items import MOST_NODES, FleetInconclusive, FleetItem, Number, Told, named

CANDIDATE = "gpu-migration-candidate"


def same_findings(figures: Figures) -> Iterator[Told]:
    for (rule, service), nodes in sorted(figures.findings.items()):
        if rule == CANDIDATE or len(nodes) < 2:
            continue
        total = len(figures.services["samples"].get(service, {})) if service else len(figures.all_nodes)
        names = sorted(nodes)
        yield FleetItem(
            kind="same-finding",
            severity=_worst(nodes),
            service=service or None,
            title=f"{rule} on {len(nodes)} of {max(total, len(nodes))} nodes",
            summary=f"{named(names)}; nodewright explain {rule} says what it is, and each node's advice names the change: "
            "make it once, where they are deployed",
            nodes=tuple(names[:MOST_NODES]),
            node_count=len(names),
            numbers=tuple(Number(name=f"nodes at {severity}", unit="nodes", value=count) for severity, count in _counts(nodes)),
            promql=figures.promql("finding"),
        )  # fmt: skip


def gpu_candidates(figures: Figures) -> Iterator[Told]:
    for (rule, service), nodes in sorted(figures.findings.items()):
        if rule != CANDIDATE:
            continue
        names, used = sorted(nodes), figures.of("used_cores", service)
        rates = figures.of("requests", service)
        known = sorted(node for node in names if node in used)
        yield FleetItem(
            kind="gpu-candidate",
            severity=_worst(nodes),
            service=service or None,
            title=f"its work may be worth moving to a GPU on {len(names)} nodes",
            summary=f"{named(names)}; {sum(used[node] for node in known):.3g} cores used on {len(known)} of them; "
            "nodewright migrate on one of them says to which device and what it brings",
            nodes=tuple(names[:MOST_NODES]),
            node_count=len(names),
            numbers=(
                Number(name="cores used", unit="cores", value=sum(used[node] for node in known)),
                Number(name="requests", unit="per second", value=sum(rates.get(node, 0.0) for node in names)),
            ),
            promql=figures.promql("finding", "used_cores", "requests"),
            limits=("an estimate of each node: one device may serve several of them",),
        )
    for (service, needs), found in sorted(figures.missing.items()):
        text = f"{needs} on {len(found)} nodes ({named(sorted(found))}): nodewright migrate there says what exactly"
        yield FleetInconclusive(kind="gpu-candidate", service=service, needs=text, promql=figures.promql("missing"))


def _worst(nodes: Mapping[str, str]) -> Severity:
    known = [Severity(one) for one in nodes.values() if one in set(Severity)]
    return max(known, key=lambda one: one.level, default=Severity.INFO)


def _counts(nodes: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    for severity in reversed(list(Severity)):
        if count := sum(one == severity for one in nodes.values()):
            yield severity, count
