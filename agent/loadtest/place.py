"""On which CPUs may the generator run, so that it takes least from the service?"""

import os


def step_aside(service_cpus: frozenset[int] | None) -> frozenset[int] | None:
    """Keep this process off the service's CPUs where it has others; those it is left with, or None where nothing changed.

    It is not made nicer: a generator that waits for a CPU would find its own lateness in the service's latencies.
    """
    if service_cpus is None:
        return None
    free = frozenset(os.sched_getaffinity(0)) - service_cpus
    if not free:
        return None
    try:
        os.sched_setaffinity(0, free)
    except OSError:
        return None
    return free
