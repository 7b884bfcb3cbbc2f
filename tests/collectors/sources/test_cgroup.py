"""Are limits and what came of them read from cgroups of both versions, at the level where they are decided?"""

from pathlib import Path

from collectors.sources.cgroup import LIMITS_EVERY, CgroupCollector, CgroupSample
from tests.hosttree import HostTree

V2 = "sys/fs/cgroup"
NOTHING = CgroupSample(
    entity="", quota_us=None, period_us=None, weight=None, periods=None, throttled_periods=None, throttled_us=None,
    usage_us=None, cpus=None, memory_limit_bytes=None, memory_current_bytes=None, memory_peak_bytes=None,
    memory_limit_hits=None, oom_kills=None,
)  # fmt: skip


def cpu_stat(usage: int, periods: int, throttled: int, throttled_us: int) -> str:
    return f"usage_usec {usage}\nnr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec {throttled_us}\n"


def pod_on_version_2(root: Path) -> HostTree:
    """A container with a quota of two cores in a pod with one core; memory is limited by the container."""
    tree = HostTree(root)
    pod, container = f"{V2}/kubepods/pod1", f"{V2}/kubepods/pod1/app"
    tree.file(f"{V2}/cgroup.controllers", "cpuset cpu memory\n")
    tree.file(f"{V2}/cpuset.cpus.effective", "0-7\n")
    tree.file(f"{pod}/cpu.max", "100000 100000\n")
    tree.file(f"{pod}/cpu.stat", cpu_stat(9000, 500, 120, 7_000_000))
    tree.file(f"{pod}/cpuset.cpus.effective", "0-3\n")
    tree.file(f"{pod}/memory.max", "max\n")
    tree.file(f"{container}/cpu.max", "200000 100000\n")
    tree.file(f"{container}/cpu.weight", "39\n")
    tree.file(f"{container}/cpu.stat", cpu_stat(8000, 450, 3, 11))
    tree.file(f"{container}/memory.max", "1073741824\n")
    tree.file(f"{container}/memory.current", "900000000\n")
    tree.file(f"{container}/memory.peak", "1073741824\n")
    tree.file(f"{container}/memory.events", "low 0\nhigh 0\nmax 17\noom 2\noom_kill 1\n")
    tree.process(812, cgroup="0::/kubepods/pod1/app\n")
    return tree


def test_on_version_2_the_tightest_quota_and_its_own_counters_are_taken(tmp_path: Path) -> None:
    tree = pod_on_version_2(tmp_path)
    (sample,) = CgroupCollector().collect(tree.host, (tree.service(tree.worker(812)),))
    assert sample == CgroupSample(
        entity="cgroup:/kubepods/pod1/app", quota_us=100000, period_us=100000, weight=39, periods=500,
        throttled_periods=120, throttled_us=7_000_000, usage_us=8000, cpus="0-3", memory_limit_bytes=1073741824,
        memory_current_bytes=900000000, memory_peak_bytes=1073741824, memory_limit_hits=17, oom_kills=1,
    )  # fmt: skip


def test_counters_are_read_each_run_and_limits_within_five(tmp_path: Path) -> None:
    tree = pod_on_version_2(tmp_path)
    services = (tree.service(tree.worker(812)),)
    collector = CgroupCollector()
    collector.collect(tree.host, services)
    tree.file(f"{V2}/kubepods/pod1/cpu.stat", cpu_stat(9500, 510, 121, 7_100_000))
    tree.file(f"{V2}/kubepods/pod1/cpu.max", "max 100000\n")
    samples = [next(iter(collector.collect(tree.host, services))) for _ in range(LIMITS_EVERY)]
    first, last = samples[0], samples[-1]
    assert isinstance(first, CgroupSample)
    assert isinstance(last, CgroupSample)
    assert (first.periods, first.throttled_periods, first.throttled_us) == (510, 121, 7_100_000)
    assert (last.quota_us, last.throttled_periods) == (200000, 3)


