"""A profile as a profiler would give it: one thread in one pure Python function, holding the GIL."""

from collectors.entities import WorkerKey
from collectors.profiles.profile import Frame, Profile, ProfileCost, ProfileSpec, StackCount, ThreadProfile


def profile_of(key: WorkerKey, spec: ProfileSpec, cpu: float = 0.3) -> Profile:
    looks = 1 if spec.kind == "probe" else 200
    return Profile(
        key=key,
        kind=spec.kind,
        at_unix_ns=1_800_000_000_000_000_000,
        seconds=spec.seconds or 0.02,
        hertz=50,
        ticks=looks,
        gil_ticks=looks,
        frames=(Frame("predict", "/srv/app.py", 3),),
        stacks=((0,),),
        active=(StackCount(key.pid, 0, looks),),
        gil=(StackCount(key.pid, 0, looks),),
        threads=(
            ThreadProfile(tid=key.pid, name="python", python_name="MainThread", python=True,
                          run_seconds=spec.seconds or 0.02, delay_seconds=0.0, switches=10, looks=40, running=40),
        ),
        cost=ProfileCost(cpu_seconds=cpu),
    )  # fmt: skip
