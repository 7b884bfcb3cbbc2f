"""NVML as one process uses it: loaded, asked, and what its errors mean for the reader as a whole.

nvidia-ml-py is the binding. It raises one exception class with a number; here each call gives its answer, or None where the
device has no such reading, and only what concerns the whole device or driver is raised.
"""

import threading
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from collectors.gpu import asked
from collectors.gpu.asked import Answer, Doing, Refusal
from collectors.gpu.states import GpuState, in_state
from collectors.reading import Unreadable

_NEVER = frozenset((2, 3, 4, 13, 25))
"""Invalid argument, not supported, no permission, function not found, argument of another version: not asked again."""
_GONE = frozenset((15, 16))
"""GPU is lost, reset required."""
BROKEN = frozenset((1, 9, 17, 18))
"""Uninitialised, driver not loaded, blocked by the operating system, library and driver of different versions."""

_STATES: dict[int, tuple[GpuState, str]] = {
    1: ("no driver", "the NVML session ended; it is begun again"),
    4: ("permission", "the user of the agent may not open /dev/nvidiactl: add it to the group that may, or run as root"),
    9: ("no driver", "the nvidia kernel module is not loaded: modprobe nvidia, or install the driver"),
    12: (
        "no driver",
        "libnvidia-ml.so.1 is not found: install the driver's libraries; in a container, start it with the NVIDIA runtime "
        "and NVIDIA_DRIVER_CAPABILITIES=utility",
    ),
    15: ("lost", "the GPU fell off the bus: see the kernel log for XID 79, reset it or reboot"),
    16: ("lost", "the GPU has to be reset: nvidia-smi --gpu-reset, or reboot"),
    17: ("permission", "the operating system blocked it: pass the nvidia devices through to this container or unit"),
    18: ("driver mismatch", "the driver's libraries were updated but the old kernel module is loaded: reboot, or reload it"),
    999: (
        "permission",
        "NVML cannot begin (unknown error): in a container the devices were probably taken away, as by "
        "`systemctl daemon-reload`; restart the container",
    ),
}  # fmt: skip


class Nvml:
    """One NVML session, for all threads of the process."""

    def __init__(self) -> None:
        import pynvml

        self.api: Any = pynvml
        self.session = 0
        """Counts how often it was begun: handles of an earlier session mean nothing."""
        self.unsupported: dict[str, set[str]] = {}
        self._open = False
        self._lock = threading.Lock()

    def begin(self, doing: Doing) -> None:
        """Begin, unless it is begun. Raises Unreadable with the state."""
        with self._lock:
            if self._open:
                return
            doing.call = "nvmlInit"
            try:
                self.api.nvmlInit()
            except self.api.NVMLError as error:
                raise unreadable(error.value) from error
            finally:
                doing.call = ""
            self._open = True
            self.session += 1
            self.unsupported.clear()  # another driver may know more

    def end(self) -> None:
        """End the session, so that the next question begins one."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            try:
                self.api.nvmlShutdown()
            except self.api.NVMLError:
                pass

    def system(self, name: str) -> Any:
        """`nvmlSystemGetNAME()`, None where it cannot say."""
        try:
            return getattr(self.api, f"nvmlSystemGet{name}")()
        except self.api.NVMLError:
            return None


@cache
def nvml() -> Nvml:
    """The process's only session. Raises Unreadable where nvidia-ml-py is not installed."""
    try:
        return Nvml()
    except ImportError as error:
        raise in_state("no driver", "nvidia-ml-py is not installed: pip install nvidia-ml-py") from error


class Asked(asked.Asked):
    """The questions to one device of NVML."""

    def __init__(self, library: Nvml, doing: Doing, uuid: str) -> None:
        unsupported = library.unsupported.setdefault(uuid, set())
        super().__init__(doing, unsupported, library.api.NVMLError, partial(_refusal, library))


class InstanceGone(Exception):  # noqa: N818 - a state of the instance
    """This instance of MIG was taken away; nothing is wrong with its device."""


class InstanceAsked(Asked):
    """The questions to one instance of MIG. What it answered before it refuses for good once there is no such instance."""

    def __init__(self, library: Nvml, doing: Doing, uuid: str) -> None:
        super().__init__(library, doing, uuid)
        self._answered: set[str] = set()

    def ask(self, name: str, call: Callable[..., Answer], *arguments: object) -> Answer | None:
        """As of a device; raises InstanceGone as well."""
        answer = super().ask(name, call, *arguments)
        if answer is not None:
            self._answered.add(name)
        elif name in self._answered and name in self.unsupported:
            raise InstanceGone(name)
        return answer


def _refusal(library: Nvml, error: Any) -> Refusal:
    code = error.value
    if code in BROKEN:
        library.end()
        raise unreadable(code)
    return "gone" if code in _GONE else "never" if code in _NEVER else "later"


def unreadable(code: int) -> Unreadable:
    """The state of the reader after this error of a call that concerns all devices."""
    state, hint = _STATES.get(code, ("failed", f"NVML error {code}"))
    return in_state(state, hint)
