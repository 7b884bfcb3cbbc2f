"""What is kept of a tick of the running agent, so that it can be played again?"""

from collections.abc import Mapping

import msgspec

from collectors.entities import Service, WorkerKey
from collectors.facts import ProcessFacts
from collectors.reading import Instant, Reading


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the agent. `started_ns` (Unix time) names it. `settings` and `topology` are JSON; `rules`: version by rule."""

    started_ns: int
    node: str
    version: str
    ticks_per_second: int
    interval_ns: int
    settings: bytes
    topology: bytes
    rules: Mapping[str, str] = {}


class Present(msgspec.Struct, frozen=True):
    """The services that are there, and what is known of their processes. Neither changes any more."""

    services: tuple[Service, ...]
    facts: Mapping[WorkerKey, ProcessFacts]


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """One tick. `present`: what is there as of this tick. `judged`: whether the rules judged after it."""

    at: Instant
    readings: tuple[Reading, ...]
    judged: bool
    present: Present
