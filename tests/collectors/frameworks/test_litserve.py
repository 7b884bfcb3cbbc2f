"""LitServe as it was recorded: told by the script that imports it, and its processes by how they were started."""

import pytest

from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts, SettingsFile
from collectors.frameworks.generic import Generic
from collectors.frameworks.litserve import LitServe
from collectors.levers import Lever
from tests.captures import Recorded, facts, process, service_of, tree

FRONT, WORKER, GATEWAY, SUPPORT = Role.FRONT_END, Role.WORKER, Role.GATEWAY, Role.SUPPORT
SAYS_SO = (SettingsFile("script", "/srv/app/server.py", True, {"import litserve": True}),)
SAYS_NOT = (SettingsFile("script", "/srv/app/server.py", True, {}),)
SERVER = process(10, "/opt/venv/bin/python", "server.py")


def recorded_roles() -> dict[int, Role | None]:
    """Roles of the recorded processes, had its script been read."""
    roles: dict[int, Role | None] = {}
    for each, _ in tree("litserve_tree"):
        known = facts(each, environ={}, ports=(8000,), files=SAYS_SO)
        roles[each.key.pid] = LitServe().recognise(each, roles.get(each.ppid), known)
    return roles


def recorded_service() -> Service:
    roles = recorded_roles()
    members = [(each, role) for each, _ in tree("litserve_tree") if (role := roles[each.key.pid])]
    return service_of("litserve", *members)


def test_spawned_processes_are_workers_and_forks_hand_requests_on() -> None:
    """3639 is the manager that holds the queues, 3678 the API server: both are forks of the script."""
    assert recorded_roles() == {
        3630: FRONT, 3639: GATEWAY, 3654: SUPPORT, 3655: WORKER, 3656: WORKER, 3678: GATEWAY,
    }  # fmt: skip
    assert [worker.pid for worker in recorded_service().serving] == [3655, 3656]


def test_nothing_but_the_script_tells_it_from_any_other_python() -> None:
    recorded = Recorded(LitServe(), "litserve_tree")
    assert set(recorded.roles.values()) == {None}


@pytest.mark.parametrize(
    ("one", "known", "role"),
    [
        (SERVER, facts(SERVER, files=SAYS_SO, ports=(8000,)), FRONT),
        (SERVER, facts(SERVER, files=SAYS_SO), None),
        (SERVER, facts(SERVER, files=SAYS_NOT, ports=(8000,)), None),
        (SERVER, facts(SERVER, ports=(8000,)), None),
        (SERVER, None, None),
        (process(10, "vim", "server.py"), facts(SERVER, files=SAYS_SO, ports=(8000,)), None),
    ],
)
def test_the_script_must_import_it_and_listen(one: Process, known: ProcessFacts | None, role: Role | None) -> None:
    assert LitServe().recognise(one, None, known) is role


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        (("python", "server.py"), ["server.py"]),
        (("python3.11", "-u", "/srv/shop/serve.py", "--port", "9"), ["/srv/shop/serve.py"]),
        (("python", "-m", "shop.serve"), []),
        (("litserve", "dockerize", "server.py"), []),
        (("bash", "run.sh"), []),
    ],
)
def test_the_script_is_read_beside_a_python_process_that_may_be_one(argv: tuple[str, ...], asked: list[str]) -> None:
    one = process(10, *argv)
    for requests in (LitServe().candidate_requests(one), LitServe().settings_requests(one)):
        assert [(request.pattern, request.keys) for request in requests] == [
            (path, ("import litserve",)) for path in asked
        ]


def test_the_script_names_it_and_its_socket_gives_the_port() -> None:
    known = {SERVER.key: facts(SERVER, environ={}, files=SAYS_SO, ports=(8000,))}
    traits = LitServe().traits([(SERVER, FRONT)], known)
    assert (traits.application, traits.port, traits.calls, traits.metrics_urls) == ("server", 8000, None, ())
    assert LitServe.metrics is None


def test_its_levers_are_in_the_code_and_only_processes_are_counted() -> None:
    service = recorded_service()
    known = {w.key: facts(w.process, environ={}) for w in service.workers}
    found = {lever: LitServe().setting(lever, service, known) for lever in Lever}
    told = {lever: (one.value, one.origin) for lever, one in found.items() if one is not None}
    assert told[Lever.WORKERS] == (2, "counted; the code may set it")
    assert told[Lever.API_SERVERS] == (1, "counted: forks but for the manager")
    assert told[Lever.MAX_BATCH_SIZE] == (None, "the code may set it; default 1")
    assert told[Lever.MAX_BATCH_DELAY] == (None, "the code may set it; default 0.0")
    assert told[Lever.COMPUTE_THREADS][0] == "unset"
    places = {lever: LitServe().places(lever, 2, service, known) for lever in (Lever.WORKERS, Lever.API_SERVERS)}
    assert [(p.kind, p.key, p.value, p.effective) for many in places.values() for p in many] == [
        ("code", "LitServer(workers_per_device=…)", 2, None),
        ("code", "LitServer.run(num_api_servers=…)", 2, None),
    ]


def test_where_the_script_does_not_say_it_is_a_custom_server_and_spawned_processes_serve_all_the_same() -> None:
    first = process(10, "python", "-m", "shop.serve")
    spawned = process(12, "python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(pipe_handle=9)")
    assert LitServe().recognise(first, None, facts(first, ports=(8000,))) is None
    assert Generic().recognise(spawned, FRONT, None) is WORKER
