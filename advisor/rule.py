"""What is a rule, and how are its thresholds declared?

A rule is one file in `advisor/rules/`; its name in kebab case is the public id. Its docstring has four sections, *What it
looks for*, *Why it matters*, *What to do*, *When it is wrong*, which `explain`, the docs and the HTTP API show.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Need, Subject
from advisor.gpu.devices import DEVICE
from advisor.view import View

Proof = Literal["live", "recorded", "built"]
Recovers = Literal["waiting", "cores", "work", "latency", "memory", "device", "nothing"]
"""Where a rule's gain comes from, so that gains of several changes can be put together: `waiting` time that threads wait or
spin for each other, `cores` that the service could use and does not, `work` that a request needs not cost, `latency` alone,
`memory` alone, what a `device` leaves undone. Changes that recover the same share what there is to recover."""


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """A setting of a rule: the finding starts at `enter` and stands until `leave` is passed."""

    enter: float
    leave: float | None = None
    unit: str
    doc: str


class Settings(msgspec.Struct, frozen=True):
    """A rule's thresholds as they hold now: `leave` while the finding stands, else `enter`."""

    thresholds: Mapping[str, Threshold]
    overrides: Mapping[str, float] = {}
    standing: bool = False

    def limit(self, name: str) -> float:
        declared = self.thresholds[name]
        if self.standing and declared.leave is not None and name not in self.overrides:
            return declared.leave
        return self.enter(name)

    def enter(self, name: str) -> float:
        """What starts a finding: the threshold that evidence is shown against, also while the finding stands."""
        return self.overrides.get(name, self.thresholds[name].enter)


_COME_FIRST = ("waiting", "cores", "work")

Verdict = Conclusion | Need | None
"""Concluded; had reason to look but lacks something; nothing to say."""


class Rule(ABC):
    """Judges one service in one window. Pure; an exception in it costs its own verdict only."""

    id: ClassVar[str]
    """The name of its file in kebab case."""
    proven: ClassVar[tuple[Proof, ...]] = ()
    """How it was shown to be right: on a live server, a recording, a built host. Empty: experimental, never above info."""
    thresholds: ClassVar[Mapping[str, Threshold]] = {}
    caused_by: ClassVar[tuple[str, ...]] = ()
    """Rules whose finding on the same service explains this one: it then ranks below and carries their id."""
    yields_to: ClassVar[tuple[str, ...]] = ()
    """Rules whose finding on the same service leaves nothing for this one to say."""
    after: ClassVar[tuple[str, ...]] = ()
    """Rules whose change has to be made first where both stand: in the other order it can hurt."""
    recovers: ClassVar[Recovers] = "nothing"
    of_model: ClassVar[bool] = False
    """Whether it would move or change the model itself: see `yields_of`."""
    minimum_samples: ClassVar[int] = 15
    """Loaded seconds without which it says nothing."""
    needs_load: ClassVar[bool] = True
    """Whether it judges seconds under load, from run-queue delays. A rule on what is held or set needs neither."""
    of_trend: ClassVar[bool] = False
    """Whether it judges hours, so that another minute of the same makes it no surer: its confidence is as it says."""
    of_orphans: ClassVar[bool] = False
    """Whether it judges workers whose front-end is gone; no other rule has anything to say of those."""
    of_devices: ClassVar[bool] = False
    """Whether it judges one GPU, whoever uses it; its view is one of `advisor.gpu.devices`. `caused_by` and `yields_to` then
    mean rules on the same device."""
    hold_seconds: ClassVar[float] = 900.0
    """How long a finding stands after its last confirmation: against noise only, a changed lever ends it at once."""

    def __init_subclass__(cls) -> None:
        cls.id = cls.__module__.rpartition(".")[2].replace("_", "-")

    @abstractmethod
    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        """The verdict on this service in this window."""


def subject_of(view: View) -> Subject:
    """The service; of the view of a device, that device with the processes that are known on it."""
    if view.service.framework == DEVICE:
        pids = tuple(p.worker.pid for g in view.gpus for p in g.own if p.worker is not None)
        return Subject(kind="device", name=view.service.name, pids=pids)
    return Subject(kind="service", name=view.service.name, pids=view.service.pids)


def evidence(view: View, metric: str, unit: str, observed: float, threshold: float | None = None) -> Evidence:
    """An observed number of this window, rounded to what is worth reading."""
    return Evidence(
        metric=metric,
        unit=unit,
        observed=round(observed, 4),
        threshold=None if threshold is None else round(threshold, 4),
        window_seconds=round(view.window_seconds, 1),
        samples=view.samples,
    )


def if_known(
    view: View, metric: str, unit: str, observed: float | None, threshold: float | None = None
) -> tuple[Evidence, ...]:
    """As `evidence`; nothing where the number could not be read."""
    return () if observed is None else (evidence(view, metric, unit, observed, threshold),)


def asked(view: View) -> tuple[Evidence, ...]:
    """What the clients and the server itself say of the load, as far as it can be read: inputs, compared with nothing."""
    known = (
        ("requests_per_second", "1/s", view.requests_per_second),
        ("mean_latency_seconds", "seconds", view.latency_seconds),
        ("server_queue", "requests", view.server_queue),
        ("established_connections", "connections", view.established),
    )
    return tuple(evidence(view, name, unit, value) for name, unit, value in known if value is not None)


def yields_of(rule: Rule, others: Iterable[Rule]) -> tuple[str, ...]:
    """Rules beside which this one says nothing: those that it names, and of a rule that would move or change the model all
    that recover waiting, cores or work by other means. What those mend would pass as its gain."""
    if not rule.of_model:
        return rule.yields_to
    first = (other.id for other in others if other.recovers in _COME_FIRST and not other.of_model)
    return tuple(dict.fromkeys((*rule.yields_to, *first)))
