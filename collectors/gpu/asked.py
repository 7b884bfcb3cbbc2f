"""Asks one device's driver, and remembers what that device never answers.

Drivers differ in how they refuse; here each call gives its answer, or None where the device has no such reading, and only what
concerns the whole device or driver is raised.
"""

from collections.abc import Callable
from typing import Literal, TypeVar

Answer = TypeVar("Answer")
Refusal = Literal["never", "gone", "later"]
"""What a driver's error means: it is no use to ask this again, the device is lost, or another time it may answer."""

_TOLERANCE = 3
"""So many failures in a row of a call that is not refused for good; then it is asked again every `_ASKED_AGAIN`th time."""
_ASKED_AGAIN = 60


class Lost(Exception):  # noqa: N818 - a state of the device
    """This device does not answer any more; others may."""


class Doing:
    """Which call a thread is in, for whoever notices that it does not return."""

    __slots__ = ("call",)

    def __init__(self) -> None:
        self.call = ""


class Asked:
    """The questions to one device. Not for several threads."""

    def __init__(
        self,
        doing: Doing,
        unsupported: set[str],
        errors: type[Exception] | tuple[type[Exception], ...],
        refusal: Callable[[Exception], Refusal],
    ) -> None:
        """`errors`: what calls raise; `refusal` says what such an error means, or raises Unreadable itself."""
        self._errors = errors
        self._refusal = refusal
        self._doing = doing
        self.unsupported = unsupported
        """What it never answers; shared by all who ask it."""
        self._failures: dict[str, int] = {}

    def ask(self, name: str, call: Callable[..., Answer], *arguments: object) -> Answer | None:
        """What `call(*arguments)` answers; None where this device does not tell. Raises Lost for a device that is gone, and
        Unreadable where the whole driver is."""
        if name in self.unsupported or self._rests(name):
            return None
        self._doing.call = name
        try:
            answer = call(*arguments)
        except self._errors as error:
            self._refused(name, self._refusal(error))
            return None
        finally:
            self._doing.call = ""
        if self._failures:
            self._failures.pop(name, None)
        return answer

    def _rests(self, name: str) -> bool:
        """Whether it failed so often that it is asked only now and then."""
        failures = self._failures.get(name, 0)
        if failures < _TOLERANCE:
            return False
        self._failures[name] = failures + 1
        return (failures + 1) % _ASKED_AGAIN != 0

    def _refused(self, name: str, refusal: Refusal) -> None:
        if refusal == "gone":
            raise Lost(name)
        if refusal == "never":
            self.unsupported.add(name)
        else:
            self._failures[name] = self._failures.get(name, 0) + 1
