"""Built profiles for the rules: workers whose shares are chosen, as the profile view that a rule gets."""

from collections.abc import Mapping, Sequence

import msgspec

from advisor.facts import ServiceFacts
from advisor.profiling.view import HotSpot, LoopProfile, ProfileView, Share, ThreadShare, WorkerProfile
from advisor.view import View
from collectors.entities import WorkerKey
from collectors.profiles.profile import Missing, Wait
from tests.advisor.built import facts


def key(pid: int) -> WorkerKey:
    """The key that `built.worker` gives to the same pid."""
    return WorkerKey(pid, 1000 + pid)


def share(value: float, samples: int) -> Share:
    """A share with the error of that many independent samples."""
    return Share(value, (value * (1 - value) / samples) ** 0.5 if samples else 0.0)


def worker_profile(
    pid: int,
    cores: float,
    classes: Mapping[str, float],
    *,
    rest: str = "python",
    samples: int = 300,
    seconds: float = 6.0,
    native: bool = True,
    gil_held: float | None = None,
    active: float = 1.0,
    gil_waiting: float = 0.0,
    pool: float = 0.0,
    waits: Mapping[Wait, float] | None = None,
    loop: LoopProfile | None = None,
    threads: Sequence[ThreadShare] = (),
    hot: Sequence[tuple[str, float, str]] = (),
    phases: Mapping[str, float] | None = None,
    calls: Mapping[str, float] | None = None,
) -> WorkerProfile:
    """One worker's profile. `classes` are shares of its CPU time; what they leave is of class `rest`."""
    whole = dict(classes)
    whole[rest] = whole.get(rest, 0.0) + max(0.0, 1 - sum(classes.values()))
    return WorkerProfile(
        key=key(pid),
        seconds=seconds,
        cores=cores,
        samples=samples,
        classes={name: share(value, samples) for name, value in whole.items()},
        native=native,
        gil_held=None if gil_held is None else share(gil_held, round(seconds * 50)),
        python_active=active,
        gil_waiting=gil_waiting,
        pool_cores=pool,
        waits=waits or {},
        loop=loop,
        threads=tuple(threads),
        hot=tuple(HotSpot(where=where, share=part, work=work) for where, part, work in hot),
        phases=phases or {},
        calls=calls or {},
    )


def thread_share(
    tid: int,
    running: float = 0.0,
    *,
    delay: float | None = 0.0,
    waits: Mapping[Wait, float] | None = None,
    gil_wait: float | None = None,
    io: bool = False,
    python: bool = True,
    name: str = "python",
) -> ThreadShare:
    """One thread of a profile; `gil_wait`: mean seconds for the interpreter's lock at each wake-up."""
    return ThreadShare(
        tid=tid,
        name=name,
        python=python,
        cores=running,
        running=running,
        delay_cores=delay,
        switches_per_second=100.0,
        waits=waits or {},
        gil_wait_seconds=gil_wait,
        io=io,
    )


def profile_view(*workers: WorkerProfile, age: float = 20.0, missing: Sequence[Missing] = ()) -> ProfileView:
    return ProfileView(age_seconds=age, workers=workers, missing=tuple(missing))


def profiled(seen: View, *workers: WorkerProfile, missing: Sequence[Missing] = (), age: float = 20.0) -> ServiceFacts:
    """Facts of the view's service with these profiles and a readable, empty environment."""
    return msgspec.structs.replace(facts(seen, environ={}), profile=profile_view(*workers, age=age, missing=missing))
