"""What can a service do over all its nodes, how much of that is used at peak, and what does it cost?"""

from collections import defaultdict
from collections.abc import Iterator

from advisor.costs import AT_CAPACITY
from advisor.finding import Severity
from advisor.fleet.figures import Figures
from advisor.fleet.items import MOST_NODES, FleetInconclusive, FleetItem, Number, Told, named

HOUR = 3600.0
DAY = 24 * HOUR


def headroom(figures: Figures) -> Iterator[Told]:
    for service in figures.all_services:
        nodes = figures.seen(service)
        if not nodes:
            continue
        most, low = figures.of("capacity", service), figures.of("capacity_low", service)
        peak = figures.of("requests_peak", service)
        known = [node for node in nodes if node in most and node in peak]
        sources = figures.promql("capacity", "capacity_low", "requests_peak")
        if not known:
            needs = (
                f"capacity on none of {len(nodes)} nodes: requests a second from its metrics page and some load, or a "
                "nodewright loadtest"
            )
            yield FleetInconclusive(kind="headroom", service=service, needs=needs, promql=sources)
            continue
        able, least = sum(most[node] for node in known), sum(low.get(node, most[node]) for node in known)
        load = sum(peak[node] for node in known)
        spare = len(known) - 1 >= 1 and load <= AT_CAPACITY * (least - max(low.get(n, most[n]) for n in known))
        limits = [_since(figures)] if figures.asking.since_seconds < DAY else []
        if len(known) < len(nodes):
            limits.append(
                f"{len(nodes) - len(known)} of {len(nodes)} nodes tell no capacity or no rate and are left out"
            )
        yield FleetItem(
            kind="headroom",
            severity=Severity.INFO if load <= AT_CAPACITY * least else Severity.LOW,
            service=service,
            title=f"{_percent(1 - load / able)} headroom at peak over {len(known)} nodes" if able else "it can do nothing",
            summary=f"{load:.4g} of {able:.4g} requests/s (at least {least:.4g}); "
            + ("the largest node can be lost" if spare else "without its largest node it is beyond 85 % of what is sure"),
            nodes=tuple(known[:MOST_NODES]),
            node_count=len(known),
            numbers=(
                Number(name="peak of requests (sum of nodes' 95 % points)", unit="per second", value=load),
                Number(name="capacity", unit="per second", value=able),
                Number(name="least capacity", unit="per second", value=least),
            ),
            promql=sources,
            limits=tuple(limits),
        )  # fmt: skip


def cost(figures: Figures) -> Iterator[Told]:
    for service in figures.all_services:
        nodes, share, rates = figures.seen(service), figures.of("share", service), figures.of("requests", service)
        priced = [node for node in nodes if node in share and node in figures.prices]
        sources = figures.promql("share", "price", "requests")
        without = [node for node in nodes if node not in figures.prices]
        if nodes and not priced:
            needs = (
                f"[prices] on {len(without)} nodes ({named(without)})" if without else "load: what idles has no share"
            )
            yield FleetInconclusive(kind="cost", service=service, needs=needs, promql=sources)
        by_currency: dict[str, list[str]] = defaultdict(list)
        for node in priced:
            by_currency[figures.prices[node][0]].append(node)
        for currency, those in sorted(by_currency.items()):
            hourly = sum(share[node] * figures.prices[node][1] for node in those)
            rate, told = sum(rates.get(node, 0.0) for node in those), sum(node in rates for node in those)
            whole = told == len(those) and rate > 0
            each = f", {hourly / (3.6 * rate):.4g} {currency} per 1000 requests" if whole else ""
            yield FleetItem(
                kind="cost",
                severity=Severity.INFO,
                service=service,
                title=f"{hourly:.4g} {currency} an hour on {len(those)} nodes{each}",
                summary="its share of the cores used on each node × the node's price, added up",
                nodes=tuple(those[:MOST_NODES]),
                node_count=len(those),
                numbers=(
                    Number(name="cost", unit=f"{currency}/hour", value=hourly),
                    Number(name="requests", unit="per second", value=rate),
                ),
                promql=sources,
                limits=tuple(_cost_limits(len(nodes) - len(priced), len(those) - told)),
            )


def _cost_limits(left_out: int, no_rate: int) -> Iterator[str]:
    if left_out:
        yield f"{left_out} more nodes have no price or no share and are left out"
    if no_rate:
        yield f"{no_rate} nodes tell no rate: what a request costs is not told"


def _since(figures: Figures) -> str:
    return f"the peak of {figures.asking.since_seconds / HOUR:.3g} h only: --since 24h holds a day's"


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"
