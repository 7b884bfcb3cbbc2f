"""How are the cgroups and the CPUs of the hosts laid out?"""

from dataclasses import replace

from tests.hosts.table import CgroupRow, CgroupTree, CpuRow

CONTAINER_ID = "66be9b2efdf4d85288c319b8c1a2f50d2439b5617e36f45d9d0d0be1381113be"
UNIT = "/system.slice/app.service"
DOCKER = f"/docker/{CONTAINER_ID}"
PODS = "/kubepods.slice/kubepods-burstable.slice"
POD = f"{PODS}/kubepods-burstable-podf6f2d169_f2ae_4afa_95ed_06ff2ed6b288.slice"
CONTAINER = f"{POD}/cri-containerd-{CONTAINER_ID}.scope"

Lines = tuple[tuple[int, str, str], ...]

V1_LINES: Lines = (
    (9, "name=systemd", UNIT),
    (8, "pids", UNIT),
    (4, "memory", UNIT),
    (3, "cpuset", "/"),
    (2, "cpuacct", UNIT),
    (1, "cpu", UNIT),
    (0, "", "/"),
)
HYBRID_LINES: Lines = (*V1_LINES[:-1], (0, "", UNIT))
UNIFIED_LINES: Lines = ((0, "", CONTAINER),)
SIDECAR_LINES: Lines = ((0, "", f"/../cri-containerd-{CONTAINER_ID}.scope"),)

V1_POD = "/kubepods/burstable/podf6f2d169-f2ae-4afa-95ed-06ff2ed6b288"
OWN_CONTAINER = f"{V1_POD}/{'5c' * 32}"
V1_SIDECAR_LINES: Lines = tuple(
    (number, name, f"{V1_POD}/{CONTAINER_ID}")
    for number, name in ((5, "name=systemd"), (4, "pids"), (3, "cpuset"), (2, "memory"), (1, "cpu,cpuacct"))
)

SEPARATE = (("cpu", "cpu"), ("cpuacct", "cpuacct"), ("cpuset", "cpuset"), ("memory", "memory"))
JOINED = (("cpu", "cpu,cpuacct"), ("cpuacct", "cpu,cpuacct"), ("cpuset", "cpuset"), ("memory", "memory"))


def comounted_lines(cpu: str) -> Lines:
    """The lines of a container; `cpu` is how the kernel names the joined controllers."""
    names = ("name=systemd", "pids", "cpuset", "memory", cpu)
    return tuple((number, name, DOCKER) for number, name in zip(range(5, 0, -1), names, strict=True))


RHEL7_LINES = comounted_lines("cpuacct,cpu")

V1 = CgroupTree(
    version="v1",
    folders=SEPARATE,
    levels=(
        CgroupRow(path="/", usage_us=117_144_907, cpus="0-3", memory_limit_bytes=-1,
                  memory_current_bytes=9_000_000_001),
        CgroupRow(path="/system.slice", quota_us=-1, period_us=100_000, weight=1_024, periods=0,
                  throttled_periods=0, throttled_us=0, usage_us=98_765_432, memory_limit_bytes=-1,
                  memory_current_bytes=5_000_000_003),
        CgroupRow(path=UNIT, quota_us=150_000, period_us=100_000, weight=512, periods=4_021, throttled_periods=733,
                  throttled_us=18_204_771, usage_us=61_001_009, memory_limit_bytes=2_147_483_648,
                  memory_current_bytes=1_403_002_880, memory_peak_bytes=1_500_000_256, memory_limit_hits=14,
                  oom_kills=2),
    ),
)  # fmt: skip

COMOUNTED = CgroupTree(
    version="v1",
    folders=JOINED,
    levels=(
        CgroupRow(path="/", usage_us=217_144_907, cpus="0-1,3"),
        CgroupRow(path="/docker", quota_us=-1, period_us=100_000, weight=1_024, periods=0, throttled_periods=0,
                  throttled_us=0, usage_us=188_765_433, cpus="0-1,3", memory_limit_bytes=1_610_612_736,
                  memory_current_bytes=1_003_002_880, memory_peak_bytes=1_100_000_256, memory_limit_hits=6,
                  oom_kills=9),
        CgroupRow(path=DOCKER, quota_us=-1, period_us=100_000, weight=2_048, periods=0, throttled_periods=0,
                  throttled_us=0, usage_us=71_001_013, cpus="1,3", memory_limit_bytes=-1,
                  memory_current_bytes=903_002_880, memory_peak_bytes=950_000_256, memory_limit_hits=0,
                  oom_kills=0),
    ),
)  # fmt: skip

RHEL7 = CgroupTree(
    version="v1",
    folders=JOINED,
    levels=(
        CgroupRow(path="/", usage_us=317_144_907, cpus="0-3"),
        CgroupRow(path="/docker", quota_us=200_000, period_us=100_000, weight=1_024, periods=9_001,
                  throttled_periods=12, throttled_us=88_031, usage_us=288_765_433, cpus="0-3"),
        CgroupRow(path=DOCKER, quota_us=300_000, period_us=400_000, weight=300, periods=7_007, throttled_periods=606,
                  throttled_us=3_500_021, usage_us=81_001_017, cpus="0-2", memory_limit_bytes=3_221_225_472,
                  memory_current_bytes=803_002_880, memory_peak_bytes=850_000_256, memory_limit_hits=5,
                  oom_kills=None),
    ),
)  # fmt: skip

