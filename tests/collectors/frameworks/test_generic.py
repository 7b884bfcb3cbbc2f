"""Servers without a framework: told by their socket and their libraries."""

import pytest

from collectors.entities import Role
from collectors.facts import Library, ProcessFacts, unreadable_facts
from collectors.frameworks.generic import Generic
from collectors.levers import Lever
from tests.captures import facts, process, service_of

BLAS = (Library("openblas", "/x/libopenblas.so"),)
SERVER = process(10, "python", "/srv/shop/serve.py", "--port", "9000")


@pytest.mark.parametrize(
    ("known", "role"),
    [
        (facts(SERVER, libraries=BLAS, ports=(9000,)), Role.FRONT_END),
        (facts(SERVER, libraries=BLAS), None),
        (facts(SERVER, ports=(9000,)), None),
        (unreadable_facts(SERVER.key, "no permission", "grant it"), None),
        (None, None),
    ],
)
def test_a_listening_python_process_with_a_numeric_library_is_a_server(
    known: ProcessFacts | None, role: Role | None
) -> None:
    assert Generic().recognise(SERVER, None, known) is role


def test_notebooks_are_no_servers() -> None:
    kernel = process(11, "python", "-m", "ipykernel_launcher")
    assert Generic().recognise(kernel, None, facts(kernel, libraries=BLAS, ports=(5000,))) is None


def test_python_children_are_workers_and_other_children_are_not() -> None:
    fork = process(11, *SERVER.argv, ppid=10)
    tracker = process(12, "python", "-c", "from multiprocessing.resource_tracker import main;main(5)", ppid=10)
    assert Generic().recognise(fork, Role.FRONT_END, None) is Role.WORKER
    assert Generic().recognise(tracker, Role.FRONT_END, None) is Role.SUPPORT
    assert Generic().recognise(process(13, "ffmpeg", ppid=10), Role.FRONT_END, None) is None


@pytest.mark.parametrize(
    ("argv", "application"),
    [
        (("python", "/srv/shop/serve.py"), "serve"),
        (("python", "-m", "shop.serve"), "serve"),
        (("/opt/venv/bin/my-server", "x"), "my-server"),
        (("python", "-c", "serve()"), "python"),
    ],
)
def test_script_or_module_names_it_and_the_socket_gives_the_port(argv: tuple[str, ...], application: str) -> None:
    one = process(10, *argv)
    traits = Generic().traits([(one, Role.FRONT_END)], {one.key: facts(one, libraries=BLAS, ports=(9000,))})
    assert (traits.application, traits.port) == (application, 9000)


def test_it_has_the_levers_that_every_server_has() -> None:
    known = {SERVER.key: facts(SERVER, environ={"OMP_NUM_THREADS": "2"}, libraries=BLAS)}
    service = service_of("generic", (SERVER, Role.FRONT_END))
    setting = Generic().setting(Lever.COMPUTE_THREADS, service, known)
    assert setting is not None
    assert setting.value == 2
    assert Generic().setting(Lever.WORKERS, service, known) is None
    assert [p.kind for p in Generic().places(Lever.AFFINITY, "0-1", service, known)] == ["taskset"]
