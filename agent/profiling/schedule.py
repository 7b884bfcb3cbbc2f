"""Which process is looked into next, how, and why? A pure choice over what is known."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from agent.profiling.scene import ServiceScene
from collectors.entities import WorkerKey

FIRST_LOOK_SECONDS = 6
"""Seconds of load after which a service is looked into once, so that rules need not wait for it."""
BLIND_LOOK_SECONDS = 12
"""The same where nothing shows that somebody asks."""
ASKED_AGAIN_SECONDS = 60.0
RENEW_SECONDS = 240.0
"""A profile on which a judgement rests is renewed before rules take it for old (`advisor.profiling.asking`)."""

Why = Literal["first", "asked", "renewed"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A burst to take of one process."""

    scene: ServiceScene
    key: WorkerKey
    why: Why
    reason: str


def next_orders(
    scenes: Sequence[ServiceScene], taken_at: Mapping[WorkerKey, float], tried_at: Mapping[str, float],
    now: float, may_renew: Callable[[], bool],
) -> list[Order]:  # fmt: skip
    """The bursts to take now, of one service. `taken_at`: when each process's newest profile of this configuration was
    taken; `tried_at`: when each service was last looked into, successfully or not."""
    for scene in sorted(scenes, key=lambda s: (not s.asking, tried_at.get(s.service.id, 0.0))):
        if not scene.loaded or not scene.chosen:
            continue
        known = [taken_at[key] for key in scene.chosen if key in taken_at]
        least = FIRST_LOOK_SECONDS if scene.clients else BLIND_LOOK_SECONDS
        unseen = len(known) < len(scene.chosen) and scene.loaded_seconds >= least
        waited = now - tried_at.get(scene.service.id, float("-inf"))
        if waited < ASKED_AGAIN_SECONDS:
            continue
        if unseen and not any(worker.key in taken_at for worker in scene.service.workers):
            return _orders(scene, "first", "the first look at a loaded service")
        if scene.asking:
            return _orders(scene, "asked", ", ".join(scene.asking))
        if unseen and may_renew():  # of many workers another is the busiest at each judgement
            return _orders(scene, "renewed", "a worker that was not looked into yet")
        if known and now - min(known) >= RENEW_SECONDS and waited >= RENEW_SECONDS and may_renew():
            return _orders(scene, "renewed", "the last profile is getting old")
    return []


def next_probe(
    scenes: Sequence[ServiceScene], probed_at: Mapping[WorkerKey, float]
) -> tuple[ServiceScene, WorkerKey] | None:
    """The busy process that was not looked at for longest."""
    busy = [(scene, key) for scene in scenes if scene.loaded for key in scene.busy]
    return min(busy, key=lambda pair: probed_at.get(pair[1], 0.0)) if busy else None


def _orders(scene: ServiceScene, why: Why, reason: str) -> list[Order]:
    return [Order(scene=scene, key=key, why=why, reason=reason) for key in scene.chosen]
