"""How many of a service's workers does the work of all of them keep busy?"""

from math import ceil

from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.profiling.asking import profile_of
from advisor.profiling.occupation import occupation_of
from advisor.queued import crowded, waiting_requests
from advisor.view import View

FULL = 0.8
"""Of the time of the workers that stay, at most, may be taken by what all do now."""
LEAST_SECONDS = 15
WAITING = 0.5
CROWDED = 1.2
"""From so many requests that wait, or connections for each request thread, on none of the workers is too many: as low as
where advice to run more of them ends."""


def workers_needed(view: View, facts: ServiceFacts) -> int | None:
    """A worker is on the CPU (or waits for it), on a device, in a call to something else, or idle. At least one for each
    device. None before load was seen, where requests wait for a worker, where the processes on the devices are not the
    workers, and where it is not known what they do there or how many requests they have."""
    busy = _on_devices(view)
    if view.samples < LEAST_SECONDS or busy is None:
        return None
    if waiting_requests(view) >= WAITING or crowded(view, CROWDED):
        return None
    handled = _handled(view, facts)
    if handled is None:
        return None
    working = sum(w.runnable for w in view.serving) + busy
    return max(1, len(view.gpus), ceil(max(working, handled) / FULL))


def _on_devices(view: View) -> float | None:
    """Devices that the workers keep busy, on average."""
    serving = {w.key for w in view.serving}
    if any(p.worker not in serving for one in view.gpus for p in one.own):
        return None
    known = [one.sm_ratio for one in view.gpus]
    return None if None in known else sum(each for each in known if each is not None)


def _handled(view: View, facts: ServiceFacts) -> float | None:
    """Requests that workers have at a time, whatever they wait for: by Little's law, else as a profile shows."""
    if view.requests_per_second is not None and view.latency_seconds is not None:
        return view.requests_per_second * view.latency_seconds
    seen = profile_of(facts, "how many of its workers have a request", "states")
    held = None if isinstance(seen, Need) else occupation_of(view, seen, facts)
    return None if held is None else held.occupied
