"""How is one run of a collector timed, and what becomes of its errors?

The only place of the collectors that catches whatever is raised: one broken source must not stop the others.
"""

import errno
import os
import time
from collections.abc import Sequence

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.reading import Failed, Ok, Outcome, Reading, Unreadable, Unsupported

_FORBIDDEN = (errno.EACCES, errno.EPERM)
_ERROR_TEXT_LIMIT = 300


def collect_one(collector: Collector, host: Host, services: Sequence[Service], planned_mono_ns: int) -> Reading:
    """Run `collector` once. Never raises; `planned_mono_ns` is when it should have begun."""
    began = host.clock.now()
    cpu_began_ns = time.thread_time_ns()
    outcome = _outcome(collector, host, services)
    return Reading(
        collector=collector.name,
        at=began,
        duration_ns=host.clock.now().mono_ns - began.mono_ns,
        cpu_ns=time.thread_time_ns() - cpu_began_ns,
        late_ns=max(0, began.mono_ns - planned_mono_ns),
        outcome=outcome,
    )


def _outcome(collector: Collector, host: Host, services: Sequence[Service]) -> Outcome:
    try:
        return Ok(tuple(collector.collect(host, services)))
    except Unreadable as state:
        return Unsupported(state.reason, state.hint)
    except OSError as error:
        return _of_os_error(error, collector)
    except Exception as error:
        return Failed(_one_line(f"{type(error).__name__}: {error}"))


def _of_os_error(error: OSError, collector: Collector) -> Outcome:
    said = error.strerror or str(error) or type(error).__name__
    where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    text = _one_line(f"{said}{where}")
    if error.errno in _FORBIDDEN:
        needs = "root, or the servers' own user" if collector.needs == Collector.needs else collector.needs
        return Unsupported(text, f"needs {needs}")
    return Failed(text)


def _one_line(text: str) -> str:
    """`text` on one line, of bounded length, with nothing in it that cannot be stored as UTF-8."""
    whole = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    return whole if len(whole) <= _ERROR_TEXT_LIMIT else whole[: _ERROR_TEXT_LIMIT - 1] + "…"
