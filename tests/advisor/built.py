"""Built hosts for the rules: a service whose numbers are chosen, as the view that a rule gets."""

from collections.abc import Sequence

from advisor.engine import Engine, Judgement
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion
from advisor.rule import Rule, Settings, Verdict
from advisor.view import CgroupView, CoreView, ThreadView, View, WorkerView
from collectors.compute_threads import ThreadsSetting
from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.facts import Environ, Library, ProcessFacts
from collectors.reading import Unsupported

MIB = 1 << 20


def thread(
    tid: int,
    used: float,
    waiting: float = 0.0,
    *,
    kind: str = "main",
    allowed: Sequence[int] | None = (0, 1),
    seen: dict[int, float] | None = None,
) -> ThreadView:
    cpus = seen if seen is not None else {c: 1 / len(allowed or (0,)) for c in allowed or (0,)}
    return ThreadView(
        tid=tid,
        name="python",
        thread_class=kind,
        state="R",
        cores_used=used,
        waiting_cores=waiting,
        allowed=None if allowed is None else frozenset(allowed),
        cpus_seen=cpus,
        last_cpu=0,
    )


def worker(
    pid: int,
    threads: Sequence[ThreadView],
    *,
    role: Role = Role.WORKER,
    resident: int | None = 200 * MIB,
    switches: float = 100.0,
) -> WorkerView:
    return WorkerView(
        key=WorkerKey(pid, 1000 + pid),
        role=role,
        slot=pid % 100,
        cores_used=sum(t.cores_used for t in threads),
        waiting_cores=sum(t.waiting_cores for t in threads),
        resident_bytes=resident,
        thread_count=len(threads),
        switches_per_second=switches,
        major_faults_per_second=0.0,
        threads=tuple(threads),
    )


def view(
    workers: Sequence[WorkerView],
    *,
    cores: int = 2,
    others: float = 0.0,
    busy: Sequence[float] | None = None,
    samples: int = 15,
    cgroup: CgroupView | None = None,
    demand: Sequence[float] | None = None,
    queue: Sequence[float] = (0.0,) * 15,
    steal: float = 0.0,
    available: int | None = 8 << 30,
    libraries: tuple[str, ...] | None = ("openblas",),
    request_threads: int | None = 1,
    delay_readable: bool = True,
) -> View:
    """A view whose CPUs are busy with the service's threads (after where they were seen) and with `others` cores more,
    spread evenly, unless `busy` says how busy each CPU is."""
    own = dict.fromkeys(range(cores), 0.0)
    for each in workers:
        for t in each.threads:
            for cpu, share in t.cpus_seen.items():
                own[cpu] += share * t.cores_used
    total = busy or [min(1.0, own[c] + others / cores) for c in range(cores)]
    return View(
        service=service(workers, libraries, request_threads),
        horizon_seconds=15.0,
        window_seconds=float(samples),
        samples=samples,
        loaded_now=True,
        workers=tuple(workers),
        cores=tuple(CoreView(cpu=c, busy=total[c], own=min(1.0, own[c]), steal=steal) for c in range(cores)),
        cgroup=cgroup,
        demand=tuple(demand) if demand is not None else (sum(min(1.0, w.runnable) for w in workers),) * samples,
        accept_queue=tuple(queue),
        established=4.0,
        requests_per_second=None,
        latency_seconds=None,
        server_queue=None,
        memory_available_bytes=available,
        delay_readable=delay_readable,
    )


def service(
    workers: Sequence[WorkerView],
    libraries: tuple[str, ...] | None = ("openblas",),
    request_threads: int | None = 1,
) -> Service:
    members = tuple(
        Worker(
            process=Process(key=w.key, ppid=1, uid=0, comm="gunicorn", argv=("gunicorn", "app:app")),
            role=w.role,
            framework="gunicorn",
            service="gunicorn/app:8000",
            slot=w.slot,
            compute_libraries=libraries,
            request_threads=request_threads,
        )
        for w in workers
    )
    return Service(
        id="0a1b2c3d4e5f",
        name="gunicorn/app:8000",
        framework="gunicorn",
        application="app",
        port=8000,
        owner=None,
        manager="bare",
        workers=members,
        started=1,
    )


def quota(
    cores: float | None, throttled: int = 0, periods: int = 100, seconds: float = 0.0, cpus: Sequence[int] | None = None
) -> CgroupView:
    return CgroupView(
        quota_cores=cores,
        period_seconds=0.1,
        weight=100,
        periods=periods,
        throttled_periods=throttled,
        throttled_seconds=seconds,
        cpus=None if cpus is None else frozenset(cpus),
        memory_limit_bytes=None,
        memory_current_bytes=None,
    )


UNSET = ThreadsSetting(value=None, known=True, variable=None, origin="default")


def threads_set(value: int) -> ThreadsSetting:
    return ThreadsSetting(value=value, known=True, variable="OMP_NUM_THREADS", origin="environment")


