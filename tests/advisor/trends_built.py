"""Built pasts for the rules on capacity, trends and cost: slices, minutes and hours whose numbers are chosen."""

from collections.abc import Mapping, Sequence

import msgspec

from advisor.trend import FIELDS, Stretches, Trend, Values
from advisor.view import View

NOW = 500_000 * 3600.0
Known = Mapping[str, float | None]


def stretch(known: Known) -> Values:
    """What is not named is not known."""
    assert set(known) <= set(FIELDS), set(known) - set(FIELDS)
    return tuple(known.get(name) for name in FIELDS)


def trend(
    slices: Sequence[Known] = (), minutes: Sequence[Known] = (), hours: Sequence[Known] = (), *, now: float = NOW
) -> Trend:
    """Each oldest first; the newest of each kind ended at `now`."""
    found = Trend()
    for kept, rows, seconds in (
        (found.slices, slices, 5.0),
        (found.minutes, minutes, 60.0),
        (found.hourly, hours, 3600.0),
    ):
        _fill(kept, rows, seconds, now)
    return found


def _fill(kept: Stretches, rows: Sequence[Known], seconds: float, now: float) -> None:
    for number, known in enumerate(rows, start=1 - len(rows)):
        kept.append(now + number * seconds, stretch({"seconds": seconds, "generation": 0.0, **known}))


def steady(
    demand: float, *, workers: int = 2, per_second: float | None = None, latency: float | None = None,
    used: float | None = None, waiting: float = 0.0, queue: float = 0.0, established: float | None = None,
    peak: float | None = None, others: float = 0.0, pool: float | None = None, generation: float = 0.0,
) -> dict[str, float | None]:  # fmt: skip
    """One stretch of a service of so many busy workers, which by themselves use a core each."""
    return {
        "loaded_seconds": 5.0 if demand > 0 else 0.0, "demand": demand, "demand_peak": demand if peak is None else peak,
        "cores_used": demand if used is None else used, "waiting_cores": waiting, "workers": float(workers),
        "accept_queue_peak": queue, "established": established, "others_cores": others, "pool_cores": pool,
        "requests_per_second": per_second, "latency_seconds": latency, "generation": generation,
    }  # fmt: skip


def past(seen: View, slices: Sequence[Known] = (), minutes: Sequence[Known] = (), hours: Sequence[Known] = ()) -> View:
    """The view with this past, and with the newest slice's rate and latency as its page's."""
    newest = slices[-1] if slices else {}
    return msgspec.structs.replace(
        seen,
        trend=trend(slices, minutes, hours),
        requests_per_second=newest.get("requests_per_second"),
        latency_seconds=newest.get("latency_seconds"),
    )
