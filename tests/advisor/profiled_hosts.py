"""Built hosts with profiles that several rules are tried on: a view and the facts that belong to it.

Where a host stands for a measured one, its numbers are the medians of that measurement.
"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.profiling.view import LoopProfile
from advisor.view import View
from collectors.entities import Role
from tests.advisor.built import MIB, thread, view, worker
from tests.advisor.profiles_built import profiled, worker_profile

Host = tuple[View, ServiceFacts]


def loop(tid: int, busy: float, *, blocked: float = 0.0, gil_wait: float = 0.0, run: float | None = None,
         work: dict[str, float] | None = None, **more: object) -> LoopProfile:  # fmt: skip
    """An event loop; what is neither busy, blocked nor waiting for the lock is idle."""
    return msgspec.convert(
        {
            "tid": tid, "idle": max(0.0, 1 - busy - blocked - gil_wait), "busy": busy, "gil_wait": gil_wait,
            "blocked": blocked, "run_seconds": run, "work": work or {}, **more,
        },
        LoopProfile,
    )  # fmt: skip


def master(used: float = 0.0, waiting: float = 0.0, resident: int = 25 * MIB):
    return worker(100, [thread(100, used, waiting)], role=Role.FRONT_END, resident=resident)


def gil_view(threads: int = 8, used: float = 1.01, waiting: float = 0.54, cores: int = 2) -> View:
    """One worker of Python request threads, as measured: 8 active threads, 1.01 cores, run-queue delay 0.35."""
    each = [
        thread(111 + i, used / threads, waiting / threads, kind="python", allowed=range(cores)) for i in range(threads)
    ]
    return view([master(), worker(101, each, resident=27 * MIB)], libraries=(), request_threads=threads, cores=cores)


def gil_bound() -> Host:
    """Pure Python in eight threads of one process; the other core idles."""
    seen = gil_view()
    classes = {"python": 0.93, "glue": 0.05, "gil-wait": 0.02}
    return seen, profiled(seen, worker_profile(101, 1.01, classes, gil_held=0.92, active=6.5, gil_waiting=5.5))


def json_rows(serialise: float = 0.85) -> Host:
    """Two uvicorn workers that parse JSON lists around a tiny model, on two full cores."""
    seen = view(
        [master(), *(worker(k, [thread(k, 0.96, 0.035)], switches=340) for k in (101, 102))], queue=(1, 0, 0) * 5
    )
    classes = {"serialise": serialise, "allocation": 0.03, "gc": 0.01, "array": 0.02, "kernel": 0.01, "loop": 0.02}
    hot = [("list_of_floats (_pydantic_core.so)", 0.5, "serialise")]
    own = {"serialise": 0.9, "array": 0.03, "loop": 0.04}
    profiles = [
        worker_profile(k, 0.96, classes, rest="glue", gil_held=0.95, hot=hot, loop=loop(k, 0.96, run=0.0045, work=own))
        for k in (101, 102)
    ]
    return seen, profiled(seen, *profiles)


def saturated_pool() -> Host:
    """An MLServer whose one worker computes all the time behind a front-end that is free; a core idles."""
    seen = mlserver(view([master(0.16, 0.05), worker(101, [thread(101, 0.99, 0.06)])]))
    front = worker_profile(
        100, 0.16, {"glue": 0.4, "serialise": 0.2, "loop": 0.3, "ipc": 0.1}, samples=60,
        loop=loop(100, 0.18, run=0.0004, work={"glue": 0.5, "loop": 0.3}),
    )  # fmt: skip
    pool = worker_profile(
        101, 0.99, {"kernel": 0.85, "ipc": 0.05, "glue": 0.06}, gil_held=0.3,
        loop=loop(101, 0.97, run=0.007, work={"kernel": 0.9}),
    )  # fmt: skip
    return seen, profiled(seen, front, pool)


def waiting_workers() -> Host:
    """Two synchronous workers that wait for a downstream service; the cores idle and clients queue."""
    seen = view([master(), *(worker(k, [thread(k, 0.02, 0.01)]) for k in (101, 102))], queue=(8,) * 15)
    each = [worker_profile(k, 0.02, {"io": 0.4}, samples=70, waits={"outbound": 0.92}) for k in (101, 102)]
    return seen, profiled(seen, *each)


def healthy_profiled() -> Host:
    """Two workers at 40 % load with a numeric model."""
    seen = view([master(), *(worker(k, [thread(k, 0.38, 0.01)]) for k in (101, 102))])
    each = [
        worker_profile(
            k, 0.38, {"kernel": 0.7, "serialise": 0.25}, rest="glue", samples=120, gil_held=0.2, active=0.4,
            loop=loop(k, 0.38, run=0.004, work={"kernel": 0.7, "glue": 0.3}),
        )
        for k in (101, 102)
    ]  # fmt: skip
    return seen, profiled(seen, *each)


def blocked_by_computing() -> Host:
    """One loop at 0.4 core: requests of 60 ms in Python between many that take no time; connections wait now and then."""
    seen = view([worker(101, [thread(101, 0.4, 0.01)], role=Role.FRONT_END, switches=45)], queue=(0, 0, 1) * 5)
    own = {"python": 0.9, "loop": 0.05, "glue": 0.05}
    hot = [{"where": "score (app.py:31)", "share": 0.37, "work": "python"}]
    profile = worker_profile(
        101, 0.4, {"python": 0.9}, rest="glue", samples=120, loop=loop(101, 0.41, run=0.009, work=own, hot=hot)
    )
    return seen, profiled(seen, profile)


def blocked_by_waiting() -> Host:
    """One loop whose coroutine calls a downstream service without awaiting; 0.03 cores."""
    seen = view([worker(101, [thread(101, 0.03)], role=Role.FRONT_END)], queue=(2,) * 15)
    held = loop(101, 0.03, blocked=0.93, run=0.001, work={"glue": 0.5}, waits={"outbound": 0.93},
                hot=[{"where": "HTTPConnection.request (http/client.py)", "share": 0.93, "work": "io"}])  # fmt: skip
    return seen, profiled(seen, worker_profile(101, 0.03, {"io": 0.5}, samples=61, loop=held))


def spinning(waiting: float = 0.2, spin: float = 0.4) -> Host:
    """Two workers of two pool threads on four cores that spin for much of their time."""
    allowed = range(4)
    each = [
        worker(
            k,
            [thread(k, 0.95, waiting, allowed=allowed), thread(k + 50, 0.95, waiting, kind="compute", allowed=allowed)],
        )
        for k in (101, 102)
    ]
    seen = view(each, cores=4, libraries=("libgomp",))
    return seen, profiled(seen, *(worker_profile(k, 1.9, {"spin": spin, "kernel": 0.5}, pool=0.95) for k in (101, 102)))


def decoding(resize: float = 0.06, decode: float = 0.7) -> Host:
    """Two workers that decode and shrink images for a small model, on two full cores."""
    seen = view([worker(k, [thread(k, 0.96, 0.03)]) for k in (101, 102)])
    calls = {"Image.resize": resize, "Image.load": decode - resize}
    hot = [("jpeg_read_scanlines (libjpeg.so)", 0.5, "decode")]
    classes = {"decode": decode, "kernel": 0.15, "glue": 0.05}
    return seen, profiled(
        seen,
        *(
            worker_profile(k, 0.96, classes, calls=calls, hot=hot, phases={"preprocess": decode + 0.02})
            for k in (101, 102)
        ),
    )


def light_model(rate: float | None = 1181.0) -> Host:
    """An MLServer that adds four numbers in a worker of its own, as measured: the front-end at 0.95 cores, the worker 0.27."""
    front = worker(100, [thread(100, 0.746, 0.067), thread(110, 0.108, 0.167, kind="python"),
                         thread(111, 0.097, 0.166, kind="python")], role=Role.FRONT_END)  # fmt: skip
    pool = worker(101, [thread(101, 0.167, 0.119), thread(112, 0.048, 0.078, kind="python"),
                        thread(113, 0.057, 0.045, kind="python")])  # fmt: skip
    seen = msgspec.structs.replace(mlserver(view([front, pool])), requests_per_second=rate)
    ipc = {"ipc": 0.235, "glue": 0.71, "serialise": 0.03, "unknown": 0.025}
    return seen, profiled(
        seen,
        worker_profile(100, 0.951, ipc, loop=loop(100, 0.75, run=0.0003, work={"glue": 0.8, "loop": 0.15})),
        worker_profile(
            101, 0.272, {"ipc": 0.56, "glue": 0.3, "loop": 0.07, "serialise": 0.04, "python": 0.03}, samples=80
        ),
    )


def mlserver(seen: View) -> View:
    """The view as of a service of MLServer."""
    return msgspec.structs.replace(
        seen, service=msgspec.structs.replace(seen.service, framework="mlserver", calls="asynchronous")
    )


ALL = (
    gil_bound, json_rows, saturated_pool, waiting_workers, healthy_profiled, blocked_by_computing, blocked_by_waiting,
    spinning, decoding, light_model,
)  # fmt: skip
