"""From a profile as it was taken to what rules see of it."""

from advisor.profiling.classify import Classified, classes_of
from advisor.profiling.estimate import APART_SECONDS, divide
from advisor.profiling.groups import Group, groups_of, running_part, waiting_parts
from advisor.profiling.handing import call_time
from advisor.profiling.hot import hot_spots, named_shares
from advisor.profiling.loops import loop_of
from advisor.profiling.table import Table
from advisor.profiling.thread_shares import thread_shares
from advisor.profiling.view import Share, WorkerProfile, sampling_error
from collectors.profiles.profile import Profile, Wait


def digest(profile: Profile, table: Table) -> WorkerProfile:
    """What the profile says of its process. Shares in `phases`, `calls` and `hot` are of its CPU time."""
    known = Classified(profile, classes_of(table))
    groups = groups_of(profile, known, table)
    phases, calls = named_shares(profile, known, groups)
    waits = _waits(profile)
    seconds = profile.seconds or 1.0
    native = any(group.seen.native for group in groups)
    return WorkerProfile(
        key=profile.key,
        seconds=profile.seconds,
        cores=sum(group.seen.cpu_seconds for group in groups) / seconds,
        samples=sum(sum((g.seen.native if native else g.seen.active).values()) for g in groups),
        classes=_classes(groups, table),
        native=native,
        gil_held=_gil_held(profile),
        python_active=sum(running_part(t, profile) for t in profile.threads if t.python) + waits.get("gil", 0.0),
        gil_waiting=waits.get("gil", 0.0),
        pool_cores=sum(g.seen.cpu_seconds for g in groups if not g.seen.python) / seconds,
        waits=waits,
        loop=loop_of(profile, known, table),
        calling=call_time(profile, known),
        threads=thread_shares(profile),
        hot=hot_spots(profile, known, groups),
        phases=phases,
        calls=calls,
    )


def _classes(groups: list[Group], table: Table) -> dict[str, Share]:
    """Of the whole process; empty where it used no CPU time."""
    total = sum(group.seen.cpu_seconds for group in groups)
    values: dict[str, float] = {}
    variances: dict[str, float] = {}
    for group in groups if total > 0 else ():
        weight = group.seen.cpu_seconds / total
        for work, part in divide(group.seen, table).items():
            values[work] = values.get(work, 0.0) + weight * part.value
            variances[work] = variances.get(work, 0.0) + weight * weight * part.variance
    ordered = sorted(values, key=lambda work: -values[work])
    return {work: Share(values[work], variances[work] ** 0.5) for work in ordered}


def _waits(profile: Profile) -> dict[Wait, float]:
    """Mean number of Python threads in each kind of waiting."""
    waits: dict[Wait, float] = {}
    for thread in profile.threads:
        for wait, part in waiting_parts(thread, profile).items() if thread.python else ():
            waits[wait] = waits.get(wait, 0.0) + part
    return waits


def _gil_held(profile: Profile) -> Share | None:
    """Share of looks at which some thread held the GIL. Looks at its holder are counted one by one."""
    if not profile.gil_ticks:
        return None
    held = min(1.0, sum(seen.count for seen in profile.gil) / profile.gil_ticks)
    independent = min(profile.gil_ticks, max(1.0, profile.seconds / APART_SECONDS))
    share = (held * independent + 0.5) / (independent + 1)
    return Share(held, sampling_error(share, independent))
