"""Each rule against a real gunicorn with numpy that has its fault, watched by a real agent."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.live.servers import CPU_CGROUPS, HERE, ONE_THREAD, Neighbours, cpu_quota, gunicorn, hogs, load, narrow

CPUS = len(os.sched_getaffinity(0))
needs_quota = pytest.mark.skipif(
    not os.access(CPU_CGROUPS / "cgroup.procs", os.W_OK), reason="needs root and cgroup v1 to set a CPU quota"
)
needs_two = pytest.mark.skipif(CPUS < 2, reason="needs two CPUs")
pytestmark = [pytest.mark.live, pytest.mark.slow]


@contextmanager
def oversubscribed(folder: Path) -> Iterator[int]:
    with gunicorn(folder, workers=CPUS) as port, load(port, "closed", "8"):
        yield port


@contextmanager
def crowded(folder: Path) -> Iterator[int]:
    with gunicorn(folder, workers=4 * CPUS, env=ONE_THREAD) as port, load(port, "closed", str(8 * CPUS)):
        yield port


@contextmanager
def alone(folder: Path) -> Iterator[int]:
    with gunicorn(folder, workers=1, env=ONE_THREAD) as port, load(port, "closed", "4"):
        yield port


@contextmanager
def hardly_used(folder: Path) -> Iterator[int]:
    with gunicorn(folder, workers=2, env=ONE_THREAD) as port, load(port, "open", "8", "1"):
        yield port


@contextmanager
def confined(folder: Path) -> Iterator[int]:
    with gunicorn(folder, workers=2, env=ONE_THREAD, before=narrow) as port, load(port, "closed", "4"):
        yield port


@contextmanager
def pinned_alike(folder: Path) -> Iterator[int]:
    arguments = ["-c", str(HERE / "pin_all_to_cpu_0.py")]
    with gunicorn(folder, workers=2, env=ONE_THREAD, arguments=arguments) as port, load(port, "closed", "4"):
        yield port


@contextmanager
def throttled(folder: Path) -> Iterator[int]:
    with (
        cpu_quota(0.4) as enter,
        gunicorn(folder, workers=2, env={**ONE_THREAD, "LAYERS": "20"}, before=enter) as port,
        load(port, "open", "8", "8"),
    ):
        yield port


@contextmanager
def default_pool(folder: Path) -> Iterator[int]:
    with cpu_quota(0.5 * CPUS) as enter, gunicorn(folder, workers=1, before=enter) as port, load(port, "closed", "4"):
        yield port


@contextmanager
def beside_hogs(folder: Path) -> Iterator[int]:
    with ExitStack() as stack:
        port = stack.enter_context(gunicorn(folder, workers=CPUS, env=ONE_THREAD))
        stack.enter_context(load(port, "closed", "4"))
        stack.enter_context(hogs(2 * CPUS))
        yield port


FAULTS = [
    ("cpu-oversubscribed-openmp", oversubscribed, ("compute_threads", CPUS, 1), [needs_two]),
    ("workers-exceed-cores", crowded, ("workers", 4 * CPUS, CPUS), [pytest.mark.heavy]),
    ("workers-below-cores-saturated", alone, ("workers", 1, CPUS), [needs_two]),
    ("below-one-worker-max", hardly_used, None, []),
    ("affinity-too-narrow", confined, ("affinity", "0", f"0-{CPUS - 1}"), [needs_two, pytest.mark.heavy]),
    ("affinity-overlapping-pins", pinned_alike, ("affinity", "0", f"0-{CPUS - 1}"), [needs_two, pytest.mark.heavy]),
    ("cgroup-cpu-throttled", throttled, ("cpu_quota", 0.4, 2.0), [needs_quota, needs_two]),
    (
        "thread-default-ignores-quota",
        default_pool,
        ("compute_threads", CPUS, CPUS // 2),
        [needs_quota, needs_two, pytest.mark.heavy],
    ),
    ("cpu-noisy-neighbour", beside_hogs, ("cpu_weight", None, None), [pytest.mark.heavy]),
]


@pytest.mark.parametrize(("rule", "fault", "change"), [pytest.param(r, f, c, marks=m, id=r) for r, f, c, m in FAULTS])
def test_the_fault_is_named_first_with_its_change(watching, tmp_path, rule, fault, change):
    with fault(tmp_path) as port:
        name = f"gunicorn/mlp:{port}"

        def named(document):
            own = [f for f in document["findings"] if f["subject"]["name"] == name]
            return own and min(own, key=lambda f: f["rank"])["rule"] == rule

        neighbours = Neighbours()
        try:
            document = watching.wait_for("/v1/advice", named, seconds=90)
        except AssertionError:
            if neighbours.stolen_ratio > 0.05:
                pytest.skip(f"{neighbours.stolen_ratio:.0%} of this machine's CPU was stolen meanwhile")
            raise
        found = next(f for f in document["findings"] if f["subject"]["name"] == name and f["rule"] == rule)
        changes = [(c["lever"], c["current"], c["proposed"]) for c in found["changes"]]
        if change is None:
            assert changes == []
            assert found["severity"] == "info"
        elif change[1] is None:  # the root cgroup of version 2 has no weight
            assert [c[0] for c in changes] in ([change[0]], [])
        else:
            assert changes == [change]
            assert found["severity"] in ("low", "medium", "high")
            assert found["changes"][0]["how"][0]["effective"] is not False
        # a shared test machine may really have neighbours: naming them as well is right
        others = [
            f["rule"]
            for f in document["findings"]
            if f["subject"]["name"] == name
            and f["severity"] != "info"
            and f["rule"] not in (rule, "cpu-noisy-neighbour")
            and not f["because_of"]
        ]
        assert others == []
