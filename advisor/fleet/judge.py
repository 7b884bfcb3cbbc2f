"""What is said of a fleet, the gravest first?"""

from advisor.fleet.figures import Figures
from advisor.fleet.findings import gpu_candidates, same_findings
from advisor.fleet.items import FleetDocument, FleetInconclusive, FleetItem
from advisor.fleet.outliers import outliers
from advisor.fleet.packing import packing
from advisor.fleet.totals import cost, headroom

_PARTS = (same_findings, outliers, headroom, cost, gpu_candidates, packing)


def judged(figures: Figures, source: str, at: str, notes: tuple[str, ...] = ()) -> FleetDocument:
    told = [one for part in _PARTS for one in part(figures)]
    items = [one for one in told if isinstance(one, FleetItem)]
    items.sort(key=lambda one: -one.severity.level)  # the parts stay in order
    if len(figures.versions) > 1:
        counts = ", ".join(f"{version}: {len(nodes)}" for version, nodes in sorted(figures.versions.items()))
        notes = (*notes, f"several versions of nodewright ({counts}): what the older ones do not tell is missing")
    return FleetDocument(
        source=source,
        at=at,
        since_seconds=figures.asking.since_seconds,
        node_count=len(figures.all_nodes),
        service_count=len(figures.all_services),
        items=tuple(items),
        inconclusive=tuple(one for one in told if isinstance(one, FleetInconclusive)),
        notes=notes,
    )
