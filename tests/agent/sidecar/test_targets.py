"""The sidecar looks into model servers and their kin, and into nothing else."""

import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from agent.sidecar.targets import TargetPolicy, all_frameworks, model_servers, process_chain
from collectors.entities import Process, Role, Service, WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.host import Host
from collectors.levers import Lever, Place, Setting, Value
from collectors.procfs import parse_stat
from tests.agent.sidecar.targets_of_tests import key_of, until
from tests.collectors.process_tree import STARTED, host_of, make_process

LISTENING = (
    "  sl local\n"
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 901 1 0 100 0\n"
)


class Fake(Framework):
    """Recognises `serve`, and any child of what it recognised."""

    evidence: Literal["live", "captured", "documented"] = "documented"  # type: ignore[misc]

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        if parent is not None:
            return Role.WORKER
        return Role.FRONT_END if process.argv[:1] == ("serve",) else None

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        return Traits(application="x")

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        return None

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        return ()


def refusal(root: Path, pid: int, started: int = STARTED) -> str | None:
    host = host_of(root)
    refused = TargetPolicy(host, model_servers(host, [Fake()])).refusal(WorkerKey(pid, started))
    return refused.message if refused else None


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """serve (10) ─ worker (11); a database (20); python that listens (30) ─ its child (31) ─ a shell (32); others."""
    make_process(tmp_path, 1, comm="init", argv=("init",), ppid=0)
    make_process(tmp_path, 10, comm="serve", argv=("serve",), ppid=1)
    make_process(tmp_path, 11, comm="x", argv=("anonymous",), ppid=10)
    make_process(tmp_path, 20, comm="postgres", argv=("postgres",), ppid=1)
    listener = make_process(tmp_path, 30, argv=("/opt/venv/bin/python3.11", "app.py"), ppid=1)
    (listener / "fd" / "3").symlink_to("socket:[901]")
    (listener / "net" / "tcp").write_text(LISTENING)
    make_process(tmp_path, 31, argv=("/opt/venv/bin/python3.11", "-c", "spawn"), ppid=30)
    shell = make_process(tmp_path, 32, comm="sh", argv=("sh",), ppid=31)
    (shell / "exe").unlink()
    (shell / "exe").symlink_to("/bin/sh")
    make_process(tmp_path, 40, argv=("python", "backup.py"), ppid=1)
    make_process(tmp_path, 50, comm="kworker/0:1", argv=(), ppid=2)
    return tmp_path


@pytest.mark.parametrize("pid", [10, 11, 30, 31])
def test_model_servers_and_what_descends_from_them_are_allowed(host: Path, pid: int) -> None:
    assert refusal(host, pid) is None


@pytest.mark.parametrize(
    ("pid", "why"),
    [
        (0, "never looked into"),
        (1, "pid 1 (init) is not known as a model server"),
        (-1, "never looked into"),
        (os.getpid(), "never looked into"),
        (20, "pid 20 (postgres) is not known as a model server"),
        (32, "not known as a model server"),
        (40, "not known as a model server"),
        (50, "kernel thread"),
        (60, "process vanished"),
    ],
)
def test_everything_else_is_refused(host: Path, pid: int, why: str) -> None:
    assert why in (refusal(host, pid) or "")


def test_a_title_that_replaced_the_interpreters_name_is_seen_through_by_its_exe(host: Path) -> None:
    (host / "proc/31/cmdline").write_bytes(b"my worker\0")
    assert refusal(host, 31) is None


