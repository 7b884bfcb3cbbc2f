"""Servers without a framework: told by their socket and their libraries."""

import pytest

from collectors.entities import Role
from collectors.facts import Library, ProcessFacts, unreadable_facts
from collectors.frameworks.generic import Generic
from collectors.levers import Lever
from collectors.registry import all_frameworks
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


@pytest.mark.parametrize(
    ("environ", "ports", "role"),
    [
        ({"RANK": "0", "WORLD_SIZE": "2", "MASTER_PORT": "29500"}, (29500,), None),
        ({"WORLD_SIZE": "1"}, (9000,), None),
        ({"LOCAL_RANK": "0"}, (9000,), None),
        ({"HOROVOD_RANK": "0"}, (9000,), None),
        ({"OMPI_COMM_WORLD_RANK": "3"}, (9000,), None),
        ({"MASTER_PORT": "29500"}, (29500,), None),
        ({"MASTER_PORT": "29500"}, (9000, 29500), Role.FRONT_END),
        ({"MASTER_PORT": "none"}, (9000,), Role.FRONT_END),
        ({}, (9000,), Role.FRONT_END),
        (None, (9000,), Role.FRONT_END),
    ],
)
def test_a_rank_of_training_is_no_server_though_it_listens_for_the_others(
    environ: dict[str, str] | None, ports: tuple[int, ...], role: Role | None
) -> None:
    """An erased environment is unknown: it makes no rank of a process."""
    assert Generic().recognise(SERVER, None, facts(SERVER, environ=environ, libraries=BLAS, ports=ports)) is role


@pytest.mark.parametrize(
    "argv",
    [
        ("/opt/venv/bin/torchrun", "--nproc-per-node=2", "train.py"),
        ("python", "-m", "torch.distributed.run", "train.py"),
        ("python", "-m", "torch.distributed.launch", "train.py"),
        ("python", "/opt/venv/bin/deepspeed", "train.py"),
        ("python", "/opt/venv/bin/accelerate", "launch", "train.py"),
        ("python", "/opt/venv/bin/accelerate-launch", "train.py"),
        ("python", "/opt/venv/bin/horovodrun", "-np", "2", "python", "train.py"),
        ("python", "/opt/venv/bin/dask-scheduler"),
        ("python", "-m", "distributed.cli.dask_worker"),
        ("python", "-m", "pyspark.daemon"),
        ("python", "/opt/venv/bin/celery", "worker"),
        ("python", "/opt/venv/bin/airflow", "webserver"),
        ("python", "/opt/venv/bin/prefect", "server", "start"),
        ("python", "/opt/venv/bin/mlflow", "ui"),
        ("python", "/opt/venv/bin/tensorboard", "--logdir", "x"),
        ("python", "/opt/venv/bin/jupyter-lab"),
        ("python", "-m", "jupyter_server"),
        ("python", "-m", "ipykernel_launcher", "-f", "x.json"),
        ("python", "/opt/venv/bin/ipython3"),
        ("python", "-m", "debugpy", "--listen", "5678", "serve.py"),
        ("python", "/opt/venv/bin/pylsp", "--tcp"),
        ("nginx", "-g", "daemon off;"),
    ],
)
def test_tools_that_listen_and_compute_are_no_servers(argv: tuple[str, ...]) -> None:
    one = process(11, *argv, comm="python" if argv[0] != "nginx" else "nginx")
    assert Generic().recognise(one, None, facts(one, environ={}, libraries=BLAS, ports=(8888,))) is None


@pytest.mark.parametrize("name", ["dask_serve.py", "jupyter_proxy.py", "torch_server.py", "serve.py"])
def test_a_script_of_ones_own_is_a_server_whatever_its_name(name: str) -> None:
    one = process(11, "python", f"/srv/{name}")
    assert Generic().recognise(one, None, facts(one, environ={}, libraries=BLAS, ports=(9000,))) is Role.FRONT_END


@pytest.mark.parametrize(
    ("ports", "role"),
    [((10004,), None), ((43017,), None), ((8080, 10004), Role.FRONT_END)],
)
def test_a_program_that_joined_a_ray_cluster_listens_for_ray_and_may_serve_beside_that(
    ports: tuple[int, ...], role: Role | None
) -> None:
    libraries = (*BLAS, Library("ray", "/opt/venv/lib/ray/_raylet.so"))
    known = facts(SERVER, environ={}, libraries=libraries, ports=ports)
    assert Generic().recognise(SERVER, None, known) is role
    alone = facts(SERVER, environ={}, libraries=libraries[1:], ports=(8080,))
    assert Generic().recognise(SERVER, None, alone) is None
    if role:
        assert Generic().traits([(SERVER, role)], {SERVER.key: known}).port == 8080


def test_nothing_is_asked_of_an_unknown_application() -> None:
    traits = Generic().traits([(SERVER, Role.FRONT_END)], {SERVER.key: facts(SERVER, libraries=BLAS, ports=(9000,))})
    assert (Generic.metrics, traits.metrics_urls, traits.calls) == (None, (), None)
    assert Generic.order == max(framework.order for framework in all_frameworks())
