"""How did the figures of a finding's evidence develop, and of which entities are they added up?"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from advisor.documents import NodeStatus, ServiceStatus, WorkerStatus
from advisor.finding import Evidence, Finding
from advisor.gpu.view import device_name
from advisor.series import EvidenceSeries, Point
from advisor.stored_figures import FIGURES, Figure, Part
from collectors.thread_class import CLASSES

STEPS = 30
LEAST_SECONDS = 60.0
BEFORE = 0.5
"""Of the judged time, that is shown before it."""
_SLOW = {"serving": 10.0}
"""Kinds that are read less often than each second, and every how many seconds."""

Groups = Sequence[Sequence[str]]
"""Entities of one kind. Of those in a group, what is not known is not there (a class of threads that a process has not
begun); a group of which nothing is known at a step leaves the whole sum unknown."""
Read = Callable[[str, Sequence[str], str, float, float, float], Mapping[str, Sequence[Point]]]
"""Kind, entities, field, start, end, step: the points of each entity of which there are any. Raises LookupError for a field
that was never stored."""


class Known(Protocol):
    """What was there at the moment of the finding: a `Snapshot`, or one of the past."""

    @property
    def node(self) -> NodeStatus: ...

    @property
    def services(self) -> tuple[ServiceStatus, ...]: ...

    @property
    def workers(self) -> tuple[WorkerStatus, ...]: ...


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Unix seconds."""

    judged_from: float
    judged_to: float
    start: float
    steps: int
    step: float

    @property
    def end(self) -> float:
        return self.start + self.steps * self.step


def evidence_series(
    finding: Finding, until: float, known: Known, cgroup: str | None, read: Read
) -> tuple[EvidenceSeries, ...]:
    """Of each figure of which something is stored, in the order of the evidence. `until`: the end of what was judged (Unix
    seconds). `cgroup`: entity of the service's."""
    groups = groups_of(finding, known, cgroup)
    found = []
    for one in {one.metric: one for one in finding.evidence}.values():
        figure = FIGURES.get(one.metric)
        if figure is None:
            continue
        span = span_of(one, figure, until)
        values = figure_values(figure, groups, read, span)
        if any(value is not None for value in values):
            found.append(
                EvidenceSeries(
                    metric=one.metric, start=span.start, step_seconds=span.step, judged_from=span.judged_from,
                    judged_to=span.judged_to, values=values,
                )
            )  # fmt: skip
    return tuple(found)


def span_of(evidence: Evidence, figure: Figure, until: float) -> Span:
    """What was judged and half as much before it, at least a minute, in steps that each hold a reading or two."""
    judged = max(1.0, evidence.window_seconds)
    length = max(LEAST_SECONDS, (1 + BEFORE) * judged)
    cadence = 2 * judged / evidence.samples if evidence.samples else 0.0
    slow = max((_SLOW.get(part.kind, 0.0) for part in figure.parts), default=0.0)
    step = float(math.ceil(max(2.0, slow, length / STEPS, min(cadence, length / 6))))
    steps = math.ceil(length / step)
    end = (until // step + 1) * step
    return Span(judged_from=until - judged, judged_to=until, start=end - steps * step, steps=steps, step=step)


def groups_of(finding: Finding, known: Known, cgroup: str | None) -> Mapping[str, Groups]:
    """By kind: whose samples belong to the subject. Of several devices of a service none: which is meant is not said."""
    subject = finding.subject
    service = next((one for one in known.services if one.name == subject.name), None)
    workers = [
        f"worker:{one.pid}:{one.started}"
        for one in known.workers
        if (one.service == subject.name if service is not None else one.pid in subject.pids)
    ]
    devices = [
        gpu.uuid for gpu in known.node.gpus if device_name(gpu.uuid, gpu.index, gpu.name, gpu.parent) == subject.name
    ]
    if service is not None and len(service.gpus) == 1:
        devices = list(service.gpus)
    found: dict[str, Groups] = {
        "worker": [(worker,) for worker in workers],
        "thread_class": [[f"{worker}:{one}" for one in CLASSES] for worker in workers],
        "gpu": [(f"gpu:{uuid}",) for uuid in devices],
    }
    if service is not None:
        found["serving"] = [(f"service:{service.id}",)]
        found["listen"] = [] if service.port is None else [(f"listen:{service.port}",)]
        found["cgroup"] = [] if cgroup is None else [(cgroup,)]
    return found


def figure_values(figure: Figure, groups: Mapping[str, Groups], read: Read, span: Span) -> tuple[float | None, ...]:
    """One a step of the span."""
    over = _added([_part_values(part, groups, read, span) for part in figure.over])
    if figure.per:
        per = _added([_part_values(part, groups, read, span) for part in figure.per])
        over = [a / b if a is not None and b else None for a, b in zip(over, per, strict=True)]
    return tuple(None if value is None else round(value * figure.times, 6) for value in over)


def _part_values(part: Part, groups: Mapping[str, Groups], read: Read, span: Span) -> list[float | None]:
    chosen: Groups = [(part.entity,)] if part.entity is not None else groups.get(part.kind, ())
    entities = [entity for group in chosen for entity in group]
    unknown: list[float | None] = [None] * span.steps
    try:
        points = read(part.kind, entities, part.field, span.start, span.end, span.step) if entities else {}
    except LookupError:
        return unknown
    rows = {entity: _on_steps(its, span) for entity, its in points.items()}
    known = [[rows[entity] for entity in group if entity in rows] for group in chosen]
    each = [_added(group, all_known=False) for group in known if group]
    return _added(each) if each else unknown


def _on_steps(points: Sequence[Point], span: Span) -> list[float | None]:
    found = {round((time - span.start) / span.step): value for time, value in points}
    return [found.get(step) for step in range(span.steps)]


def _added(rows: Iterable[Sequence[float | None]], *, all_known: bool = True) -> list[float | None]:
    """Step by step; None where none is known, and with `all_known` where one is not."""
    added = []
    for values in zip(*rows, strict=True):
        known = [value for value in values if value is not None]
        added.append(sum(known) if known and not (all_known and len(known) < len(values)) else None)
    return added
