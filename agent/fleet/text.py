"""How does advice across nodes read as text?"""

from collections.abc import Iterator

from advisor.fleet.items import FleetDocument, FleetItem, Number
from collectors.units import format_duration

_SHOWN = 5
"""Of the numbers of single nodes."""


def render(document: FleetDocument) -> str:
    return "\n".join(_lines(document))


def _lines(document: FleetDocument) -> Iterator[str]:
    window = format_duration(document.since_seconds)
    yield f"{document.node_count} nodes, {document.service_count} services, last {window}  {document.at}"
    yield from (f"note: {note}" for note in document.notes)
    for item in document.items:
        yield ""
        yield from _item(item)
    if document.inconclusive:
        yield "\ncannot tell:"
    for one in document.inconclusive:
        yield f"  {one.kind} {one.service or 'all services'}: needs {one.needs}"
    if not document.items and not document.inconclusive:
        yield "\nnothing to say: no service was seen on several nodes"


def _item(item: FleetItem) -> Iterator[str]:
    yield f"[{item.severity}] {item.kind} {item.service or 'all nodes'}: {item.title}"
    yield f"  {item.summary}"
    shared = [one for one in item.numbers if one.node is None]
    single = [one for one in item.numbers if one.node is not None]
    yield "  " + "; ".join(_number(one) for one in shared)
    yield from (f"  {one.node}: {_number(one)}" for one in single[:_SHOWN])
    yield from (f"  limit: {limit}" for limit in item.limits)
    yield from (f"  from: {promql}" for promql in item.promql)


def _number(one: Number) -> str:
    return f"{one.name} = {one.value:.4g} {one.unit}"
