"""What came of one attempt to read: the samples, or why there are none, with its duration and its lateness."""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from collectors.sample import Sample


class Instant(msgspec.Struct, frozen=True, order=True):
    """One moment on two clocks: `mono_ns` orders and measures, `wall_ns` (Unix time) names it for people."""

    mono_ns: int
    wall_ns: int


class Ok(msgspec.Struct, frozen=True, tag="ok", gc=False):
    """What was read. Empty is a valid answer: nothing of this kind is there."""

    samples: Sequence[Sample]


class Unsupported(msgspec.Struct, frozen=True, tag="unsupported"):
    """This host cannot give it. `reason` in a few words; `hint` is a command or a setting that enables it."""

    reason: str
    hint: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It should have worked and did not."""

    error: str


Outcome = Ok | Unsupported | Failed


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one collector.

    `duration_ns` is the thread's own CPU and wait time in it (wall), `cpu_ns` its CPU time, `late_ns` how long after
    its planned instant it began.
    """

    collector: str
    at: Instant
    duration_ns: int
    cpu_ns: int
    late_ns: int
    outcome: Outcome

    @property
    def samples(self) -> Sequence[Sample]:
        """The samples of an `Ok`, else none."""
        return self.outcome.samples if isinstance(self.outcome, Ok) else ()


class Unreadable(Exception):  # noqa: N818 - it is a state of the host, not an error
    """Raised by a reader where the host lacks something; the runner turns it into `Unsupported`."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(f"{reason} ({hint})")
        self.reason = reason
        self.hint = hint


def status_of(outcome: Outcome) -> str:
    """`ok`, `unsupported` or `failed`."""
    match outcome:
        case Ok():
            return "ok"
        case Unsupported():
            return "unsupported"
        case Failed():
            return "failed"
        case _:
            assert_never(outcome)
