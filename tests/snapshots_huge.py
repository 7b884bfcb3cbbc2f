"""What does the largest node look like that the screens have to bear? Constructed after the example."""

from functools import lru_cache

from msgspec.structs import replace

from advisor.documents import CoreStatus, ServiceVerdict, Snapshot, ThreadStatus
from advisor.finding import Evidence, Finding, Severity, Subject
from tests.snapshots import example_snapshot, example_threads, gpu_snapshot

SERVICES, WORKERS, THREADS, CORES, GPUS, FINDINGS, NAME = 16, 128, 2000, 64, 8, 60, 300
EACH = WORKERS // SERVICES
FIRST_PID = 1_000_001


def name_of(service: int) -> str:
    """300 characters, of which the first tell the service."""
    return f"gunicorn/{service:02d}-a-model-with-quite-a-name-{'x' * NAME}"[: NAME - 5] + f":{8000 + service}"


def pids_of(service: int) -> tuple[int, ...]:
    return tuple(range(FIRST_PID + service * EACH, FIRST_PID + (service + 1) * EACH))


def threads_of(pid: int, count: int = THREADS // WORKERS) -> tuple[ThreadStatus, ...]:
    """Each pinned to a few CPUs, where it ran and where it did not."""
    one = example_threads(101)[0]
    return tuple(
        replace(
            one, tid=pid + number, name="t" * NAME, cores_used=(number * 7 % 10) / 10, waiting_cores=number % 3 / 10,
            last_cpu=number % CORES, allowed_cpus=f"{number % 60}-{number % 60 + number % 5}",
            cpus_seen=((number % 60, 0.7), ((number + 9) % 64, 0.3)),
        )
        for number in range(count)
    )  # fmt: skip


@lru_cache
def huge_snapshot() -> Snapshot:
    """128 workers of 16 services with 2,000 threads on 64 cores, 8 GPUs, 60 findings, and names of 300 characters."""
    example = example_snapshot()
    services, workers = [], []
    for number in range(SERVICES):
        name, pids = name_of(number), pids_of(number)
        services.append(
            replace(
                example.services[0], id=f"id{number:02d}", name=name, pids=pids, workers=EACH, owner="o" * NAME,
                cores_used=3.4 + number / 10, waiting_cores=12.5, usable_cores=64.0, requests_per_second=12345.6,
                accept_queue=1287.0, server_queue=315.0, latency_p50_seconds=1.25, latency_p99_seconds=12.5,
                verdict=f"{EACH} workers × 16 compute threads share 64 cores: set 8 threads each",
            )
        )  # fmt: skip
        workers += [
            replace(
                example.workers[1], pid=pid, started=pid, service=name, slot=slot, command=f"gunicorn {'c' * NAME}",
                threads=THREADS // WORKERS, busiest=threads_of(pid, 5), resident_bytes=12_345_678_901,
            )
            for slot, pid in enumerate(pids, 1)
        ]  # fmt: skip
    cores = tuple(
        CoreStatus(
            cpu=cpu, node=cpu * 2 // CORES, sibling_of=cpu - cpu % 2, busy_ratio=cpu / CORES, steal_ratio=0.0,
            iowait_ratio=0.0,
        )
        for cpu in range(CORES)
    )  # fmt: skip
    gpu = gpu_snapshot().node.gpus[0]
    gpus = tuple(replace(gpu, uuid=f"GPU-{number}", index=number) for number in range(GPUS))
    findings = tuple(_finding(number, example.advice.findings[0]) for number in range(FINDINGS))
    verdicts = tuple(ServiceVerdict(name=one.name, verdict=one.verdict, state=one.state) for one in services)
    return replace(
        example,
        node=replace(example.node, node="n" * NAME, cores=cores, gpus=gpus),
        services=tuple(services),
        workers=tuple(workers),
        advice=replace(example.advice, services=verdicts, findings=findings, inconclusive=()),
    )


def _finding(number: int, cause: Finding) -> Finding:
    service = number % SERVICES
    severities = list(Severity)
    evidence = tuple(
        Evidence(metric=name, unit=unit, observed=value, threshold=limit, window_seconds=15.0, samples=15)
        for name, unit, value, limit in (
            ("waiting_cores", "cores", 12.5, 0.5),
            ("run_delay_share", "ratio", 0.84, 0.4),
            ("memory_charged", "bytes", 123_456_789_012.0, None),
        )
    )
    return replace(
        cause,
        id=f"{number:016x}",
        rank=number // SERVICES + 1,
        severity=severities[-1 - number // SERVICES],
        subject=Subject(kind="service", name=name_of(service), pids=pids_of(service)),
        title=f"{EACH} workers × 16 compute threads share 64 cores: set 8 threads each",
        evidence=evidence,
    )
