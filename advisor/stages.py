"""How busy is each stage of a pipeline, and how much could it do?

A stage is a model with some instances, each of which runs one execution at a time. By the utilisation law it is busy for
executions a second × time of one / instances, and at its limit where that comes to one. Its capacity is what it answers now,
divided by that: with batches as they are now.
"""

from collections.abc import Sequence

import msgspec

from advisor.serving_rates import ServingRates
from advisor.view import View


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a pipeline. `busy`: share of the time of its instances; `capacity`: requests a second at which that is one;
    `waited`: share of a request's time there that it waits; None = not told. `batch`: requests an execution."""

    name: str
    instances: int
    rate: float
    latency_seconds: float
    busy: float
    waited: float | None
    batch: float

    @property
    def capacity(self) -> float:
        return self.rate / self.busy

    def capacity_of(self, slow: "Stage") -> float:
        """By how much the pipeline could grow until this stage is its limit instead of `slow`: both see each of its requests,
        so that their busy shares grow alike."""
        return slow.busy / self.busy


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline: its stages that are known, in order; the names of all; those of which nothing is seen here, and those of
    which the number of instances is not known."""

    names: tuple[str, ...]
    stages: tuple[Stage, ...]
    elsewhere: tuple[str, ...]
    uncounted: tuple[str, ...]

    @property
    def told(self) -> str:
        return " → ".join(self.names)

    @property
    def fullest(self) -> Stage:
        return max(self.stages, key=lambda stage: stage.busy)

    @property
    def next_fullest(self) -> Stage | None:
        """Of the others the one that limits the pipeline once the fullest does not."""
        return max((s for s in self.stages if s is not self.fullest), key=lambda stage: stage.busy, default=None)


def lines_of(view: View) -> list[Line]:
    """The pipelines of which at least one stage is known, the one with the fullest stage first."""
    found = [_line(view, chain) for chain in view.service.chains]
    return sorted((line for line in found if line.stages), key=lambda line: -line.fullest.busy)


def _line(view: View, chain: Sequence[str]) -> Line:
    rates = {stage.name: stage.rates for stage in view.stages}
    instances = {model.name: model.instances for model in view.service.models}
    names = tuple(dict.fromkeys(chain))
    known = ((name, rates[name], instances.get(name)) for name in names if name in rates)
    stages = [_stage(name, said, count or 1) for name, said, count in known]
    return Line(
        names=tuple(chain),
        stages=tuple(stage for stage in stages if stage is not None),
        elsewhere=tuple(name for name in names if name not in rates),
        uncounted=tuple(name for name in names if name in rates and not instances.get(name)),
    )


def _stage(name: str, said: ServingRates, instances: int) -> Stage | None:
    """None where the server does not tell, or nothing was answered."""
    rate, latency = said.requests_per_second, said.latency_seconds
    if not rate or not latency:
        return None
    queued = said.queue_seconds
    work = latency - min(latency, queued or 0.0)
    executions = said.batches_per_second if said.batches_per_second else rate
    busy = executions * work / instances
    if busy <= 0:
        return None
    return Stage(
        name=name,
        instances=instances,
        rate=rate,
        latency_seconds=latency,
        busy=busy,
        waited=None if queued is None else min(1.0, queued / latency),
        batch=rate / executions,
    )
