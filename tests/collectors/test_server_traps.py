"""What a real model server looks like where the obvious reading of /proc is wrong: one test a trap, on what was recorded."""

import re
from pathlib import Path

import pytest

from collectors.command_line import helper_role, parse_command
from collectors.discovery import Discovery
from collectors.entities import Process, Role
from collectors.environ import allowed_environ
from collectors.facts import Library
from collectors.framework import Framework
from collectors.frameworks.bentoml import BentoMl
from collectors.frameworks.gunicorn import Gunicorn
from collectors.frameworks.hypercorn import Hypercorn
from collectors.frameworks.mlserver import MlServer
from collectors.frameworks.ray_serve import RayServe
from collectors.frameworks.uvicorn import Uvicorn
from collectors.levers import Lever
from collectors.procfs import parse_cmdline
from collectors.redaction import redact_argv
from collectors.registry import all_frameworks
from collectors.thread_class import classify_thread
from tests.captures import FIXTURES, Recorded, facts, process, tree
from tests.hosttree import HostTree

BLAS = (Library("openblas", "/x/libopenblas.so"),)
SPAWN = "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=7, pipe_handle=9)"
TRACKER = "from multiprocessing.resource_tracker import main;main(5)"


def test_trap_1_an_environment_erased_by_setproctitle_is_unknown_and_not_unset() -> None:
    """`environ bytes 1496 non-NUL 0`: the title wrote over it."""
    erased = re.findall(r"environ bytes (\d+) non-NUL (\d+)", (FIXTURES / "setproctitle_effect.txt").read_text())
    sizes = {int(size) for size, left in erased if left == "0"}
    assert sizes == {1496}
    assert allowed_environ(b"\0" * sizes.pop()) is None
    assert allowed_environ(b"HOME=/root\0") == {}
    recorded = Recorded(Gunicorn(), "gunicorn_setproctitle_tree")
    found = {lever: Gunicorn().setting(lever, recorded.service(), recorded.known) for lever in Lever}
    values = {lever.value: one.value for lever, one in found.items() if one is not None}
    assert values == {
        "workers": 2, "request_threads": None, "preload": None, "max_requests_in_flight": None,
        "recycle_after": None,        "compute_threads": None, "thread_binding": None,
    }  # fmt: skip


def test_trap_1_a_title_is_one_item_without_its_padding() -> None:
    head = b"VLLM::Worker_TP0" + b"\0" * 122
    assert parse_cmdline(head) == ("VLLM::Worker_TP0",)
    replica = next(one for one, _ in tree("ray_tree") if one.key.pid == 6474)
    assert replica.argv == ("ray::ServeReplica:iris_app:Iris",)


@pytest.mark.parametrize(
    "flags", [(), ("-B",), ("-X", "dev"), ("-Xfrozen_modules=off", "-I"), ("-BIs", "-W", "ignore")]
)
@pytest.mark.parametrize("framework", [MlServer(), Uvicorn(), Hypercorn()], ids=lambda framework: framework.name)
def test_trap_3_spawned_workers_are_anonymous_and_inherit_from_their_parent(
    framework: Framework, flags: tuple[str, ...]
) -> None:
    spawned = process(9, "/opt/venv/bin/python", *flags, "-c", SPAWN, "--multiprocessing-fork")
    assert framework.recognise(spawned, Role.FRONT_END, None) is Role.WORKER
    assert framework.recognise(spawned, None, None) is None


@pytest.mark.parametrize(
    ("framework", "name", "trackers"),
    [
        (MlServer(), "mlserver_tree_idle", [25327]),
        (Uvicorn(), "uvicorn_workers_tree", [959]),
        (Hypercorn(), "hypercorn_tree", [1165]),
    ],
)
def test_trap_4_the_resource_tracker_is_no_worker(framework: Framework, name: str, trackers: list[int]) -> None:
    roles = Recorded(framework, name).roles
    assert [pid for pid, role in roles.items() if role is Role.SUPPORT] == trackers
    command = parse_command(("python", "-B", "-c", TRACKER))
    assert helper_role(command, Role.WORKER) is Role.SUPPORT


class Holders(Discovery):
    """Discovery of a made machine on which a recorded socket has several holders."""

    def settle(self, machine: HostTree, ports: dict[int, tuple[int, ...]]) -> None:
        for _ in range(3):
            machine.clock.advance(1)
            self.scan(machine.host)
            for each, _ in self.wanted():
                self.learn(facts(each, environ={}, ports=ports.get(each.key.pid, ()), libraries=BLAS))


