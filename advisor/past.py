"""Which of the stretches that are remembered are of the present configuration?"""

from advisor.trend import Stretches


def of_present(stretches: Stretches, workers: int, *fields: str) -> list[tuple[float | None, ...]]:
    """These fields of each stretch since the last change that was seen, oldest first. Where none was, those of an earlier run
    of the agent as well in which as many workers served: what else was set then is not known."""
    since = stretches.present_since()
    if since and any(generation >= 0 for generation in stretches.values("generation", 0.0, since - 0.002)):
        return stretches.table(*fields, since=since)
    rows = stretches.table("workers", *fields)
    return [row[1:] for row in rows if row[0] is None or row[0] == workers]
