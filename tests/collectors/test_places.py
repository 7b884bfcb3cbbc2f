"""Where a lever is set, for the framework and for what manages the service."""

from typing import Any

import pytest

from collectors.entities import Role, Service
from collectors.facts import Library
from collectors.levers import Lever, Value
from collectors.places import places_for, settings_of, shortest_time, time_as_set
from collectors.registry import all_frameworks, all_managers
from tests.captures import facts, process, service_of

ARGV = ("python", "/opt/bin/gunicorn", "-w", "2", "app:app")


def service(cgroup: str = "0::/", **values: Any) -> Service:
    master = process(10, *ARGV, cgroup=cgroup)
    fork = process(11, *ARGV, ppid=10, cgroup=cgroup)
    return service_of("gunicorn", (master, Role.FRONT_END), (fork, Role.WORKER), **values)


def known(of: Service) -> dict[Any, Any]:
    blas = (Library("openblas", "/x/libopenblas.so"),)
    return {w.key: facts(w.process, environ={}, libraries=blas) for w in of.workers}


def shown(lever: Lever, value: Value, of: Service) -> list[tuple[str, str, str, Value]]:
    return [(place.kind, place.target, place.key, place.value) for place in places_for(lever, value, of, known(of))]


def test_frameworks_and_managers_are_found_with_the_general_ones_last() -> None:
    orders = [framework.order for framework in all_frameworks()]
    assert orders == sorted(orders)
    assert [framework.name for framework in all_frameworks()][-1] == "generic"
    assert [manager.name for manager in all_managers()] == ["kubernetes", "compose", "systemd", "bare"]


def test_under_systemd_each_place_is_followed_by_its_directive() -> None:
    of = service("0::/system.slice/app.service", manager="systemd", owner="app.service")
    assert shown(Lever.COMPUTE_THREADS, 1, of) == [
        ("env", "gunicorn", "OMP_NUM_THREADS", "1"),
        ("systemd", "app.service", "Environment", "OMP_NUM_THREADS=1"),
    ]
    assert shown(Lever.AFFINITY, "0-1", of) == [
        ("taskset", "gunicorn", "cpu-list", "0-1"),
        ("systemd", "app.service", "CPUAffinity", "0-1"),
    ]
    assert shown(Lever.NUMA_POLICY, "0", of) == [
        ("numactl", "gunicorn", "membind", "0"),
        ("systemd", "app.service", "NUMAPolicy", "bind"),
        ("systemd", "app.service", "NUMAMask", "0"),
    ]
    assert shown(Lever.CPU_QUOTA, None, of) == [
        ("cgroup", "/sys/fs/cgroup/system.slice/app.service", "cpu.max", "max"),
        ("systemd", "app.service", "CPUQuota", ""),
    ]
    assert shown(Lever.MEMORY_LIMIT, 64 << 20, of) == [
        ("cgroup", "/sys/fs/cgroup/system.slice/app.service", "memory.max", 64 << 20),
        ("systemd", "app.service", "MemoryMax", "64M"),
    ]


def test_clocks_are_set_for_the_whole_node_without_a_restart() -> None:
    cores = "/sys/devices/system/cpu/cpu*/cpufreq"
    of = service("0::/system.slice/app.service", manager="systemd", owner="app.service")
    assert shown(Lever.CPU_GOVERNOR, "performance", of) == [("sysfs", cores, "scaling_governor", "performance")]
    (limit,) = places_for(Lever.CPU_CLOCK_LIMIT, 3500000, of, known(of))
    assert (limit.key, limit.value, limit.restart, limit.effective) == ("scaling_max_freq", 3500000, False, None)


@pytest.mark.parametrize(
    ("cgroup", "value", "expected"),
    [
        ("4:memory:/lab/a\n1:cpu:/b\n0::/", 5, [("/sys/fs/cgroup/memory/lab/a", "memory.limit_in_bytes", 5)]),
        ("4:memory:/lab/a\n0::/", None, [("/sys/fs/cgroup/memory/lab/a", "memory.limit_in_bytes", -1)]),
        ("0::/b", None, [("/sys/fs/cgroup/b", "memory.max", "max")]),
        ("0::/", 5, []),
    ],
)
def test_a_memory_limit_is_a_file_of_the_workers_cgroup(
    cgroup: str, value: Value, expected: list[tuple[str, str, Value]]
) -> None:
    assert [
        (target, key, text) for _, target, key, text in shown(Lever.MEMORY_LIMIT, value, service(cgroup))
    ] == expected


