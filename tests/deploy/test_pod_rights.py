"""Is what the manifests grant enough for what each container does? Their security contexts, before this kernel.

No cluster runs here: setpriv gives user, group, capabilities and no_new_privs as a container runtime does. Profiles of seccomp
and AppArmor are not tried.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.sidecar.client import SidecarClient
from collectors.facts import Environ
from collectors.reading import Unsupported
from tests.agent.running import agent, command
from tests.agent.sidecar.targets_of_tests import python_server
from tests.agent.sidecar.test_sidecar_whole import running
from tests.deploy.manifests import KUSTOMIZE, ROOT, Object, Tools, containers, of_kind, running_tools
from tests.live.servers import program
from tests.live.test_other_users import REACHABLE

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user, with setpriv"
    ),
]
SERVER = 1000


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    with running_tools() as one:
        yield one


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that other users may read."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


def beside(tools: Tools, folder: Path, rights: str) -> dict[str, Object]:
    deployment = folder / "deployment.yaml"
    deployment.write_text((KUSTOMIZE / "example" / "deployment.yaml").read_text())
    return containers(of_kind(tools.overlay(folder, [deployment], [rights]), "Deployment"))


def under(context: Object) -> list[str]:
    """A prefix with a container's rights; root has those in its bounding set."""
    assert (context["allowPrivilegeEscalation"], context["capabilities"]["drop"]) == (False, ["ALL"])
    kept = ",".join(["-all", *(f"+{name.lower()}" for name in context["capabilities"].get("add", ()))])
    ids = [f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}", "--clear-groups"]
    return ["setpriv", *ids, "--inh-caps=-all", f"--bounding-set={kept}", "--no-new-privs"]


def servers(group: int = SERVER) -> list[str]:
    return ["setpriv", f"--reuid={SERVER}", f"--regid={group}", "--clear-groups", "--bounding-set=-all"]


def environ_seen(looker: Sequence[str], server: Sequence[str], folder: Path) -> Environ | Unsupported:
    with python_server(folder, "mlserver", "start", ".", prefix=server) as (key, _), running(looker) as stream:
        return SidecarClient(lambda: stream, deadline_seconds=30).facts(key, []).environ


def test_the_second_container_sees_another_users_server_and_the_first_does_not(tools: Tools, shared: Path) -> None:
    own = beside(tools, shared, "sidecar")
    looker, watcher = (under(own[name]["securityContext"]) for name in ("nodewright-sidecar", "nodewright"))
    assert environ_seen(looker, servers(), shared) == Environ({"OMP_NUM_THREADS": "2"})
    assert isinstance(environ_seen(watcher, servers(), shared), Unsupported)


def test_under_the_servers_user_and_group_no_capability_is_needed(tools: Tools, shared: Path) -> None:
    own = under(beside(tools, shared, "same-uid")["nodewright"]["securityContext"])
    assert environ_seen(own, servers(), shared) == Environ({"OMP_NUM_THREADS": "2"})
    assert isinstance(environ_seen(own, servers(group=2000), shared), Unsupported), "the group has to be the server's"


READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift && exec "$@"'


def contained(context: Object, volume: Path) -> list[str]:
    """A prefix for a program with a container's rights, before a read-only root with one volume in it."""
    reach = ":".join(map(str, (sys.base_prefix, Path(sys.executable).resolve().parents[1], sys.prefix, ROOT)))
    alone = ["/usr/bin/unshare", "--mount", "--propagation", "private", sys.executable, str(REACHABLE), reach]
    return [*alone, "/bin/sh", "-c", READ_ONLY, "sh", str(volume), *under(context)]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare")
@pytest.mark.parametrize("rights", ["sidecar", "same-uid"])
def test_the_containers_work_together_on_a_read_only_root(tools: Tools, shared: Path, rights: str) -> None:
    own = beside(tools, shared, rights)
    volume = shared / "volume"
    volume.mkdir()
    volume.chmod(0o777)  # as the kubelet makes an emptyDir
    socket = volume / "private" / "sidecar.sock"
    environ = {"TMPDIR": str(volume)}
    with ExitStack() as stack:
        stack.enter_context(python_server(shared, "mlserver", "start", ".", prefix=servers()))
        if rights == "sidecar":
            environ["NODEWRIGHT_AGENT_SIDECAR_SOCKET"] = str(socket)
            looker = contained(own["nodewright-sidecar"]["securityContext"], volume)
            allowed = own["nodewright-sidecar"]["args"][-2:]
            stack.enter_context(program([*looker, *command("sidecar", "--socket", str(socket), *allowed)]))
        watcher = contained(own["nodewright"]["securityContext"], volume)
        one = stack.enter_context(agent(volume, prefix=watcher, environ=environ))
        found = one.wait_for("/v1/self", lambda self: self["ticks"] > 2 and self["sidecar"] == "running")
        assert found["store_problem"] is None
        status = Path(f"/proc/{one.process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        one.wait_for("/v1/services", lambda known: any(knows_threads(service) for service in known))


def knows_threads(service: Object) -> bool:
    """Whether a setting stands there that only a look into the process tells."""
    return "OMP_NUM_THREADS" in json.dumps(service)
