"""What do the single threads of a process do with their time?"""

from advisor.profiling.groups import cpu_seconds, running_part, waiting_parts
from advisor.profiling.view import ThreadShare
from collectors.profiles.profile import Profile, ThreadProfile, Wait

IO: tuple[Wait, ...] = ("loop", "listening", "inbound", "outbound", "unix", "pipe")
LIMIT = 64
SWITCH_INTERVAL_SECONDS = 0.005
"""How long a thread waits for the GIL before it asks the holder to let go, and waits again: the default of
`sys.setswitchinterval`."""


def thread_shares(profile: Profile) -> tuple[ThreadShare, ...]:
    """The threads that ran or wanted to most."""
    shares = [_share(thread, profile) for thread in profile.threads]
    shares.sort(key=lambda share: -(share.running + share.waits.get("gil", 0.0) + share.cores))
    return tuple(shares[:LIMIT])


def _share(thread: ThreadProfile, profile: Profile) -> ThreadShare:
    seconds = profile.seconds or 1.0
    waits = waiting_parts(thread, profile)
    return ThreadShare(
        tid=thread.tid,
        name=thread.python_name or thread.name,
        python=thread.python,
        cores=cpu_seconds(thread, profile) / seconds,
        running=running_part(thread, profile),
        delay_cores=None if thread.delay_seconds is None else thread.delay_seconds / seconds,
        switches_per_second=None if thread.switches is None else thread.switches / seconds,
        waits=waits,
        gil_wait_seconds=_gil_wait_seconds(thread, waits, profile.seconds),
        io=_io(waits),
    )


def _io(waits: dict[Wait, float]) -> bool:
    """Whether sockets and events are at least half of what it waits for, the GIL aside."""
    own = sum(share for wait, share in waits.items() if wait != "gil")
    return own > 0 and sum(waits.get(wait, 0.0) for wait in IO) >= own / 2


def _gil_wait_seconds(thread: ThreadProfile, waits: dict[Wait, float], seconds: float) -> float | None:
    """Mean wait for the GIL each time that it woke up for another reason.

    A wait for the GIL is a sleep of its own, which ends after each switch interval to begin anew. A thread that falls
    asleep for something else and then waits `w` for the GIL thus switches about 2 + floor(w / interval) times; the mean
    of the floor is taken as w / interval - 1/2 for long waits, and 0 for those shorter than the interval.
    """
    waited = waits.get("gil", 0.0) * seconds
    if not thread.switches or not any(share for wait, share in waits.items() if wait != "gil"):
        return None
    if waited <= 0:
        return 0.0
    often = thread.switches - waited / SWITCH_INTERVAL_SECONDS  # all but the renewals
    long = waited / max(1.0, often / 1.5)
    return long if long > SWITCH_INTERVAL_SECONDS else waited / max(1.0, thread.switches / 2)