def test_on_version_1_nanoseconds_and_the_written_no_limit_are_understood(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    cpu, memory = "sys/fs/cgroup/cpu,cpuacct/a", "sys/fs/cgroup/memory"
    tree.file(f"{cpu}/cpu.cfs_quota_us", "150000\n")
    tree.file(f"{cpu}/cpu.cfs_period_us", "100000\n")
    tree.file(f"{cpu}/cpu.shares", "512\n")
    tree.file(f"{cpu}/cpu.stat", "nr_periods 40\nnr_throttled 5\nthrottled_time 123456789\n")
    tree.file(f"{cpu}/cpuacct.usage", "987654321\n")
    tree.file("sys/fs/cgroup/cpuset/cpuset.cpus", "0-1\n")
    tree.file(f"{memory}/b/memory.limit_in_bytes", "9223372036854771712\n")
    tree.file(f"{memory}/b/memory.usage_in_bytes", "4096\n")
    tree.file(f"{memory}/b/memory.max_usage_in_bytes", "8192\n")
    tree.file(f"{memory}/b/memory.failcnt", "0\n")
    tree.file(f"{memory}/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    tree.process(812, cgroup="4:cpu,cpuacct:/a\n5:memory:/b\n6:cpuset:/\n")
    (sample,) = CgroupCollector().collect(tree.host, (tree.service(tree.worker(812)),))
    assert sample == CgroupSample(
        entity="cgroup:/a+memory:/b+cpuset:/", quota_us=150000, period_us=100000, weight=512, periods=40,
        throttled_periods=5, throttled_us=123456, usage_us=987654, cpus="0-1", memory_limit_bytes=None,
        memory_current_bytes=4096, memory_peak_bytes=8192, memory_limit_hits=0, oom_kills=2,
    )  # fmt: skip


def test_workers_of_one_cgroup_give_one_sample_and_a_cgroup_without_workers_none(tmp_path: Path) -> None:
    tree = pod_on_version_2(tmp_path)
    tree.process(813, cgroup="0::/kubepods/pod1/app\n")
    tree.process(900, cgroup="0::/other\n")
    collector = CgroupCollector()
    both = (tree.service(tree.worker(812), tree.worker(813)), tree.service(tree.worker(900)))
    assert [sample.entity for sample in collector.collect(tree.host, both)] == [
        "cgroup:/kubepods/pod1/app", "cgroup:/other",
    ]  # fmt: skip
    assert [sample.entity for sample in collector.collect(tree.host, both[1:])] == ["cgroup:/other"]
    collector.close()


def test_a_sibling_that_cannot_be_reached_has_a_sample_with_nothing_known(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file(f"{V2}/cgroup.controllers", "cpu\n")
    tree.file("sys/fs/cri-containerd-ff.scope/cpu.max", "1 1\n")
    tree.process(812, cgroup="0::/../cri-containerd-ff.scope\n")
    (sample,) = CgroupCollector().collect(tree.host, (tree.service(tree.worker(812)),))
    assert sample.entity == "cgroup:/../cri-containerd-ff.scope"
    assert all(getattr(sample, name) is None for name in NOTHING.__struct_fields__ if name != "entity")


def test_the_root_of_version_2_has_no_limits_but_its_usage(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file(f"{V2}/cgroup.controllers", "cpu\n")
    tree.file(f"{V2}/cpu.stat", "usage_usec 77\n")
    tree.process(812, cgroup="0::/\n")
    (sample,) = CgroupCollector().collect(tree.host, (tree.service(tree.worker(812)),))
    assert isinstance(sample, CgroupSample)
    assert (sample.usage_us, sample.quota_us, sample.periods, sample.memory_limit_bytes) == (77, None, None, None)


def test_time_that_version_1_counts_for_another_cgroup_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("sys/fs/cgroup/cpu/app/cpu.shares", "1024\n")
    tree.file("sys/fs/cgroup/cpuacct/cpuacct.usage", "987654321\n")
    tree.process(812, cgroup="1:cpu:/app\n2:cpuacct:/\n")
    (sample,) = CgroupCollector().collect(tree.host, (tree.service(tree.worker(812)),))
    assert isinstance(sample, CgroupSample)
    assert (sample.weight, sample.usage_us) == (1024, None)
