"""The units' own arrangement: servers, agent and sidecar each under another user; the sidecar with its two capabilities."""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agent.demo.environment import prepare
from agent.demo.launch import Launch
from agent.demo.processes import Programs
from agent.demo.serving import MODEL, MODEL_FILE, free_ports, start_load, wait_until_ready
from tests.agent.running import ROOT, Agent, agent, command
from tests.live.servers import ONE_THREAD, gunicorn, load, program

AGENT, SIDECAR, SERVER = 64101, 64102, 64103
REACHABLE = Path(__file__).with_name("reachable.py")
NO_RIGHTS = ("--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all")
TWO_RIGHTS = tuple(
    f"--{which}=-all,+sys_ptrace,+dac_read_search" for which in ("inh-caps", "ambient-caps", "bounding-set")
)

pytestmark = [
    pytest.mark.root,
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("setpriv", "unshare", "mount"))),
        reason="needs root, setpriv, unshare and mount to run each part as a user of its own",
    ),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs"),
]


def as_user(user: int, rights: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """What runs the command behind it as `user` of the group that agent and sidecar share."""
    reach = ":".join(str(f) for f in (Path(sys.base_prefix), Path(sys.prefix), ROOT, *folders))
    unshare = ["/usr/bin/unshare", "--mount", "--propagation", "private", sys.executable, str(REACHABLE), reach]
    groups = ["--regid", str(AGENT), "--clear-groups", "--no-new-privs"]
    return [*unshare, "/usr/bin/setpriv", "--reuid", str(user), *groups, *rights]


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="nodewright-users-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def owned(folder: Path, user: int, mode: int = 0o755) -> Path:
    folder.mkdir()
    os.chown(folder, user, AGENT)
    folder.chmod(mode)
    return folder


@contextmanager
def installed(shared: Path) -> Iterator[Agent]:
    """Sidecar and agent as their units run them."""
    runtime = owned(shared / "run", SIDECAR, 0o750)
    state = owned(shared / "state", AGENT, 0o700)
    socket = runtime / "sidecar.sock"
    side = [*as_user(SIDECAR, TWO_RIGHTS, ()), *command("sidecar", "--socket", str(socket), "--allow-uid", str(AGENT))]
    with program(side):
        end = time.monotonic() + 30
        while not socket.exists():
            assert time.monotonic() < end, "the sidecar did not start"
            time.sleep(0.1)
        environ = {"NODEWRIGHT_AGENT_SIDECAR_SOCKET": str(socket)}
        with agent(state, environ=environ, prefix=as_user(AGENT, NO_RIGHTS, ())) as running:
            status = Path(f"/proc/{running.process.pid}/status").read_text()
            assert f"Uid:\t{AGENT}" in status
            assert "CapEff:\t0000000000000000" in status
            yield running


@contextmanager
def mlserver(shared: Path, launch: Launch) -> Iterator[tuple[str, int]]:
    """A real MLServer under the servers' user; its service name and port."""
    with Programs() as programs:
        bin_folder = prepare(programs, print)
        folder = owned(shared / "models", SERVER)
        http, grpc, metrics = free_ports(3)
        (folder / MODEL).mkdir()
        shutil.copy(MODEL_FILE, folder / MODEL)
        settings = {"name": MODEL, "implementation": "demo_model.DemoModel"}
        (folder / MODEL / "model-settings.json").write_text(json.dumps(settings))
        place = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics, "debug": False}
        (folder / "settings.json").write_text(json.dumps({**place, **launch.files["settings.json"]}))
        for path in (folder / MODEL, *folder.rglob("*")):
            os.chown(path, SERVER, AGENT)
        log = shared / "server.log"
        server = programs.start(
            [*as_user(SERVER, NO_RIGHTS, (bin_folder.parent,)), str(bin_folder / "mlserver"), "start", "."],
            env={**os.environ, **launch.environment, "HOME": str(folder)}, cwd=folder, log=log,
        )  # fmt: skip
        wait_until_ready(server, f"http://127.0.0.1:{http}/v2/models/{MODEL}/ready", 90, log)
        loading = start_load(programs, http, 8, 150, 0)
        yield f"mlserver/models:{http}", http
        programs.end(loading)


def top(document, name: str):
    own = [f for f in document["findings"] if f["subject"]["name"] == name and f["severity"] != "info"]
    return min(own, key=lambda f: f["rank"])["rule"] if own else None


def test_oversubscription_of_another_users_gunicorn_is_named(shared):
    with ExitStack() as stack:
        folder = owned(shared / "app", SERVER)
        port = stack.enter_context(gunicorn(folder, workers=2, prefix=as_user(SERVER, NO_RIGHTS, ())))
        stack.enter_context(load(port, "closed", "8"))
        running = stack.enter_context(installed(shared))
        name = f"gunicorn/mlp:{port}"
        document = running.wait_for("/v1/advice", lambda d: top(d, name) == "cpu-oversubscribed-openmp", seconds=90)
        found = next(f for f in document["findings"] if f["subject"]["name"] == name)
        assert found["changes"][0]["how"][0]["key"] == "OMP_NUM_THREADS"
        assert found["changes"][0]["how"][0]["effective"] is True
        workers = [w for w in running.get("/v1/workers") if w["service"] == name]
        assert [w["missing"] for w in workers] == [[], [], []]


def test_a_saturated_mlserver_of_another_user_gets_another_worker_in_its_settings_file(shared):
    launch = Launch(arguments=(), environment=ONE_THREAD, files={"settings.json": {"parallel_workers": 1}})
    with mlserver(shared, launch) as (name, _), installed(shared) as running:
        document = running.wait_for("/v1/advice", lambda d: top(d, name) == "workers-below-cores-saturated", seconds=90)
        found = next(f for f in document["findings"] if f["subject"]["name"] == name)
        place = found["changes"][0]["how"][0]
        assert (place["kind"], place["key"]) == ("file", "parallel_workers")
        assert place["target"].endswith("/settings.json")


def test_without_the_sidecar_the_agent_says_which_right_is_missing(shared):
    with ExitStack() as stack:
        folder = owned(shared / "app", SERVER)
        port = stack.enter_context(gunicorn(folder, workers=2, prefix=as_user(SERVER, NO_RIGHTS, ())))
        stack.enter_context(load(port, "closed", "8"))
        state = owned(shared / "state", AGENT, 0o700)
        prefix = as_user(AGENT, NO_RIGHTS, ())
        running = stack.enter_context(agent(state, "--no-sidecar", prefix=prefix))
        name = f"gunicorn/mlp:{port}"
        document = running.wait_for(
            "/v1/advice",
            lambda d: any(
                i["rule"] == "cpu-oversubscribed-openmp" and i["needs"]["kind"] == "privilege"
                for i in d["inconclusive"]
            ),
            seconds=90,
        )
        assert top(document, name) is None
