"""How often may a process be looked at, given its threads and what a look costs?

Measured with py-spy 0.4.3 on two cores: a look costs py-spy 65 to 110 us of CPU per thread without stopping the process;
with, it holds the process for about 0.12 ms per thread.
"""

from collectors.profiles.profile import ProfileSpec

LOOKS_PER_SECOND = 30
"""Looks at the state of every thread in /proc: about 6 us each. Short waits for the GIL are missed at lower rates."""
NATIVE_HERTZ = 99
"""Native samples per second of a thread's CPU time; a prime would do as well, it only must not beat with timers."""
DUMP_SECONDS_APART = 0.5
"""Between two whole looks in a burst: they join waiting threads with their stacks."""
DUMPS_PER_SECOND = 5
"""Whole looks where running threads can be had by those alone."""
CPU_PER_THREAD_SECONDS = 90e-6
PAUSE_PER_THREAD_SECONDS = 0.12e-3
BURST_CORES = 0.10
"""CPU that both recorders of a burst may use together while it lasts."""
STOPPED_RATIO = 0.05
"""Share of time for which a blocking profile may hold the process, unless its rate was asked for."""
MOST_HERTZ = 1000


def affordable_hertz(spec: ProfileSpec, threads: int) -> int:
    """The rate asked for, or the highest that a process of so many threads allows; at least 1."""
    threads = max(1, threads)
    if spec.kind == "blocking":
        return max(1, min(spec.hertz, MOST_HERTZ))
    return max(1, min(spec.hertz, MOST_HERTZ, int(BURST_CORES / (2 * CPU_PER_THREAD_SECONDS * threads))))


def affordable_blocking_hertz(threads: int) -> int:
    """The rate at which a blocking profile stays below `STOPPED_RATIO`."""
    return max(1, int(STOPPED_RATIO / pause_seconds(threads)))


def pause_seconds(threads: int) -> float:
    """How long one blocking look holds a process of so many threads, as a rule of thumb."""
    return PAUSE_PER_THREAD_SECONDS * max(1, threads)
