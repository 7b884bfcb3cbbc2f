"""Why could py-spy not look, and what helps? From its exit status and its texts (0.4.x), as data."""

import re

from collectors.profiles.profile import Missing

_HOW = "run the sidecar with CAP_SYS_PTRACE, or as the server's user"
_REPORT = "see whether a newer py-spy knows this interpreter"

_TEXTS: tuple[tuple[str, str, str], ...] = (
    (r"os error 13|os error 1\)|Permission [Dd]enied|EPERM.*process_vm", "no permission to read its memory", _HOW),
    (r"Failed to suspend process", "it is stopped or traced by another program", "end the debugger that holds it"),
    (r"Unsupported version of Python: ?(\S+)", "Python {0} is unknown to this py-spy", _REPORT),
    (r"Cannot detect GIL holding in version (\S+)", "the holder of the GIL cannot be told in Python {0}", _REPORT),
    (r"failed to get gil_thread_id", "a free-threaded Python has no GIL to look at", "profile without the GIL"),
    (r"Failed to find a python interpreter", "its interpreter's data was not found", _REPORT),
    (r"Failed to find python version|No python processes found", "it is not a Python process",
     "native functions and states of its threads are sampled all the same"),
    (r"failed to get os threadid|UNW_", "native stacks cannot be read across pid namespaces",
     "ask without native stacks"),
    (r"Can't get native stack traces", "native stacks need a blocking profile", "ask for a blocking one"),
)  # fmt: skip
_VANISHED = ("the process ended", "ask for one that still runs")
_BEHIND = re.compile(r"([\d.]+)s behind in sampling")
_SUMMARY = re.compile(r"Samples: (\d+) Errors: (\d+)")


def failure(text: str, *, alive: bool, musl: bool = False) -> Missing:
    """The reason in what py-spy wrote. `alive`: whether the process meant still runs."""
    if not alive:
        return Missing("python", *_VANISHED)
    for pattern, reason, hint in _TEXTS:
        if found := re.search(pattern, text):
            return Missing("python", reason.format(*found.groups()), hint)
    lines = [line.strip() for line in text.splitlines() if line.strip() and "py-spy>" not in line]
    said = lines[0].removeprefix("Error: ")[:160] if lines else "no word of why"
    musl_too = " (its C library is musl)" if musl else ""
    return Missing("python", f"py-spy failed{musl_too}: {said}", _REPORT)


def behind_seconds(text: str) -> float:
    """The most that py-spy says it was late: its rate is too high for this process."""
    return max((float(found) for found in _BEHIND.findall(text)), default=0.0)


def lost_looks(text: str) -> int:
    """Looks that failed as the process's memory changed under them."""
    found = _SUMMARY.search(text)
    return int(found[2]) if found else 0
