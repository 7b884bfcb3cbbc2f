"""The image in two containers beside a model server in a third, started with the commands of docs/install.md: real namespaces,
control groups, seccomp and capabilities. The server runs as a user of its own and has a bottleneck."""

import json
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from tests.machine.container_serving import (
    NAME,
    ROOT,
    TWO,
    TWO_BITS,
    data,
    images,
    loaded_server,
    logs,
    missing,
    named,
    status,
    two_cpus,
)  # fmt: skip
from tests.machine.podman import Podman, lacking
from tests.machine.waiting import wait_for

SOCKET = "/run/nodewright/private/sidecar.sock"

pytestmark = [
    pytest.mark.root,
    pytest.mark.heavy,
    pytest.mark.skipif(bool(lacking), reason=lacking),
    pytest.mark.skipif(not two_cpus, reason="needs two CPUs"),
]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """The server with the two containers beside it."""
    with images(tmp_path_factory.mktemp("containers")) as engine, loaded_server(engine):
        engine.sh(TWO, cwd=ROOT)
        yield engine


def test_two_name_the_bottleneck_of_a_third(two: Podman) -> None:
    said = named(two)
    assert f"{NAME} (loaded): 2 workers × 2 compute threads share 2 cores: set 1 thread each" in said
    assert "podman run --env OMP_NUM_THREADS=1" in said
    assert missing(two) == {""}
    (service,) = data(two, "/v1/services")
    limits = service["limits"]
    assert (limits["cpu_quota_cores"], limits["memory_limit_bytes"], limits["cpus"]) == (2.0, 1 << 30, "0-1")
    assert limits["throttled_ratio"] is not None
    assert 0 < limits["memory_used_bytes"] < 1 << 30


def test_the_agent_holds_nothing_and_the_sidecar_two_capabilities_and_no_network(two: Podman) -> None:
    agent, sidecar = status(two, "nodewright"), status(two, "nodewright-sidecar")
    assert agent["Uid"].split()[0] == agent["Gid"].split()[0] == "65532"
    assert {int(agent[f"Cap{which}"], 16) for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert {int(sidecar[f"Cap{which}"], 16) for which in ("Prm", "Eff", "Bnd")} == {TWO_BITS}
    assert {agent["NoNewPrivs"], sidecar["NoNewPrivs"]} == {"1"}
    assert {agent["Seccomp"], sidecar["Seccomp"]} == {"2"}
    listens = "open('/proc/net/tcp').read().count(':2619 00000000:0000 0A')"
    interfaces = f"import os; print(sorted(os.listdir('/sys/class/net')), {listens})"
    assert two.python("nodewright-sidecar", interfaces).split() == ["['lo']", "0"]
    assert "['lo'] 1" in two.python("nodewright", interfaces)


def test_the_socket_is_for_the_agents_user_alone(two: Podman) -> None:
    ask = f"import socket; socket.socket(socket.AF_UNIX).connect('{SOCKET}')"
    two.python("nodewright", ask)
    python = ["exec", "--user", "1000:1000", "nodewright", "/opt/nodewright/bin/python3", "-Ic", ask]
    assert "PermissionError" in two.run(*python, check=False)


def test_stacks_of_the_server_are_read_across_containers(two: Podman) -> None:
    (worker, *_) = [w["pid"] for w in data(two, "/v1/workers") if w["role"] == "worker"]
    said = two.run("exec", "nodewright", "nodewright", "profile", str(worker), "--seconds", "2", "--format", "text")
    assert "app (/home/serving/app/mlp.py:" in said


def test_nothing_but_the_volumes_can_be_written(two: Podman) -> None:
    write = "import os, pathlib; pathlib.Path({!r}).write_text('')"
    for place in ("/opt/nodewright/x", "/etc/x", "/var/x"):
        assert "Read-only file system" in two.run(
            "exec", "--user", "0", "nodewright", "/opt/nodewright/bin/python3", "-c", write.format(place), check=False
        )
    assert "state.db" in two.python("nodewright", "import os; print(os.listdir('/var/lib/nodewright'))")
    assert "error" not in logs(two).lower()


def test_the_health_check_tells_an_agent_and_a_sidecar_that_answer_from_what_does_not(two: Podman) -> None:
    for name in ("nodewright", "nodewright-sidecar"):
        assert two.status("healthcheck", "run", name).returncode == 0
    for wrong in ("127.0.0.1:9754", "unix:/run/nodewright/none.sock", f"unix:{SOCKET}", "sidecar:/none", "nonsense"):
        failed = two.status("exec", "nodewright", "healthy", wrong)
        assert failed.returncode == 1
        assert failed.stderr.startswith("nodewright: unhealthy: ")
        assert "Traceback" not in failed.stderr


def test_beyond_loopback_the_health_check_needs_no_token_and_advice_does(two: Podman) -> None:
    options = ["--network", "none", "--cap-drop", "ALL", "--read-only", "--env", "NODEWRIGHT_AGENT_LISTEN=0.0.0.0:9000"]
    two.start("exposed", *options, "nodewright")
    wait_for(lambda: two.status("healthcheck", "run", "exposed").returncode == 0, lambda: logs(two))
    ask = "import urllib.request as u; u.urlopen('http://127.0.0.1:9000/v1/advice')"
    assert "401" in two.run("exec", "exposed", "/opt/nodewright/bin/python3", "-c", ask, check=False)
    two.remove("exposed")


def test_the_compose_file_says_what_the_commands_say() -> None:
    python = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
    text = (ROOT / "deploy/compose.yaml").read_text()
    read = subprocess.run(["/usr/bin/python3", "-c", python], input=text, capture_output=True, text=True, check=False)
    if read.returncode != 0:
        pytest.skip("needs python3-yaml")
    services = json.loads(read.stdout)["services"]
    for line in TWO.replace("\\\n", "").splitlines():
        words = shlex.split(line)[3:]
        name = words[words.index("--name") + 1]
        assert sorted(as_options(name, services[name])) == sorted(paired(words))


def as_options(name: str, service: dict) -> list[str]:
    """A service of the compose file as options of `docker run`."""
    flags = {"user": "--user", "cap_drop": "--cap-drop", "cap_add": "--cap-add", "security_opt": "--security-opt",
             "tmpfs": "--tmpfs", "cpus": "--cpus", "mem_limit": "--memory", "volumes": "--volume", "pid": "--pid",
             "network_mode": "--network", "cgroup": "--cgroupns"}  # fmt: skip
    made = [f"--name {name}", *(f"--env {key}={value}" for key, value in service["environment"].items())]
    for key, flag in flags.items():
        values = service.get(key, [])
        made += [f"{flag} {value}" for value in (values if isinstance(values, list) else [values])]
    made += ["--read-only"] * service["read_only"]
    made += [service["image"].removesuffix(":latest"), *service.get("command", [])]
    assert set(service) - {"environment", "read_only", "image", "command", "restart", "depends_on"} <= set(flags)
    return [one.replace("service:", "container:") for one in made]


def paired(words: list[str]) -> list[str]:
    """Options with their values; from the image's name on, each word by itself."""
    made: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "nodewright" and not any(one == "nodewright" for one in made):
            return [*made, word, *rest]
        made.append(word if word == "--read-only" else f"{word} {next(rest)}")
    return made