SPAWNED = ("/opt/venv/bin/python3.11", "-B", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(4)", "-")
TRACKER = ("/opt/venv/bin/python3.11", "-c", "from multiprocessing.resource_tracker import main;main(6)")


@pytest.mark.parametrize(
    ("argv", "parent", "allowed"),
    [
        (SPAWNED, 1, True),
        (SPAWNED, 70, True),  # systemd --user
        (SPAWNED, 71, True),  # a shell
        (SPAWNED, 40, False),  # a Python program that runs and is no server
        (SPAWNED, 20, False),  # a program that takes no orphans in
        (TRACKER, 1, False),
        (("/opt/venv/bin/python3.11", "backup.py"), 1, False),
        (("/opt/venv/bin/python3.11", "-c", "print(1)"), 1, False),
        (("sh", *SPAWNED[1:]), 1, False),
    ],
)
def test_of_what_descends_from_no_server_only_spawned_workers_that_lost_their_parent_are_allowed(
    host: Path, argv: tuple[str, ...], parent: int, allowed: bool
) -> None:
    make_process(host, 70, comm="systemd", argv=("/lib/systemd/systemd", "--user"), ppid=1)
    make_process(host, 71, comm="bash", argv=("-bash",), ppid=70)
    make_process(host, 72, argv=argv, ppid=parent)
    assert (refusal(host, 72) is None) is allowed


def test_a_spawned_worker_below_python_as_pid_1_is_refused(host: Path) -> None:
    (host / "proc/1/cmdline").write_bytes(b"/usr/bin/python3\0train.py\0")
    make_process(host, 72, argv=SPAWNED, ppid=1)
    assert "not known" in (refusal(host, 72) or "")


def test_a_server_that_is_pid_1_of_its_container_is_allowed_with_what_descends_from_it(host: Path) -> None:
    """Where the sidecar has joined that container's pid namespace (`docker run --pid container:NAME`)."""
    (host / "proc/1/cmdline").write_bytes(b"serve\0")
    assert [refusal(host, pid) for pid in (1, 20)] == [None, None]


def test_python_that_listens_as_pid_1_is_allowed_and_an_init_that_listens_makes_no_child_of_its_a_server(
    host: Path,
) -> None:
    (host / "proc/1/fd/3").symlink_to("socket:[901]")
    (host / "proc/1/net/tcp").write_text(LISTENING)
    (host / "proc/1/exe").unlink()
    (host / "proc/1/exe").symlink_to("/lib/systemd/systemd")
    assert "not known" in (refusal(host, 1) or "")
    assert "not known" in (refusal(host, 40) or "")
    (host / "proc/1/cmdline").write_bytes(b"/usr/bin/python3\0serve.py\0")
    assert [refusal(host, pid) for pid in (1, 40)] == [None, None]


def test_a_reused_pid_is_refused(host: Path) -> None:
    assert refusal(host, 10, started=STARTED + 1) == "process vanished"


def test_parents_in_a_circle_end(host: Path) -> None:
    (host / "proc/20/stat").write_text((host / "proc/20/stat").read_text().replace(") S 1 ", ") S 20 "))
    assert "not known" in (refusal(host, 20) or "")


def test_the_installed_frameworks_are_all_asked() -> None:
    assert len(all_frameworks()) == len({framework.name for framework in all_frameworks()}) > 0


def test_this_real_process_is_allowed_once_it_listens() -> None:
    real = Host.real()
    key = WorkerKey(os.getpid(), parse_stat(Path("/proc/self/stat").read_bytes()).started)
    chain = process_chain(real, key)
    assert chain[0].key == key
    with socket.create_server(("127.0.0.1", 0)):
        assert model_servers(real, [Fake()])(chain)


def test_a_process_that_was_recognised_is_not_asked_about_again_but_its_successor_is(tmp_path: Path) -> None:
    asked = []

    def recognised(chain: Sequence[Process]) -> bool:
        asked.append(chain[0].key)
        return True

    with subprocess.Popen(["sleep", "600"]) as process:
        until(lambda: b"sleep" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
        key = key_of(process.pid)
        policy = TargetPolicy(Host.real(), recognised)
        assert [policy.refusal(key) for _ in range(3)] == [None, None, None]
        assert asked == [key]
        stranger = WorkerKey(key.pid, key.started + 1)
        refusal = policy.refusal(stranger)
        process.kill()
    assert refusal is not None
    assert refusal.key == "sidecar.vanished"
    gone = policy.refusal(key)
    assert gone is not None
    assert gone.key == "sidecar.vanished"
