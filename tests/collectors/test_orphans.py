"""Which workers have lost their front-end, whose were they, and which only look like it?"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from collectors.discover.adoption import adopted, is_spawned
from collectors.discover.remembered import Remembered
from collectors.entities import Process, Role, WorkerKey
from collectors.facts import Library
from tests.captures import facts, process
from tests.collectors.node import BLAS, GUNICORN, NOW, SPAWNED, TRACKER, Node, start_gunicorn
from tests.hosttree import HostTree

UVICORN = ("python", "-m", "uvicorn", "shop:app", "--workers", "2")
SECOND_NS = 1_000_000_000


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    made = HostTree(tmp_path)
    made.process(1, argv=("/sbin/init",), comm="systemd", ppid=0)
    return made


def start_uvicorn(machine: HostTree, pid: int = 100) -> None:
    """A front-end, a resource tracker and two spawned workers."""
    machine.process(pid, argv=UVICORN, comm="python", started=pid + 400)
    machine.process(pid + 1, argv=TRACKER, ppid=pid, started=pid + 401)
    for worker in (pid + 2, pid + 3):
        machine.process(worker, argv=SPAWNED, ppid=pid, started=pid + 402)


def lose(machine: HostTree, front_end: int, *orphans: int, to: int = 1) -> None:
    """The front-end ends, and the kernel gives its children to `to`."""
    machine.remove_process(front_end)
    for pid in orphans:
        machine.process(pid, ppid=to)


def restarted(node: Node, seconds: float = 0.0) -> Node:
    """Another agent on the same machine that knows what the first one kept, some seconds later."""
    kept = node.discovery.remember(node.machine.clock.now())
    body = msgspec.json.decode(msgspec.json.encode(kept), type=tuple[Remembered, ...])
    node.machine.clock.advance(seconds)
    again = Node(node.machine)
    again.inside = node.inside
    again.discovery.recall(body, node.machine.clock.now())
    return again


def states(node: Node) -> dict[str, tuple[bool, tuple[int, ...]]]:
    return {service.name: (service.orphaned, service.pids) for service in node.discovery.services}


def test_workers_are_orphans_from_the_scan_on_in_which_their_front_end_is_gone(machine: HostTree) -> None:
    start_uvicorn(machine)
    node = Node(machine)
    node.settle()
    assert (node.only.orphaned, node.only.orphaned_ns) == (False, None)
    lose(machine, 100, 101, 102, 103)
    assert node.scan()
    since = machine.clock.mono_ns
    assert (node.only.orphaned, node.only.orphaned_ns) == (True, since)
    assert not node.scan(5)
    assert node.only.orphaned_ns == since


def test_orphans_are_looked_into_again_because_what_they_hold_may_have_changed(machine: HostTree) -> None:
    start_uvicorn(machine)
    node = Node(machine)
    node.settle(200)
    for _ in range(4):
        node.settle(300)
    node.asked = []
    lose(machine, 100, 101, 102, 103)
    node.inside = {102: {"ports": (8000,)}}
    node.settle()
    assert node.asked == [102, 103]
    known = {key.pid: inside.listening for key, inside in node.discovery.facts.items()}
    assert known[102] != ()
    for _ in range(20):
        node.settle()
    assert node.asked == [102, 103] * 4


def test_a_worker_that_a_shell_takes_in_is_an_orphan(machine: HostTree) -> None:
    machine.process(50, argv=("-bash",), comm="bash")
    start_uvicorn(machine)
    node = Node(machine)
    node.settle()
    lose(machine, 100, 101, 102, 103, to=50)
    node.scan()
    assert node.only.orphaned


def test_a_front_end_below_pid_1_is_none(machine: HostTree) -> None:
    start_gunicorn(machine)
    start_uvicorn(machine, 300)
    node = Node(machine)
    node.settle()
    assert {name: orphaned for name, (orphaned, _) in states(node).items()} == {
        "gunicorn/shop:8000": False,
        "uvicorn/shop:8000": False,
    }


def test_a_recycled_worker_and_a_replaced_front_end_are_none(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    machine.remove_process(101)
    machine.process(104, argv=GUNICORN, comm="gunicorn", ppid=100, started=NOW + 100)
    node.settle()
    assert states(node) == {"gunicorn/shop:8000": (False, (100, 102, 104))}
    machine.process(110, argv=GUNICORN, comm="gunicorn", ppid=100, started=NOW + 200)  # the new master of an upgrade
    machine.process(111, argv=GUNICORN, comm="gunicorn", ppid=110, started=NOW + 210)
    node.settle(15)
    for pid in (102, 104):
        machine.remove_process(pid)
    lose(machine, 100, 110)
    node.settle()
    assert states(node) == {"gunicorn/shop:8000": (False, (110, 111))}


def test_orphans_beside_the_new_server_are_a_service_of_their_own(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    lose(machine, 100, 101, 102)
    node.scan()
    start_gunicorn(machine, 200, started=NOW + 500)
    node.settle()
    assert states(node) == {
        "gunicorn/shop:8000": (False, (200, 201, 202)),
        "gunicorn/shop:8000#2": (True, (101, 102)),
    }


def test_after_a_restart_of_the_agent_orphans_are_known_by_what_was_kept(machine: HostTree) -> None:
    start_uvicorn(machine)
    node = Node(machine)
    node.settle()
    before = node.only
    lose(machine, 100, 101, 102, 103)
    node.scan(5)
    again = restarted(node, seconds=60)
    again.settle()
    found = again.only
    assert (found.name, found.id, found.framework, found.pids) == (before.name, before.id, "uvicorn", (102, 103, 101))
    assert found.orphaned_ns is not None
    assert machine.clock.mono_ns - found.orphaned_ns == 62 * SECOND_NS


def test_a_front_end_that_ended_while_no_agent_ran_is_missed_by_the_next_one(machine: HostTree) -> None:
    start_uvicorn(machine)
    node = Node(machine)
    node.settle()
    before = node.only
    lose(machine, 100, 101, 102, 103)
    again = restarted(node, seconds=60)
    again.settle()
    assert (again.only.id, again.only.orphaned, again.only.pids) == (before.id, True, (102, 103, 101))
    assert again.only.orphaned_ns == machine.clock.mono_ns - SECOND_NS


def test_what_was_kept_of_another_process_is_not_believed(machine: HostTree) -> None:
    start_uvicorn(machine)
    node = Node(machine)
    node.settle()
    lose(machine, 100, 101, 102, 103)
    machine.process(102, argv=("python", "train.py"))  # the same pid and start with another command line
    machine.process(103, started=NOW + 5)  # the pid in use again
    again = restarted(node)
    again.settle()
    assert again.discovery.services == ()


def test_what_was_kept_of_a_living_server_changes_nothing(machine: HostTree) -> None:
    start_uvicorn(machine)
    node = Node(machine)
    node.settle()
    again = restarted(node)
    again.settle()
    assert again.discovery.services == node.discovery.services


def test_titled_workers_tell_by_themselves_that_they_are_orphans(machine: HostTree) -> None:
    for pid in (102, 103):
        machine.process(pid, argv=("gunicorn: worker [shop:app]",), comm="gunicorn: worke", started=500)
    node = Node(machine)
    node.inside = {pid: {"ports": (8000,)} for pid in (102, 103)}
    node.settle()
    assert states(node) == {"gunicorn/shop:8000": (True, (102, 103))}
    assert {worker.role for worker in node.only.workers} == {Role.WORKER}


def test_forks_left_alone_before_they_were_seen_are_told_by_their_common_socket(machine: HostTree) -> None:
    start_gunicorn(machine)
    lose(machine, 100, 101, 102)
    node = Node(machine)
    node.inside = {pid: {"ports": (8000,)} for pid in (101, 102)}
    node.settle()
    node.settle()
    assert states(node) == {"gunicorn/shop:8000": (True, (101, 102))}


def test_two_masters_with_sockets_of_their_own_are_two_servers(machine: HostTree) -> None:
    for pid in (100, 300):
        machine.process(pid, argv=GUNICORN, comm="gunicorn", started=pid)
    node = Node(machine)
    node.inside = {pid: {"ports": (8000,), "inode": pid} for pid in (100, 300)}
    node.settle()
    node.settle()
    assert [orphaned for orphaned, _ in states(node).values()] == [False, False]


def test_a_master_that_shares_the_socket_of_old_orphans_is_none_itself(machine: HostTree) -> None:
    start_gunicorn(machine)
    lose(machine, 100, 101, 102)
    start_gunicorn(machine, 200, started=900)
    node = Node(machine)
    node.inside = {pid: {"ports": (8000,)} for pid in (101, 102, 200, 201, 202)}
    node.settle()
    node.settle()
    assert sorted(states(node).values()) == [(False, (200, 201, 202)), (True, (101, 102))]


def test_instances_of_units_that_share_a_socket_are_servers(machine: HostTree) -> None:
    for pid, unit in ((100, "a"), (300, "b")):
        cgroup = f"0::/system.slice/shop@{unit}.service\n"
        machine.process(pid, argv=GUNICORN, comm="gunicorn", started=pid, cgroup=cgroup)
    node = Node(machine)
    node.inside = {pid: {"ports": (8000,)} for pid in (100, 300)}
    node.settle()
    node.settle()
    assert [orphaned for orphaned, _ in states(node).values()] == [False, False]


@pytest.mark.parametrize(("ppid", "comm"), [(1, "systemd"), (60, "systemd"), (60, "containerd-shim"), (60, "bash")])
def test_a_spawned_worker_whose_parent_starts_none_is_an_orphan_if_it_computes(
    machine: HostTree, ppid: int, comm: str
) -> None:
    machine.process(60, argv=("parent",), comm=comm)
    for pid in (102, 103):
        machine.process(pid, argv=SPAWNED, ppid=ppid, started=500)
    node = Node(machine)
    node.inside = {pid: {"libraries": BLAS, "ports": (9000,)} for pid in (102, 103)}
    node.settle()
    assert states(node) == {"generic/python:9000": (True, (102, 103))}
    assert node.asked == [102, 103]


@pytest.mark.parametrize("libraries", [(), None])
def test_a_spawned_worker_in_which_nothing_computes_is_let_be(
    machine: HostTree, libraries: tuple[Library, ...] | None
) -> None:
    machine.process(102, argv=SPAWNED, started=500)
    node = Node(machine)
    node.inside = {102: {"libraries": libraries or ()}}
    node.settle()
    assert node.discovery.services == ()
    assert node.asked == [102]


@pytest.mark.parametrize(
    ("pid", "comm", "argv"),
    [
        (60, "python3", ("python3", "train.py")),
        (60, "ray::train_fn", ("ray::train_fn",)),
        (60, "raylet", ("raylet",)),
        (1, "python3", ("python3", "/app/train.py")),
    ],
)
def test_a_spawned_worker_of_a_program_that_runs_is_its_own_affair(
    machine: HostTree, pid: int, comm: str, argv: Sequence[str]
) -> None:
    machine.process(pid, argv=argv, comm=comm, ppid=0 if pid == 1 else 1)
    machine.process(102, argv=SPAWNED, ppid=pid, started=500)
    node = Node(machine)
    node.scan()
    node.discovery.learn(facts(process(102, *SPAWNED, ppid=pid), environ={}, libraries=BLAS))
    node.scan()
    node.settle(10)
    assert node.discovery.services == ()
    assert 102 not in node.asked


def test_the_workers_of_an_unknown_program_are_found_once_it_has_ended(machine: HostTree) -> None:
    machine.process(60, argv=("python3", "serve.py"), comm="python3", started=400)
    for pid in (102, 103):
        machine.process(pid, argv=SPAWNED, ppid=60, started=500)
    node = Node(machine)
    node.inside = {pid: {"libraries": BLAS} for pid in (102, 103)}
    node.settle(10)
    assert node.discovery.services == ()
    lose(machine, 60, 102, 103)
    node.settle(6)
    node.settle()
    assert states(node) == {"generic/python": (True, (102, 103))}


@pytest.mark.parametrize(
    ("ppid", "parent", "answer"),
    [
        (1, process(1, "/sbin/init", comm="systemd"), True),
        (1, None, True),
        (1, process(1, "/usr/bin/python3", "app.py", comm="python3"), False),
        (7, process(7, "/lib/systemd/systemd", "--user", comm="systemd"), True),
        (7, process(7, "-zsh", comm="zsh"), True),
        (1, process(1, "batch: main", comm="batch: main"), False),
        (1, process(1, "/pause", comm="pause"), True),
        (1, process(1, "/app/entry", "--serve", comm="entry"), True),
        (7, process(7, "/usr/bin/python3", "/app/init", comm="init"), False),
        (7, process(7, "python3", "app.py", comm="python3"), False),
        (7, process(7, "VLLM::APIServer", comm="VLLM::APIServer"), False),
        (7, None, False),
        (0, None, False),
    ],
)
def test_a_parent_that_never_starts_a_worker_took_it_in(ppid: int, parent: Process | None, answer: bool) -> None:
    assert adopted(process(50, *SPAWNED, ppid=ppid), parent) is answer


@pytest.mark.parametrize(
    ("argv", "answer"),
    [
        (SPAWNED, True),
        (("/opt/bin/python3.12", "-B", "-X", "dev", *SPAWNED[1:]), True),
        (TRACKER, False),
        (("bash", *SPAWNED[1:]), False),
        (("grep", "multiprocessing.spawn import spawn_main"), False),
    ],
)
def test_only_pythons_own_command_line_is_that_of_a_spawned_worker(argv: Sequence[str], answer: bool) -> None:
    assert is_spawned(Process(key=WorkerKey(5, 5), ppid=1, uid=None, comm="x", argv=tuple(argv))) is answer


HANDED = ("python", "-m", "uvicorn", "shop:app", "--fd", "3")


@pytest.mark.parametrize(
    ("ppid", "argv"),
    [(1, HANDED), (60, HANDED), (1, ("python", "/opt/venv/bin/gunicorn", "-b", "fd://3", "shop:app"))],
)
def test_servers_that_were_handed_one_socket_are_no_orphans(
    machine: HostTree, ppid: int, argv: tuple[str, ...]
) -> None:
    machine.process(1, argv=("ruby", "/usr/bin/einhorn", "-b", "0.0.0.0:8000"), comm="ruby", ppid=0)
    machine.process(60, argv=("sh", "run.sh"), comm="sh", started=400)
    for pid in (102, 103):
        machine.process(pid, argv=argv, ppid=ppid, started=500)
    node = Node(machine)
    node.inside = {pid: {"ports": (8000,)} for pid in (102, 103)}
    node.settle()
    node.settle()
    assert sorted(states(node).values()) == [(False, (102,)), (False, (103,))]


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        (("python", "dash.py"), ("python", "serve.py"), ["generic/dash:7000", "generic/serve:9000"]),
        (
            ("python", "-m", "uvicorn", "manager:app", "--port", "7000"),
            ("python", "-m", "uvicorn", "model:app", "--port", "9000"),
            ["uvicorn/manager:7000", "uvicorn/model:9000"],
        ),
    ],
)
@pytest.mark.parametrize("agent_restarts", [False, True])
def test_a_server_that_another_one_had_started_is_none(
    machine: HostTree, first: Sequence[str], second: Sequence[str], names: list[str], agent_restarts: bool
) -> None:
    machine.process(60, argv=first, started=400)
    machine.process(70, argv=second, ppid=60, started=450)
    node = Node(machine)
    node.inside = {60: {"libraries": BLAS, "ports": (7000,)}, 70: {"libraries": BLAS, "ports": (9000,)}}
    node.settle()
    node.settle()
    assert states(node) == {names[0]: (False, (60, 70))}
    if agent_restarts:
        node = restarted(node)
    lose(machine, 60, 70)
    node.settle(6)
    node.settle(20)
    assert states(node) == {names[1]: (False, (70,))}


def test_while_the_kernel_names_the_front_end_as_parent_nothing_is_lost(machine: HostTree) -> None:
    """The main thread of a process may end before the others: its state is then that of a dead process."""
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    machine.process(100, state="Z")
    node.settle()
    node.settle(20)
    assert [orphaned for orphaned, _ in states(node).values()] == [False, False]


def test_what_passed_requests_on_is_left_behind_as_well(machine: HostTree) -> None:
    """Of vLLM's API servers and engines none ends with the front-end; an engine keeps its workers."""
    machine.process(
        100, argv=("python", "/opt/bin/vllm", "serve", "/m/llama", "--port", "8000"), comm="vllm", started=500
    )
    titles = {101: "VLLM::APIServer_0", 102: "VLLM::APIServer_1", 103: "VLLM::EngineCore", 104: "VLLM::Worker_TP0"}
    for pid, title in titles.items():
        machine.process(pid, argv=(title,), comm=title[:15], ppid=103 if pid == 104 else 100, started=pid + 401)
    node = Node(machine)
    node.settle(15)
    before = node.only
    lose(machine, 100, 101, 102, 103)
    node.settle()
    assert states(node) == {before.name: (True, (101, 102, 103, 104))}
    roles = {worker.pid: worker.role.value for worker in node.only.workers}
    assert roles == {101: "gateway", 102: "gateway", 103: "gateway", 104: "worker"}


def test_titled_workers_of_a_program_that_runs_are_no_orphans(machine: HostTree) -> None:
    machine.process(100, argv=("python3", "/srv/offline.py"), comm="python3", started=500)
    machine.process(101, argv=("VLLM::EngineCore",), comm="VLLM::EngineCor", ppid=100, started=501)
    node = Node(machine)
    node.settle(15)
    assert [orphaned for orphaned, _ in states(node).values()] == [False]
