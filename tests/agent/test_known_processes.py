"""What a restarted agent knows of the processes that it watched before, and when it must not believe it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.known_processes import FILE, SAVE_SECONDS, KnownProcesses
from tests.collectors.node import GUNICORN, NOW, Node, start_gunicorn
from tests.hosttree import HostTree

BOOT = "0b1e64b1-1f0a-4d8e-9f5f-3f6f2a1f8f10"


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    made = HostTree(tmp_path / "host")
    made.process(1, argv=("/sbin/init",), comm="systemd", ppid=0)
    booted(made, BOOT)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def booted(machine: HostTree, boot: str, namespace: str = "pid:[4026531836]") -> None:
    machine.file("proc/sys/kernel/random/boot_id", f"{boot}\n")
    link = machine.root / "proc/self/ns/pid"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(namespace)


def watched(machine: HostTree) -> Node:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    return node


def at_once(task: Callable[[], None]) -> None:
    task()


def test_what_was_kept_is_known_to_the_next_agent(machine: HostTree, folder: Path) -> None:
    node = watched(machine)
    KnownProcesses(folder, machine.host).take(node.discovery, at_once)
    found = KnownProcesses(folder, machine.host).load()
    assert [(each.key.pid, each.role, each.framework) for each in found] == [
        (100, "front-end", "gunicorn"),
        (101, "worker", "gunicorn"),
        (102, "worker", "gunicorn"),
    ]
    assert {each.identity.title for each in found} == {"gunicorn/shop:8000"}
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_it_is_written_once_a_minute_at_most_and_only_if_something_is_new(machine: HostTree, folder: Path) -> None:
    node, written = watched(machine), list[int]()
    known = KnownProcesses(folder, machine.host)
    for second in range(240):
        if second == 20:
            machine.process(103, argv=GUNICORN, comm="gunicorn", ppid=100, started=NOW)
        node.scan()
        known.take(node.discovery, lambda _: written.append(second))  # noqa: B023
    assert written == [0, SAVE_SECONDS]


def test_nothing_is_written_before_the_services_are_known(machine: HostTree, folder: Path) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.scan()
    known = KnownProcesses(folder, machine.host)
    known.take(node.discovery, at_once)
    known.finish(node.discovery)
    assert list(folder.iterdir()) == []


def test_the_end_of_the_agent_keeps_what_the_last_minute_brought(machine: HostTree, folder: Path) -> None:
    node = watched(machine)
    known = KnownProcesses(folder, machine.host)
    known.take(node.discovery, at_once)
    machine.remove_process(102)
    node.scan()
    known.take(node.discovery, at_once)
    assert len(known.load()) == 3
    known.finish(node.discovery)
    assert len(known.load()) == 2


@pytest.mark.parametrize(
    ("boot", "namespace"), [("another-boot", "pid:[4026531836]"), (BOOT, "pid:[4026532000]"), ("", "pid:[4026531836]")]
)
def test_another_boot_or_pid_namespace_makes_it_void(
    machine: HostTree, folder: Path, boot: str, namespace: str
) -> None:
    KnownProcesses(folder, machine.host).take(watched(machine).discovery, at_once)
    booted(machine, boot, namespace)
    assert KnownProcesses(folder, machine.host).load() == ()


@pytest.mark.parametrize("body", [b"", b"{", b'{"boot": 5}', b'{"boot": "x", "processes": [{}]}', b"\xff\x00"])
def test_a_file_that_cannot_be_understood_is_no_error(machine: HostTree, folder: Path, body: bytes) -> None:
    (folder / FILE).write_bytes(body)
    assert KnownProcesses(folder, machine.host).load() == ()


def test_a_folder_that_cannot_be_written_is_no_error(machine: HostTree, folder: Path) -> None:
    known = KnownProcesses(folder / "missing", machine.host)
    known.take(watched(machine).discovery, at_once)
    assert known.load() == ()


def test_without_a_boot_id_nothing_is_kept(machine: HostTree, folder: Path) -> None:
    (machine.root / "proc/sys/kernel/random/boot_id").unlink()
    known = KnownProcesses(folder, machine.host)
    known.take(watched(machine).discovery, at_once)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("body", [b'{"boot":"\xff","processes":[]}', b'{"z":' + b"[" * 3000 + b"]" * 3000 + b"}"])
def test_a_damaged_file_does_not_end_the_agent(machine: HostTree, folder: Path, body: bytes) -> None:
    (folder / FILE).write_bytes(body)
    assert KnownProcesses(folder, machine.host).load() == ()


def test_a_file_that_can_be_neither_written_nor_removed_is_no_error(machine: HostTree, folder: Path) -> None:
    (folder / "file").write_text("")
    known = KnownProcesses(folder / "file", machine.host)
    known.save(())
    assert known.load() == ()