def facts(seen: View, threads: ThreadsSetting | None = UNSET, environ: dict[str, str] | None = None) -> ServiceFacts:
    """Facts whose workers have an environment; `environ` None: nobody could read it."""
    no = Unsupported("not readable", "CAP_SYS_PTRACE")
    known = {
        w.key: ProcessFacts(
            key=w.key,
            environ=Environ(environ) if environ is not None else no,
            libraries=(Library("openblas", "/lib/libopenblas.so"),),
            model_files=(),
            cwd="/srv",
            exe="/usr/bin/python3",
            listening=(),
            limits=no,
        )
        for w in seen.service.workers
    }
    return ServiceFacts(service=seen.service, processes=known, threads=threads)


def verdict(rule: Rule, seen: View, known: ServiceFacts | None = None, *, standing: bool = False) -> Verdict:
    return rule.judge(seen, known or facts(seen, environ={}), Settings(rule.thresholds, {}, standing))


def concluded(rule: Rule, seen: View, known: ServiceFacts | None = None) -> Conclusion:
    found = verdict(rule, seen, known)
    assert isinstance(found, Conclusion), found
    return found


def judged(rules: Sequence[Rule], seen: View, known: ServiceFacts | None = None) -> Judgement:
    return Engine(rules).judge(seen, known or facts(seen, environ={}))


def numbers(conclusion: Conclusion) -> dict[str, float]:
    return {e.metric: e.observed for e in conclusion.evidence}


def gains(conclusion: Conclusion) -> dict[str, tuple[float, float, float]]:
    return {g.metric: (g.p10, g.p50, g.p90) for g in conclusion.gains}


# ---- hosts that several rules are tried on ---------------------------------------------------------------------------


def fighting_pools() -> View:
    """Two workers of two BLAS threads on two CPUs, as measured: everything used, as much waiting again."""
    return view([worker(k, [thread(k, 0.5, 0.5), thread(k + 50, 0.49, 0.51, kind="compute")]) for k in (101, 102)])


def too_many_workers() -> View:
    """Eight single-threaded workers and a front-end on two CPUs."""
    front = worker(100, [thread(100, 0.22, 1.0)], role=Role.FRONT_END, switches=600)
    return view([front, *(worker(k, [thread(k, 0.218, 0.78)], switches=550) for k in range(101, 109))])


def one_saturated_worker() -> View:
    """A front-end and one worker at one core; the other CPU idles."""
    front = worker(100, [thread(100, 0.16, 0.05)], role=Role.FRONT_END)
    return view([front, worker(101, [thread(101, 0.99, 0.06)])])


def narrow_mask() -> View:
    """One worker of two threads inside a mask of one CPU; the other CPU idles."""
    one = [thread(101, 0.5, 0.36, allowed=(0,)), thread(151, 0.5, 0.36, kind="compute", allowed=(0,))]
    front = worker(100, [thread(100, 0.0, 0.0, allowed=(0,))], role=Role.FRONT_END)
    return view([front, worker(101, one)])


def overlapping_pins(*, mixed: bool = False) -> View:
    """Two workers that pinned themselves to CPU 0, below a parent that may use both."""
    front = worker(100, [thread(100, 0.0, 0.0)], role=Role.FRONT_END)
    extra = [thread(190, 0.0, 0.0, kind="python")] if mixed else []
    return view([front, *(worker(k, [thread(k, 0.5, 0.49, allowed=(0,)), *extra]) for k in (101, 102))])


def throttled_bursts() -> View:
    """Two workers at 0.17 cores that a quota of half a core stops in 42 % of the periods."""
    workers = [worker(k, [thread(k, 0.085, 0.16)]) for k in (101, 102)]
    return view(workers, cgroup=quota(0.5, throttled=27, periods=65, seconds=3.76), demand=(0.4,) * 15)


def default_pool_under_quota() -> View:
    """One worker whose pool took eight threads from eight CPUs under a quota of two cores."""
    pool = [thread(151 + k, 0.24, 0.7, kind="compute", allowed=range(8)) for k in range(7)]
    one = worker(101, [thread(101, 0.25, 0.7, allowed=range(8)), *pool])
    return view([one], cores=8, cgroup=quota(2.0, throttled=80, periods=100, seconds=60))


def noisy_neighbour() -> View:
    """Two single-threaded workers that get a third of a core each beside hogs."""
    return view([worker(k, [thread(k, 0.33, 0.62)]) for k in (101, 102)], busy=(1.0, 1.0))


def healthy() -> View:
    """Two workers at 40 % load that wait for nothing."""
    return view([worker(k, [thread(k, 0.38, 0.01)]) for k in (101, 102)], others=0.07)


def far_below() -> View:
    """Two workers at 15 % each."""
    return view([worker(k, [thread(k, 0.145, 0.008)]) for k in (101, 102)], others=0.05)
