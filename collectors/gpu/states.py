"""In which state is a reader of accelerators, and what helps?

A reader that cannot read raises `Unreadable` with one of these words as the reason: the reason of its reading is the state.
"""

from typing import Literal, get_args

from collectors.reading import Ok, Outcome, Unreadable, Unsupported

GpuState = Literal[
    "ok",
    "starting",
    "absent",
    "no driver",
    "no device",
    "permission",
    "driver mismatch",
    "lost",
    "unresponsive",
    "failed",
]
"""`absent`: nothing of its kind is in this node. `unresponsive`: the driver was asked and has not answered."""

_REFUSED = ("Permission denied", "Operation not permitted")
STATES: tuple[GpuState, ...] = get_args(GpuState)


class Absent(Unreadable):
    """Nothing of this kind is here: no process is started for it, and nobody misses anything."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason, hint)


def in_state(state: GpuState, hint: str) -> Unreadable:
    """What a reader raises that is in `state`; `hint` says what was seen and what helps."""
    return Unreadable(state, hint)


def state_of(outcome: Outcome) -> GpuState:
    """The state of the reader whose reading this is."""
    match outcome:
        case Ok():
            return "ok"
        case Unsupported(reason=reason) if reason in STATES:
            return reason
        case Unsupported(hint=""):  # as Absent says it
            return "absent"
        case Unsupported(reason=reason) if reason.startswith(_REFUSED):
            return "permission"
        case _:
            return "failed"