UNIFIED = CgroupTree(
    version="v2",
    levels=(
        CgroupRow(path="/", usage_us=417_144_907, cpus="0-3"),
        CgroupRow(path="/kubepods.slice", quota_us=-1, period_us=100_000, weight=157, periods=0,
                  throttled_periods=0, throttled_us=0, usage_us=388_765_433, cpus="0-3", memory_limit_bytes=-1),
        CgroupRow(path=PODS, quota_us=-1, period_us=100_000, weight=79, periods=0, throttled_periods=0,
                  throttled_us=0, usage_us=308_765_439, cpus="0-3", memory_limit_bytes=-1),
        CgroupRow(path=POD, quota_us=200_000, period_us=100_000, weight=60, periods=5_005, throttled_periods=404,
                  throttled_us=9_300_023, usage_us=101_001_019, cpus="0-3", memory_limit_bytes=-1),
        CgroupRow(path=CONTAINER, quota_us=-1, period_us=100_000, weight=59, periods=0, throttled_periods=0,
                  throttled_us=0, usage_us=91_001_021, cpus="0,2-3", memory_limit_bytes=4_294_967_296,
                  memory_current_bytes=2_403_002_880, memory_peak_bytes=2_500_000_256, memory_limit_hits=21,
                  oom_kills=1),
    ),
)  # fmt: skip

HYBRID = CgroupTree(
    version="hybrid",
    folders=SEPARATE,
    levels=(
        CgroupRow(path="/", usage_us=517_144_907, cpus="0-3"),
        CgroupRow(path="/system.slice", quota_us=-1, period_us=100_000, weight=1_024, periods=0,
                  throttled_periods=0, throttled_us=0, usage_us=408_765_433),
        CgroupRow(path=UNIT, quota_us=300_000, period_us=100_000, weight=700, periods=3_003, throttled_periods=33,
                  throttled_us=1_300_027, usage_us=111_001_023, memory_limit_bytes=1_073_741_824,
                  memory_current_bytes=703_002_880, memory_peak_bytes=750_000_256, memory_limit_hits=3,
                  oom_kills=0),
        CgroupRow(path=f"{UNIT}/second", quota_us=40_000, period_us=50_000, weight=350, periods=2_002,
                  throttled_periods=901, throttled_us=7_700_029, usage_us=41_001_027,
                  memory_limit_bytes=536_870_912, memory_current_bytes=303_002_880, memory_peak_bytes=350_000_256,
                  memory_limit_hits=8, oom_kills=1),
    ),
)  # fmt: skip

ROOT_ONLY = CgroupTree(version="v2", levels=(CgroupRow(path="/", usage_us=617_144_907, cpus="0-3"),))

SIDECAR = CgroupTree(
    version="v2",
    reachable=False,
    own="/",
    levels=(
        CgroupRow(path="/", quota_us=20_000, period_us=100_000, weight=10, periods=808, throttled_periods=88,
                  throttled_us=700_031, usage_us=1_001_033, cpus="0-3", memory_limit_bytes=67_108_864,
                  memory_current_bytes=23_002_880, memory_peak_bytes=25_000_256, memory_limit_hits=0, oom_kills=0),
    ),
)  # fmt: skip

V1_SIDECAR = CgroupTree(
    version="v1",
    folders=JOINED,
    reachable=False,
    mounted=OWN_CONTAINER,
    own=OWN_CONTAINER,
    levels=(
        CgroupRow(path="/", quota_us=10_000, period_us=100_000, weight=20, periods=707, throttled_periods=77,
                  throttled_us=600_031, usage_us=2_001_033, cpus="0-3", memory_limit_bytes=33_554_432,
                  memory_current_bytes=13_002_880, memory_peak_bytes=15_000_256, memory_limit_hits=1, oom_kills=0),
    ),
)  # fmt: skip

SAME_CONTAINER_LINES = comounted_lines("cpu,cpuacct")
SAME_CONTAINER = replace(
    V1_SIDECAR,
    reachable=True,
    mounted=DOCKER,
    own=DOCKER,
    levels=tuple(replace(level, quota_us=250_000, usage_us=51_000_011) for level in V1_SIDECAR.levels),
)


def flat_cpus(count: int, offline: int | None = None) -> tuple[CpuRow, ...]:
    """One package, no hyperthreads."""
    return tuple(
        CpuRow(cpu=n, core_id=n, siblings=str(n), online=n != offline) for n in range(count)
    )  # fmt: skip


NUMA_CPUS = tuple(
    CpuRow(
        cpu=n,
        node=n % 4 // 2,
        core_id=n % 2,
        package=n % 4 // 2,
        siblings=f"{n % 4},{n % 4 + 4}",
        caches=(
            (1, "Data", 48, f"{n % 4},{n % 4 + 4}"),
            (3, "Unified", 32_768, "0-1,4-5" if n % 4 < 2 else "2-3,6-7"),
        ),
    )
    for n in range(8)
)
"""CPUs 0, 1, 4, 5 on node 0; CPU n and n + 4 are hyperthreads of one core; core ids start again in each package."""
