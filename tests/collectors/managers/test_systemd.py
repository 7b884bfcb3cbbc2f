"""Which cgroup paths belong to a systemd unit, and its directives."""

import csv

import pytest

from collectors.entities import Role
from collectors.levers import Place
from collectors.managers.bare import Bare
from collectors.managers.systemd import Systemd
from collectors.systemd_units import unit_around
from tests.captures import FIXTURES, process, service_of

HASH = "66be9b2efdf4d85288c319b8c1a2f50d2439b5617e36f45d9d0d0be1381113be"


def owner(*lines: str) -> str | None:
    one = process(1, "python", cgroup="\n".join(lines))
    found = Systemd().owner(one, None)
    assert Systemd().owns(one, None) is (found is not None)
    return found


@pytest.mark.parametrize(
    ("line", "unit"),
    [
        ("0::/system.slice/mlserver.service", "mlserver.service"),
        ("1:name=systemd:/system.slice/web@1.service", "web@1.service"),
        ("0::/system.slice/mlserver.service/workers", "mlserver.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/api.service", "api.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope", None),
        ("0::/user.slice/user-1000.slice/session-3.scope", None),
        ("0::/init.scope", None),
        ("0::/", None),
        ("4:memory:/system.slice/mlserver.service", None),
        (f"0::/system.slice/containerd.service/kubepods-pod86811ae3_b633_4eb8_a508_e3eae190f6ce.slice:x:{HASH}", None),
        (f"0::/system.slice/docker.service/{HASH}", None),
        (f"0::/system.slice/docker-{HASH}.scope", None),
        (f"0::/system.slice/vllm.service/libpod-payload-{HASH}", None),
        (f"0::/system.slice/docker-{HASH}.scope/system.slice/app.service", "app.service"),
        ("0::/../../../system.slice/mlserver.service", "mlserver.service"),
    ],
)  # fmt: skip
def test_the_innermost_service_unit_owns_a_process(line: str, unit: str | None) -> None:
    assert owner(line) == unit


def test_of_the_recorded_paths_only_the_unit_is_one() -> None:
    with open(FIXTURES / "cgroup_paths.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 18
    assert {row["path"]: unit for row in rows if (unit := owner(f"0::{row['path']}"))} == {
        "/system.slice/mlserver.service": "mlserver.service"
    }


def test_the_unit_line_counts_beside_controllers_of_version_1() -> None:
    assert owner("9:name=systemd:/system.slice/a.service", "1:cpu:/", "0::/") == "a.service"


def place(kind: str, key: str, value: str | int | None) -> Place:
    return Place(kind=kind, target="gunicorn", key=key, value=value, effective=True, because="why", restart=False)


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        (place("env", "OMP_NUM_THREADS", "1"), "Environment", "OMP_NUM_THREADS=1"),
        (place("env", "GOMP_CPU_AFFINITY", "0 1"), "Environment", '"GOMP_CPU_AFFINITY=0 1"'),
        (place("env", "OMP_PLACES", None), "UnsetEnvironment", "OMP_PLACES"),
        (place("taskset", "cpu-list", "0-1"), "CPUAffinity", "0-1"),
        (place("cgroup", "cpu.max", "200000 100000"), "CPUQuota", "200%"),
        (place("cgroup", "cpu.max", "25000 50000"), "CPUQuota", "50%"),
        (place("cgroup", "cpu.max", "max"), "CPUQuota", ""),
        (place("cgroup", "cpu.cfs_quota_us", 150000), "CPUQuota", "150%"),
        (place("cgroup", "cpu.cfs_quota_us", -1), "CPUQuota", ""),
        (place("cgroup", "cpu.weight", 200), "CPUWeight", "200"),
        (place("cgroup", "cpu.shares", 2048), "CPUWeight", "200"),
        (place("cgroup", "memory.max", 320 << 20), "MemoryMax", "320M"),
        (place("cgroup", "memory.limit_in_bytes", -1), "MemoryMax", "infinity"),
    ],
)
def test_a_place_becomes_a_directive_of_the_unit(given: Place, key: str, value: str) -> None:
    service = service_of("gunicorn", (process(1, "gunicorn"), Role.FRONT_END), manager="systemd", owner="app.service")
    (rendered,) = Systemd().render(given, service)
    assert (rendered.kind, rendered.target, rendered.key, rendered.value) == ("systemd", "app.service", key, value)
    assert (rendered.effective, rendered.because, rendered.restart) == (True, "why", False)


def test_a_memory_policy_takes_two_directives() -> None:
    service = service_of("gunicorn", (process(1, "gunicorn"), Role.FRONT_END), manager="systemd", owner="app.service")
    rendered = Systemd().render(place("numactl", "membind", "1"), service)
    assert [(p.target, p.key, p.value) for p in rendered] == [
        ("app.service", "NUMAPolicy", "bind"),
        ("app.service", "NUMAMask", "1"),
    ]


def test_arguments_and_files_have_no_directive() -> None:
    service = service_of("gunicorn", (process(1, "gunicorn"), Role.FRONT_END), manager="systemd", owner="app.service")
    assert list(Systemd().render(place("argument", "--workers", "2"), service)) == []
    assert list(Systemd().render(place("file", "parallel_workers", 2), service)) == []


def test_bare_processes_have_neither_owner_nor_words_of_their_own() -> None:
    service = service_of("gunicorn", (process(1, "gunicorn"), Role.FRONT_END))
    assert Bare().owner(process(1, "gunicorn"), None) is None
    assert list(Bare().render(place("env", "A", "1"), service)) == []
    assert Bare.order > Systemd.order


@pytest.mark.parametrize(
    ("line", "unit"),
    [
        (f"0::/system.slice/vllm.service/libpod-payload-{HASH}", "vllm.service"),
        (f"1:name=systemd:/system.slice/vllm.service/libpod-payload-{HASH}/container", "vllm.service"),
        (f"4:memory:/system.slice/vllm.service/libpod-payload-{HASH}", None),
        (f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{HASH}.scope/container", None),
        (f"0::/system.slice/docker.service/{HASH}", None),
    ],
)
def test_a_unit_runs_the_container_that_podman_puts_into_its_cgroup(line: str, unit: str | None) -> None:
    assert unit_around(process(1, "python", cgroup=line).cgroups) == unit
