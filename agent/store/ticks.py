"""What is kept of a tick of the running agent, so that it can be played again?"""

from collections.abc import Mapping

import msgspec

from collectors.entities import Service, WorkerKey
from collectors.facts import ProcessFacts
from collectors.reading import Instant, Reading


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the agent. `started_ns` (Unix time) names it. `topology` is JSON; `rules`: version by rule."""

    started_ns: int
    node: str
    version: str
    ticks_per_second: int
    interval_ns: int
    topology: bytes
    rules: Mapping[str, str] = {}


class Present(msgspec.Struct, frozen=True):
    """The services that are there, what is known of their processes, and the settings that bear on advice, as JSON. None of
    them changes any more."""

    services: tuple[Service, ...]
    facts: Mapping[WorkerKey, ProcessFacts]
    settings: bytes


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """One tick. `present`: what is there as of this tick. `judged`: whether the rules judged after it."""

    at: Instant
    readings: tuple[Reading, ...]
    judged: bool
    present: Present
