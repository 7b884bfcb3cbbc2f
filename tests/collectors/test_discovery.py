"""Which services come out of a host's processes, while they start, fork, change, restart and end."""

from pathlib import Path

import pytest

from collectors.entities import Role, Service
from collectors.facts import Library, ProcessFacts, SettingsFile, unreadable_facts
from tests.captures import facts, tree
from tests.collectors.node import BLAS, GUNICORN, NOW, SPAWNED, TRACKER, Node, start_gunicorn
from tests.hosttree import HostTree


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    made = HostTree(tmp_path)
    made.process(1, argv=("/sbin/init",), comm="init", ppid=0)
    return made


def test_a_worker_that_uses_a_gpu_is_known_by_the_driver_that_it_has_mapped(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    cuda = (*BLAS, Library("cuda", "/usr/lib/libcuda.so.1"), Library("cudart", "/srv/libcudart.so.12"))
    node.inside = {100: {"libraries": BLAS}, 101: {"libraries": cuda}}
    node.settle()
    assert [w.drivers for w in node.only.workers] == [(), ("cuda",), ()]
    assert node.only.workers[1].compute_libraries == ("openblas",), "a driver owns no pool of threads"


def shape(service: Service) -> list[tuple[int, Role, int]]:
    return [(worker.pid, worker.role, worker.slot) for worker in service.workers]


def test_a_master_and_its_forks_are_one_service(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.inside = {pid: {"libraries": BLAS} for pid in (100, 101, 102)}
    node.settle()
    assert node.only.name == "gunicorn/shop:8000"
    assert (node.only.port, node.only.manager, node.only.owner, node.only.started) == (8000, "bare", None, 500)
    assert shape(node.only) == [(100, Role.FRONT_END, 0), (101, Role.WORKER, 1), (102, Role.WORKER, 2)]
    assert {w.compute_libraries for w in node.only.workers} == {("openblas",)}
    assert {w.request_threads for w in node.only.workers} == {1}
    assert {w.service for w in node.only.workers} == {"gunicorn/shop:8000"}


def test_recorded_trees_are_recognised_as_they_stand(machine: HostTree) -> None:
    names = ("mlserver_tree_idle", "uvicorn_workers_tree", "gunicorn_setproctitle_tree", "uvicorn_single_tree")
    node = Node(machine)
    for name in names:
        for process, _ in tree(name):
            machine.process(process.key.pid, argv=process.argv, comm=process.comm, ppid=process.ppid)
    node.settle()
    roles = {s.name: [(w.pid, w.role.value) for w in s.workers] for s in node.discovery.services}
    assert (
        roles
        == {
            "gunicorn/app": [(1421, "front-end"), (1430, "worker"), (1432, "worker")],
            "mlserver/app": [(25225, "front-end"), (25328, "worker"), (25329, "worker"), (25327, "support")],
            "uvicorn/app:18091": [(1613, "front-end")],
            "uvicorn/app:18091#2": [(956, "front-end"), (960, "worker"), (961, "worker"), (959, "support")],
        }
        or roles["uvicorn/app:18091"][0][0] == 956
    )
    assert len({service.id for service in node.discovery.services}) == 4


def test_scanning_again_changes_nothing_while_nothing_changes(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    before = node.discovery.services
    assert [node.scan() for _ in range(12)] == [False] * 12
    assert node.discovery.services is before


def test_a_new_worker_and_a_gone_one_are_seen_at_the_next_scan(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    machine.remove_process(101)
    assert node.scan()
    assert [w.pid for w in node.only.serving] == [102]
    machine.process(110, argv=GUNICORN, comm="gunicorn", ppid=100, started=NOW)
    assert node.scan()
    assert [w.pid for w in node.only.serving] == [102, 110]


def test_a_zombie_is_no_worker(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    machine.process(102, state="Z")
    assert node.scan()
    assert [w.pid for w in node.only.serving] == [101]


def test_a_reused_pid_is_another_process(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    machine.process(101, argv=("sleep", "60"), comm="sleep", ppid=1, started=NOW)
    assert node.scan()
    assert [w.pid for w in node.only.workers] == [100, 102]
    machine.process(101, argv=GUNICORN, comm="gunicorn", ppid=100, started=NOW + 100)
    for _ in range(12):
        node.scan()
    assert [(w.pid, w.key.started) for w in node.only.serving] == [(102, 502), (101, NOW + 100)]


def test_a_shell_that_becomes_a_server_is_found(machine: HostTree) -> None:
    node = Node(machine)
    machine.process(100, argv=("bash", "start.sh"), comm="bash", started=500)
    node.settle()
    assert node.discovery.services == ()
    machine.process(100, argv=GUNICORN, comm="gunicorn")
    for _ in range(11):
        node.settle(0.5)
    assert [w.pid for w in node.only.workers] == [100]


@pytest.mark.parametrize(
    ("argv", "comm"),
    [(("/bin/bash", "/entrypoint.sh"), "entrypoint.sh"), (("/opt/venv/bin/python", "/opt/venv/bin/launch"), "launch")],
)
def test_a_script_with_a_name_of_its_own_that_becomes_a_server_is_found(
    machine: HostTree, argv: tuple[str, ...], comm: str
) -> None:
    node = Node(machine)
    machine.process(100, argv=argv, comm=comm, started=500)
    node.settle()
    assert node.discovery.services == ()
    machine.process(100, argv=GUNICORN, comm="gunicorn")
    for _ in range(11):
        node.settle(0.5)
    assert [w.pid for w in node.only.workers] == [100]


def test_a_tree_deeper_than_python_may_recurse_is_read(machine: HostTree) -> None:
    """The youngest first, as after pids have started from 1 again."""
    for pid in range(1000, 2100):
        machine.process(pid, argv=("bash",), comm="bash", ppid=pid + 1, started=500)
    start_gunicorn(machine)
    machine.process(100, ppid=1000)
    node = Node(machine)
    node.settle()
    assert [w.pid for w in node.only.workers] == [100, 101, 102]


def test_a_young_process_is_looked_at_until_it_has_its_title(machine: HostTree) -> None:
    node = Node(machine)
    start_gunicorn(machine, started=NOW)
    node.inside = {100: {"ports": (8000,)}}
    node.scan()
    for pid, title in ((100, "master"), (101, "worker"), (102, "worker")):
        machine.process(pid, argv=(f"gunicorn: {title} [shop:app]",), comm=f"gunicorn: {title}"[:15])
    node.settle()
    assert node.only.name == "gunicorn/shop:8000"
    assert [w.role for w in node.only.workers] == [Role.FRONT_END, Role.WORKER, Role.WORKER]


def test_name_and_id_outlast_a_restart(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    before = node.only
    for pid in (100, 101, 102):
        machine.remove_process(pid)
    assert node.scan()
    assert node.discovery.services == ()
    start_gunicorn(machine, pid=200, started=NOW)
    node.settle()
    assert (node.only.name, node.only.id) == (before.name, before.id)
    assert node.only.pids == (200, 201, 202)
    again = Node(machine)
    again.settle()
    assert (again.only.name, again.only.id) == (before.name, before.id)


def test_services_that_differ_in_application_port_or_owner_have_their_own_ids(machine: HostTree) -> None:
    start_gunicorn(machine, 100)
    start_gunicorn(machine, 200, (*GUNICORN[:-1], "cart:app"))
    start_gunicorn(machine, 300, (*GUNICORN[:5], "127.0.0.1:8001", "shop:app"))
    start_gunicorn(machine, 400, cgroup="0::/system.slice/shop.service\n", started=600)
    node = Node(machine)
    services = node.settle()
    assert [(s.name, s.owner, s.manager) for s in services] == [
        ("gunicorn/cart:8000", None, "bare"),
        ("gunicorn/shop:8000", None, "bare"),
        ("gunicorn/shop:8000#2", "shop.service", "systemd"),
        ("gunicorn/shop:8001", None, "bare"),
    ]
    assert len({s.id for s in services}) == 4


def test_a_restart_does_not_rename_the_other_service_of_the_same_name(machine: HostTree) -> None:
    start_gunicorn(machine, 100, started=500)
    start_gunicorn(machine, 400, cgroup="0::/system.slice/shop.service\n", started=600)
    node = Node(machine)
    node.settle()
    for pid in (100, 101, 102):
        machine.remove_process(pid)
    node.scan()
    assert [s.name for s in node.discovery.services] == ["gunicorn/shop:8000#2"]
    start_gunicorn(machine, 700, started=NOW)
    node.settle()
    assert [(s.name, s.owner) for s in node.discovery.services] == [
        ("gunicorn/shop:8000", None),
        ("gunicorn/shop:8000#2", "shop.service"),
    ]


def test_orphans_stay_a_service_under_the_name_they_had(machine: HostTree) -> None:
    machine.process(100, argv=("python", "-m", "uvicorn", "shop:app", "--workers", "2"), comm="python", started=500)
    machine.process(101, argv=TRACKER, ppid=100, started=501)
    for pid in (102, 103):
        machine.process(pid, argv=SPAWNED, ppid=100, started=502)
    node = Node(machine)
    node.settle()
    before = node.only
    machine.remove_process(100)
    for pid in (101, 102, 103):
        machine.process(pid, ppid=1)
    assert node.scan()
    assert (node.only.name, node.only.id, node.only.front_end) == (before.name, before.id, None)
    assert [(w.pid, w.role) for w in node.only.workers] == [
        (102, Role.WORKER), (103, Role.WORKER), (101, Role.SUPPORT),
    ]  # fmt: skip
    machine.process(200, argv=("python", "-m", "uvicorn", "shop:app"), comm="python", started=NOW)
    node.settle()
    assert {s.name: s.pids for s in node.discovery.services} == {
        before.name: (200,),
        f"{before.name}#2": (102, 103, 101),
    }
    for pid in (102, 103):
        machine.remove_process(pid)
    node.scan()
    assert [s.name for s in node.discovery.services] == [before.name]


def test_orphaned_forks_keep_their_role_although_they_look_like_a_master(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    machine.remove_process(100)
    for pid in (101, 102):
        machine.process(pid, ppid=1)
    node.scan()
    assert [w.role for w in node.only.workers] == [Role.WORKER, Role.WORKER]
    assert node.only.name == "gunicorn/shop:8000"


def test_a_server_that_daemonises_is_a_front_end(machine: HostTree) -> None:
    node = Node(machine)
    machine.process(100, argv=GUNICORN, comm="gunicorn", started=NOW)
    machine.process(101, argv=GUNICORN, comm="gunicorn", ppid=100, started=NOW)
    node.scan()
    machine.remove_process(100)
    machine.process(101, ppid=1)
    machine.process(102, argv=GUNICORN, comm="gunicorn", ppid=101, started=NOW)
    node.settle()
    assert shape(node.only) == [(101, Role.FRONT_END, 0), (102, Role.WORKER, 1)]


def test_a_service_is_published_once_its_front_end_was_looked_into(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    assert not node.scan()
    assert node.discovery.services == ()
    wanted = node.discovery.wanted()
    assert [process.key.pid for process, _ in wanted] == [100, 101, 102]
    node.discovery.learn(unreadable_facts(wanted[0][0].key, "no permission", "grant it"))
    assert node.scan()
    assert node.only.name == "gunicorn/shop:8000"


def test_without_any_answer_it_is_published_after_three_seconds(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    assert [node.scan() for _ in range(4)] == [False, False, False, True]
    assert node.only.workers[1].compute_libraries is None


def test_a_port_that_only_the_socket_tells_is_waited_for(machine: HostTree) -> None:
    node = Node(machine)
    machine.process(100, argv=("gunicorn: master [shop:app]",), comm="gunicorn: maste", started=NOW)
    node.settle()
    assert node.discovery.services == ()
    node.inside = {100: {"ports": (8000,)}}
    for _ in range(5):
        node.settle()
    assert node.only.name == "gunicorn/shop:8000"


def test_a_server_without_a_port_is_published_when_it_had_time_to_start(machine: HostTree) -> None:
    argv = (*GUNICORN[:4], "-b", "unix:/run/shop.sock", "shop:app")
    node = Node(machine)
    start_gunicorn(machine, argv=argv, started=NOW)
    node.settle()
    assert node.discovery.services == ()
    node.settle(5)
    assert (node.only.name, node.only.port) == ("gunicorn/shop", None)


def test_settings_files_are_asked_for_beside_the_front_end_and_used(machine: HostTree) -> None:
    machine.process(100, argv=("python", "/opt/bin/mlserver", "start", "/mnt/models"), comm="mlserver", started=500)
    machine.process(101, argv=SPAWNED, ppid=100, started=502)
    node = Node(machine)
    node.scan()
    wanted = node.discovery.wanted()
    asked = {process.key.pid: [request.pattern for request in requests] for process, requests in wanted}
    assert asked[100][0] == "/mnt/models/settings.json"
    assert asked[101] == []
    settings = {"http_port": 18080, "metrics_port": 18082}
    file = SettingsFile("settings.json", "/mnt/models/settings.json", True, settings)
    for process, _ in wanted:
        node.discovery.learn(facts(process, environ={}, files=(file,)))
    node.scan()
    assert (node.only.name, node.only.metrics_url) == ("mlserver/models:18080", "http://127.0.0.1:18082/metrics")


def test_processes_are_looked_into_again_at_certain_ages_and_not_between(machine: HostTree) -> None:
    node = Node(machine)
    machine.process(100, argv=GUNICORN, comm="gunicorn", started=NOW)
    seconds = []
    for second in range(400):
        node.asked = []
        node.scan()
        node.look()
        if node.asked:
            seconds.append(second + 1)
    assert seconds == [1, 5, 15, 30, 300]


def test_new_facts_are_a_change_even_where_no_worker_is(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    process = node.only.workers[1].process
    node.discovery.learn(facts(process, environ={"OMP_NUM_THREADS": "1"}))
    assert node.scan()
    node.discovery.learn(facts(process, environ={"OMP_NUM_THREADS": "1"}))
    assert not node.scan()


def test_facts_of_an_ended_process_are_dropped(machine: HostTree) -> None:
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    late = facts(node.only.workers[1].process, environ={})
    machine.remove_process(101)
    node.scan()
    node.discovery.learn(late)
    node.scan()
    assert {key.pid for key in node.discovery.facts} == {100, 102}


def test_a_python_process_that_listens_with_a_numeric_library_is_found(machine: HostTree) -> None:
    machine.process(100, argv=("python", "/srv/serve.py"), comm="python", started=500)
    machine.process(101, argv=("python", "/srv/serve.py"), comm="python", ppid=100, started=501)
    machine.process(102, argv=("python", "/srv/cron.py"), comm="python", started=502)
    node = Node(machine)
    node.inside = {100: {"libraries": BLAS, "ports": (9000,)}, 101: {"libraries": BLAS}}
    node.settle()
    assert node.only.name == "generic/serve:9000"
    assert shape(node.only) == [(100, Role.FRONT_END, 0), (101, Role.WORKER, 1)]
    assert node.asked.count(102) == 1


def test_forks_that_share_their_parents_socket_are_its_workers(machine: HostTree) -> None:
    machine.process(100, argv=("python", "/srv/serve.py"), comm="python", started=500)
    for pid in (101, 102):
        machine.process(pid, argv=("python", "/srv/serve.py"), comm="python", ppid=100, started=pid)
    node = Node(machine)
    node.inside = {100: {"ports": (9000,)}}
    node.inside |= {pid: {"libraries": BLAS, "ports": (9000,)} for pid in (101, 102)}
    node.settle()
    assert node.only.name == "generic/serve:9000"
    assert [w.pid for w in node.only.serving] == [101, 102]


def test_python_processes_of_no_service_take_turns(machine: HostTree) -> None:
    for pid in range(200, 250):
        machine.process(pid, argv=("python", f"/srv/job{pid}.py"), comm="python", started=500)
    node = Node(machine)
    for turn in range(1, 14):
        node.settle()
        assert len(node.asked) == len(set(node.asked)) == min(50, 4 * turn)
    for _ in range(20):
        node.settle()
    assert len(node.asked) == 50


def test_two_of_many_processes_that_are_alike_stand_for_all(machine: HostTree) -> None:
    for pid in range(200, 250):
        machine.process(pid, argv=("python", "/srv/job.py"), comm="python", started=500)
    node = Node(machine)
    for _ in range(20):
        node.settle()
    assert node.asked == [200, 201]
    machine.remove_process(200)
    for _ in range(20):
        node.settle()
    assert node.asked == [200, 201, 202]


def test_a_configured_pattern_makes_and_names_a_service(machine: HostTree) -> None:
    machine.process(100, argv=("/opt/bin/visionserver", "--model-repository=/m"), comm="visionserver", started=500)
    machine.process(101, argv=("bash", "-c", "visionserver --x"), comm="bash", started=499)
    start_gunicorn(machine, 200)
    node = Node(
        machine,
        patterns={"vision": r"visionserver", "shop": r"gunicorn .*shop:app"},
        metrics_urls={"vision": "http://127.0.0.1:8002/metrics"},
    )
    node.settle()
    found = {s.name: (s.framework, s.pids, s.metrics_url) for s in node.discovery.services}
    assert found == {
        "shop": ("gunicorn", (200, 201, 202), None),
        "vision": ("generic", (100,), "http://127.0.0.1:8002/metrics"),
    }


def test_the_owner_in_a_pod_is_its_workload(machine: HostTree) -> None:
    uid, container = "98cee708_023b_11eb_933d_42010a800193", "a" * 64
    path = f"/kubepods.slice/kubepods-burstable-pod{uid}.slice/cri-containerd-{container}.scope"
    start_gunicorn(machine, cgroup=f"0::{path}\n")
    node = Node(machine)
    node.inside = {pid: {"environ": {"HOSTNAME": "web-7d9f8b6c5-x2x7q"}} for pid in (100, 101, 102)}
    node.settle()
    assert (node.only.owner, node.only.manager) == ("web", "kubernetes")
    assert node.only.workers[0].process.cgroups == (("", path),)


def test_kernel_threads_and_processes_that_vanish_meanwhile_are_left_out(machine: HostTree) -> None:
    machine.process(2, argv=(), comm="kthreadd", ppid=0)
    machine.process(3, argv=(), comm="kworker/0:1", ppid=2)
    (machine.root / "proc/55").mkdir()
    machine.process(56, argv=("python", "x.py"))
    machine.file("proc/56/stat", b"")
    start_gunicorn(machine)
    node = Node(machine)
    node.settle()
    assert node.only.pids == (100, 101, 102)


def test_a_host_without_proc_has_no_services(tmp_path: Path) -> None:
    node = Node(HostTree(tmp_path))
    assert not node.scan()
    assert node.discovery.services == ()


def test_facts_may_come_from_another_thread(machine: HostTree) -> None:
    from threading import Thread

    start_gunicorn(machine)
    node = Node(machine)
    node.scan()
    answers: list[ProcessFacts] = [facts(process, environ={}) for process, _ in node.discovery.wanted()]
    threads = [Thread(target=node.discovery.learn, args=(answer,)) for answer in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    node.scan()
    assert len(node.discovery.facts) == 3
