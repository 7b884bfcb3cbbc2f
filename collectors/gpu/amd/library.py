"""AMD SMI as one process uses it: loaded, begun, and what its errors mean for the reader as a whole.

The binding is the `amdsmi` that comes with each ROCm and is good for that one alone: it fails where its library lacks a
function that it names. Known from documentation only, never run on the hardware.
"""

import importlib
import threading
from functools import cache, partial
from typing import Any

from collectors.gpu import asked
from collectors.gpu.asked import Doing, Refusal
from collectors.gpu.states import GpuState, in_state
from collectors.reading import Unreadable

_NEVER = frozenset((1, 2, 3, 5, 10, 49, 52, 55))
"""amdsmi_status_t: invalid, not supported, not implemented, symbol missing, no permission, no such message, file not found,
setting unavailable: not asked again."""
_GONE = frozenset((31,))
"""Device not found, of one that was there."""
_BROKEN = frozenset((32, 34))
"""Not initialised, driver not loaded."""

_OF_THE_BINDING = (ValueError, KeyError, TypeError, AttributeError, OSError)
"""What it raises of itself: for a name that is not UTF-8, or an answer that it does not expect."""

_STATES: dict[int, tuple[GpuState, str]] = {
    4: ("no driver", "AMD SMI cannot load what it needs (libdrm_amdgpu): install the libraries of ROCm"),
    10: (
        "permission",
        "the user of the agent may not open /dev/kfd and /dev/dri: add it to the groups render and video",
    ),
    18: ("failed", "AMD SMI cannot begin (initialisation error): see whether `amd-smi list` works"),
    31: ("no device", "the amdgpu driver is loaded and names no GPU that this process may use"),
    32: ("no driver", "the AMD SMI session ended; it is begun again"),
    34: ("no driver", "the amdgpu kernel module is not loaded: modprobe amdgpu, or install the driver"),
}
_INSTALL = (
    "pip install amdsmi in the version of this ROCm, or what ROCm brings: `pip install /opt/rocm/share/amd_smi`, into the "
    "agent's environment"
)


class Smi:
    """One AMD SMI session, for all threads of the process."""

    def __init__(self) -> None:
        self.api: Any = importlib.import_module("amdsmi")  # of the host's ROCm, no dependency of ours
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
            doing.call = "amdsmi_init"
            try:
                self.api.amdsmi_init()
            except self.api.AmdSmiException as error:
                raise unreadable(error) from error
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
                self.api.amdsmi_shut_down()
            except self.api.AmdSmiException:
                pass


@cache
def smi() -> Smi:
    """The process's only session. Raises Unreadable where `amdsmi` is not installed or does not fit its library."""
    try:
        return Smi()
    except AttributeError as error:  # a symbol that the library lacks
        raise in_state("driver mismatch", f"amdsmi and libamd_smi.so are of different versions: {_INSTALL}") from error
    except (ImportError, OSError, KeyError) as error:  # the module, or its library, which it looks up by name
        raise in_state("no driver", f"amdsmi or its libamd_smi.so is not found: {_INSTALL}") from error


class Asked(asked.Asked):
    """The questions to one device of AMD SMI, each by the name of its function without `amdsmi_`."""

    def __init__(self, library: Smi, doing: Doing, device: str) -> None:
        self._api = library.api
        errors = (library.api.AmdSmiException, *_OF_THE_BINDING)
        super().__init__(doing, library.unsupported.setdefault(device, set()), errors, partial(_refusal, library))

    def get(self, name: str, *arguments: object, of: str = "") -> Any:
        """What `amdsmi_NAME` answers; None where it does not, or where this version has no such function. `of`: what is asked
        for, of a function that is asked for several things."""
        call = getattr(self._api, f"amdsmi_{name}", None)
        if call is None:
            self.unsupported.add(name)
            return None
        return self.ask(f"{name}.{of}" if of else name, call, *arguments)

    def entry(self, name: str, *arguments: object, of: str = "") -> dict[str, Any]:
        """As `get`, of a function that answers with a dict; empty where it does not."""
        answer = self.get(name, *arguments, of=of)
        return answer if isinstance(answer, dict) else {}

    def constant(self, enumeration: str, name: str) -> Any:
        """A member of an enumeration of the binding; None where this version has none of that name."""
        return getattr(getattr(self._api, enumeration, None), name, None)


def _refusal(library: Smi, error: Exception) -> Refusal:
    code = _code(error)
    if code in _BROKEN:
        library.end()
        raise unreadable(error)
    if code is None:
        return "later" if isinstance(error, _OF_THE_BINDING) else "never"  # never: an argument that it does not know
    return "gone" if code in _GONE else "never" if code in _NEVER else "later"


def unreadable(error: Exception) -> Unreadable:
    """The state of the reader after this error of a call that concerns all devices."""
    code = _code(error)
    said = " ".join(str(getattr(error, "err_info", error)).split())[:200]
    state, hint = _STATES.get(-1 if code is None else code, ("failed", f"AMD SMI error {code}: {said}"))
    return in_state(state, hint)


def _code(error: Exception) -> int | None:
    """amdsmi_status_t; None of an error that comes from the binding itself."""
    code = getattr(error, "err_code", None)
    return abs(code) if isinstance(code, int) else None
