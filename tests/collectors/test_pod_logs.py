"""Names in the kubelet's log folders, and how often they are listed."""

import os
from pathlib import Path

import pytest

from collectors.containers import pod_logs
from collectors.containers.pod_logs import LogName, PodLogs
from tests.hosttree import HostTree

A, B = "a1" * 32, "b2" * 32
UID = "98cee708-023b-11eb-933d-42010a800193"
LOGS = "var/log/containers"


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def log(machine: HostTree, name: str) -> None:
    machine.file(f"{LOGS}/{name}.log", "never read")
    folder = machine.root / LOGS
    os.utime(folder, ns=(0, os.stat(folder).st_mtime_ns + 1))


def test_a_container_is_named_by_its_log(machine: HostTree) -> None:
    log(machine, f"web-7d9f8b6c5-x2x7q_shop_server-{A}")
    log(machine, f"db-0_data.base_pg-14-{B}")
    logs = PodLogs()
    assert logs.find(machine.host, A, None) == LogName("web-7d9f8b6c5-x2x7q", "shop", "server")
    assert logs.find(machine.host, B, None) == LogName("db-0", "data.base", "pg-14")


@pytest.mark.parametrize("name", [
    f"web_{A}", f"web_shop_server-{A[:63]}", f"Web_shop_server-{A}", f"..-x_shop_y-{A}", f"we\udc80b_shop_server-{A}",
    f"web_shop_server-{A}.gz",
])  # fmt: skip
def test_other_names_tell_nothing(machine: HostTree, name: str) -> None:
    log(machine, name)
    assert PodLogs().find(machine.host, A, None) is None


def test_a_pod_is_named_by_its_folder_and_its_only_container_too(machine: HostTree) -> None:
    machine.file(f"var/log/pods/shop_web-0_{UID}/server/0.log", "")
    assert PodLogs().find(machine.host, A, UID) == LogName("web-0", "shop", "server")
    machine.file(f"var/log/pods/shop_web-0_{UID}/proxy/0.log", "")
    assert PodLogs().find(machine.host, A, UID) == LogName("web-0", "shop", None)
    static = "0123456789abcdef" * 2
    machine.file(f"var/log/pods/kube-system_llm-node1_{static}/llm/0.log", "")
    assert PodLogs().find(machine.host, None, static) == LogName("llm-node1", "kube-system", "llm")


def test_without_the_folders_nothing_is_known(machine: HostTree) -> None:
    assert PodLogs().find(machine.host, A, UID) is None
    machine.file("var/log/containers", "no folder")
    assert PodLogs().find(machine.host, A, UID) is None


def test_a_folder_is_listed_again_for_an_unknown_container_only(
    machine: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(pod_logs.os, "scandir", lambda path: (listed.append(path), scandir(path))[1])
    logs = PodLogs()
    log(machine, f"web_shop_server-{A}")
    for _ in range(100):
        assert logs.find(machine.host, A, None) is not None
        machine.clock.advance(1)
    assert len(listed) == 1
    assert logs.find(machine.host, B, None) is None
    assert len(listed) == 2
    log(machine, f"api_shop_server-{B}")
    assert logs.find(machine.host, B, None) is None
    machine.clock.advance(1)
    assert logs.find(machine.host, B, None) == LogName("api", "shop", "server")
    assert len(listed) == 3


def test_an_unchanged_folder_is_listed_every_30_seconds_while_a_container_is_unknown(
    machine: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(pod_logs.os, "scandir", lambda path: (listed.append(path), scandir(path))[1])
    log(machine, f"web_shop_server-{A}")
    logs = PodLogs()
    for _ in range(61):
        assert logs.find(machine.host, B, None) is None
        machine.clock.advance(1)
    assert len(listed) == 3