@pytest.mark.parametrize(
    ("start", "front_argv", "worker_argv", "name"),
    [
        ("uvicorn --workers 2 master", ("uvicorn", "app:app", "--port", "0"), ("python", "-c", SPAWN), "uvicorn/app:18095"),
        ("gunicorn master", ("gunicorn: master [ovapp:app]",), ("gunicorn: worker [ovapp:app]",), "gunicorn/ovapp:18095"),
        ("gunicorn master", ("python", "serve.py"), ("python", "serve.py"), "generic/serve:18095"),
    ],
)  # fmt: skip
def test_trap_5_one_listening_socket_has_several_holders_and_the_topmost_owns_it(
    tmp_path: Path, start: str, front_argv: tuple[str, ...], worker_argv: tuple[str, ...], name: str
) -> None:
    """psutil names one holder only, and it was a worker."""
    text = (FIXTURES / "listen_socket_owners.txt").read_text().partition(start)[2]
    port = int(re.findall(r"'0100007F:([0-9A-F]{4})'", text)[0], 16)
    front, *workers = (int(pid) for pid in re.findall(r"\((\d+), \d+, '", text.partition("\n")[2].partition("\n")[0]))
    assert int(re.findall(r"net_connections holders: \[\((\d+)", text)[0]) in workers
    machine = HostTree(tmp_path)
    machine.process(1, argv=("/sbin/init",), comm="init", ppid=0)
    machine.process(front, argv=front_argv, started=500)
    for pid in workers:
        machine.process(pid, argv=worker_argv, ppid=front, started=501)
    discovery = Holders()
    discovery.settle(machine, dict.fromkeys((front, *workers), (port,)))
    (service,) = discovery.services
    assert (service.name, service.port) == (name, port)
    assert service.front_end is not None
    assert service.front_end.pid == front
    assert [worker.pid for worker in service.serving] == workers


def test_trap_9_threads_of_io_uring_are_the_kernels_and_not_the_servers(tmp_path: Path) -> None:
    machine = HostTree(tmp_path)
    machine.process(7)
    worker = machine.worker(7, compute_libraries=("openblas",))
    assert [classify_thread(name, 8, worker) for name in ("iou-sqp-7", "iou-wrk-7")] == ["kernel", "kernel"]


@pytest.mark.parametrize(
    ("server", "framework", "children"),
    [
        ("mlserver", MlServer(), {Role.WORKER: 2, Role.SUPPORT: 1}),
        ("uvicorn", Uvicorn(), {Role.WORKER: 2, Role.SUPPORT: 1}),
        ("gunicorn", Gunicorn(), {Role.WORKER: 2}),
        ("hypercorn", Hypercorn(), {Role.WORKER: 2, Role.SUPPORT: 1}),
        ("bentoml", BentoMl(), {Role.WORKER: 2}),
    ],
)
def test_trap_11_children_of_a_killed_server_are_known_by_the_role_that_they_had(
    server: str, framework: Framework, children: dict[Role, int]
) -> None:
    text = (FIXTURES / "orphans_after_sigkill.txt").read_text()
    block = re.split(r"^== ", text, flags=re.MULTILINE)
    rows = next(each for each in block if each.startswith(server)).splitlines()[1:]
    roles = [framework.recognise(orphan(row), Role.FRONT_END, None) for row in rows if row.strip()]
    assert {role: roles.count(role) for role in roles} == children
    assert {orphan(row).ppid for row in rows if row.strip()} == {1}


def orphan(row: str) -> Process:
    pid, ppid, _, _, command = row.split(None, 4)
    words = (command,) if command.startswith("gunicorn:") else tuple(command.split(None, 3))
    return process(int(pid), *words, ppid=int(ppid))


def test_trap_15_secrets_on_a_command_line_are_hidden_and_the_rest_is_kept() -> None:
    llama = ("llama-server", "-m", "/m/x.gguf", "--api-key", "s3cret-9f2", "--port", "8080")
    assert redact_argv(llama) == ("llama-server", "-m", "/m/x.gguf", "--api-key", "[redacted]", "--port", "8080")
    raylet = next(one for one, _ in tree("ray_tree") if one.comm == "raylet").argv
    line = tuple(item.replace("-Dray.redis.password= ", "-Dray.redis.password=s3cret-9f2 ") for item in raylet)
    assert any("s3cret-9f2" in item for item in line)
    hidden = redact_argv(line)
    assert not any("s3cret-9f2" in item for item in hidden)
    assert len(hidden) == len(line)
    assert RayServe().recognise(process(1, *hidden, comm="raylet"), None, None) is Role.FRONT_END


@pytest.mark.parametrize(
    "argv",
    [
        ("vim", "vllm.py"), ("grep", "tritonserver"), ("tail", "-f", "vllm.log"), ("pip", "install", "mlserver"),
        ("python", "-m", "pip", "install", "ray[serve]"), ("bash", "-c", "bentoml serve ."),
        ("docker", "run", "--rm", "bentoml/iris", "serve"), ("sh", "-c", "exec hypercorn a:b"),
        ("python", "-c", "import litserve"), ("ssh", "host", "uvicorn", "a:b"), ("sudo", "gunicorn", "a:b"),
        ("less", "/opt/ray/raylet"), ("man", "gunicorn"), ("watch", "ray", "status"),
    ],
)  # fmt: skip
def test_what_only_mentions_a_server_is_none(argv: tuple[str, ...]) -> None:
    one = process(1, *argv, comm=argv[0])
    known = facts(one, environ={})
    assert [f.name for f in all_frameworks() if f.recognise(one, None, known)] == []