@pytest.mark.parametrize(
    ("cgroup", "value", "expected"),
    [
        ("1:cpu:/lab/a\n0::/", 1.5, ("/sys/fs/cgroup/cpu/lab/a", "cpu.cfs_quota_us", 150000)),
        ("1:cpu:/lab/a\n0::/", None, ("/sys/fs/cgroup/cpu/lab/a", "cpu.cfs_quota_us", -1)),
        ("3:cpu,cpuacct:/b\n0::/", -1, ("/sys/fs/cgroup/cpu/b", "cpu.cfs_quota_us", -1)),
        ("0::/b", 2, ("/sys/fs/cgroup/b", "cpu.max", "200000 100000")),
        ("0::/b", "max", ("/sys/fs/cgroup/b", "cpu.max", "max")),
    ],
)
def test_a_quota_is_written_in_the_words_of_the_cgroups_version(
    cgroup: str, value: Value, expected: tuple[str, str, Value]
) -> None:
    (place,) = places_for(Lever.CPU_QUOTA, value, service(cgroup), {})
    assert (place.kind, place.target, place.key, place.value) == ("cgroup", *expected)
    assert place.restart is False


def test_a_weight_is_in_the_unit_of_the_cgroups_own_file() -> None:
    assert shown(Lever.CPU_WEIGHT, 10240, service("1:cpu:/a")) == [
        ("cgroup", "/sys/fs/cgroup/cpu/a", "cpu.shares", 10240)
    ]
    assert shown(Lever.CPU_WEIGHT, 1000, service("0::/a")) == [("cgroup", "/sys/fs/cgroup/a", "cpu.weight", 1000)]


@pytest.mark.parametrize("cgroup", ["0::/", "1:cpu:/\n0::/", "0::/../cri-containerd-aa.scope"])
def test_the_root_and_a_cgroup_out_of_reach_have_no_limit_to_set(cgroup: str) -> None:
    assert places_for(Lever.CPU_QUOTA, 2, service(cgroup), {}) == ()


def test_the_settings_of_a_service_are_those_that_its_framework_knows() -> None:
    of = service()
    assert {setting.lever: (setting.value, setting.origin) for setting in settings_of(of, known(of))} == {
        Lever.WORKERS: (2, "argument --workers"),
        Lever.REQUEST_THREADS: (1, "default"),
        Lever.PRELOAD: (None, "gunicorn.conf.py may set it"),
        Lever.RECYCLE_AFTER: (None, "gunicorn.conf.py may set it"),
        Lever.COMPUTE_THREADS: ("unset", "default of openblas: one thread per allowed CPU"),
        Lever.THREAD_BINDING: (False, "default"),
    }


def test_a_framework_that_is_not_known_has_no_settings_and_no_places() -> None:
    other = service_of("unheard-of", (process(1, "server"), Role.FRONT_END))
    assert settings_of(other, {}) == ()
    assert places_for(Lever.WORKERS, 2, other, {}) == ()


def test_the_switch_interval_of_the_interpreter_is_set_in_the_programs_own_code() -> None:
    assert shown(Lever.SWITCH_INTERVAL, 0.0005, service()) == [("code", "gunicorn", "sys.setswitchinterval", 0.0005)]


@pytest.mark.parametrize(
    ("framework", "value"), [("triton", 4000), ("tensorflow-serving", 4000), ("torchserve", 4), ("litserve", 0.004)]
)
def test_a_time_is_written_in_the_unit_of_the_server(framework: str, value: float) -> None:
    of = service_of(framework, (process(10, "python"), Role.FRONT_END))
    assert time_as_set(Lever.MAX_BATCH_DELAY, 0.004, of) == value


@pytest.mark.parametrize(
    ("framework", "least", "seconds"),
    [("triton", 1, 1e-6), ("torchserve", 1, 1e-3), ("litserve", 0.0001, 1e-4), ("unheard-of", 0.0001, 1e-4)],
)
def test_a_time_is_one_unit_at_least(framework: str, least: float, seconds: float) -> None:
    """None at all would turn off what waits for so long."""
    of = service_of(framework, (process(10, "python"), Role.FRONT_END))
    assert time_as_set(Lever.MAX_BATCH_DELAY, 0.0000004, of) == least
    assert time_as_set(Lever.MAX_BATCH_DELAY, 0.0, of) == least
    assert shortest_time(Lever.MAX_BATCH_DELAY, of) == seconds
