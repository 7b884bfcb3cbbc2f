"""What does an interface need in a test? Plain functions over the example snapshot."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from advisor.documents import RulePage, Snapshot
from advisor.finding import Finding
from advisor.series import Series
from agent.http.deps import AckRequest, HttpDeps
from agent.http.updates import Updates
from collectors.sample import Sample
from tests.snapshots import example_snapshot

TOKEN = "a-token-that-only-the-tests-know"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
RULES = (
    "cpu-oversubscribed-openmp",
    "memory-pressure",
    "context-switch-storm",
    "thread-default-ignores-quota",
    "workers-idle-rightsizing",
    "gil-bound-worker",
)


def rule_pages() -> tuple[RulePage, ...]:
    return tuple(
        RulePage(
            id=name,
            title=name.replace("-", " "),
            proven="built",
            experimental=False,
            looks_for="a look",
            why_it_matters="a reason",
            what_to_do="a change",
            when_it_is_wrong="a limit",
            settings={"waiting_cores": 0.5},
        )
        for name in RULES
    )


def no_samples() -> Mapping[str, Mapping[str, Sample]]:
    return {}


def example_deps(snapshot: Snapshot | None = None, **changes: Any) -> HttpDeps:
    """The example; `changes` replace single dependencies."""
    shown = snapshot or example_snapshot()

    def acknowledge(finding_id: str, asked: AckRequest) -> Finding | None:
        found = next((one for one in shown.advice.findings if one.id == finding_id), None)
        return None if found is None else msgspec.structs.replace(found, state=asked.state)

    def series(kind: str, entity: str, field: str, start: float, end: float, step: float) -> Series:
        if kind != "core":
            raise LookupError(f"there is no kind {kind!r}")
        return Series(unit=f"{kind} {entity} {field}", points=((start, 1.0), (end, step)), resolution="raw")

    deps = HttpDeps(
        snapshot=lambda: shown,
        series=series,
        several=lambda *asked: {},
        acknowledge=acknowledge,
        rules=rule_pages,
        latest=no_samples,
        updates=Updates(),
        token=TOKEN,
        loopback=True,
    )
    return replace(deps, **changes)
