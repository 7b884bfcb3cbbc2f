"""The units as systemd runs them, on this host's own files: notified, watched, reloaded, apart from each other, and with no
capability more than they need.

The programs are those of the environment that runs the tests, shown at /opt/nodewright.
"""

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine.machine import Machine, booted, lacking

ROOT = Path(__file__).parents[2]
SHOWN = {ROOT: "/opt/source", Path(sys.base_prefix): "/opt/python", Path(sysconfig.get_path("purelib")): "/opt/site"}
TWO = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19}
HERE = "[Service]\nEnvironment=LD_LIBRARY_PATH=/opt/python/lib\nCPUQuota=\n"
"""An interpreter from another place looks for its own library where it was built. Without the quota starts take a quarter."""

pytestmark = [pytest.mark.root, pytest.mark.heavy, pytest.mark.skipif(bool(lacking), reason=lacking)]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With the units installed and started, and a server of another user that they watch."""
    with booted(Path("/"), tmp_path_factory.mktemp("boot") / "m", SHOWN, "basic.target") as one:
        install(one)
        server = "sleep 300 | exec /opt/nodewright/bin/python /opt/server/gunicorn -b 127.0.0.1:8000 shop:app"
        one.run("systemd-run", "--quiet", "--uid=serving", "--unit=shop", "--working-directory=/opt/server",
                "--setenv=LD_LIBRARY_PATH=/opt/python/lib", "--setenv=OMP_NUM_THREADS=3", "sh", "-c", server)  # fmt: skip
        one.run("systemctl", "start", "nodewright-sidecar.socket", "nodewright.service")
        yield one


def install(machine: Machine) -> None:
    python = "/opt/nodewright/bin/python"
    machine.sh(
        f"""
        /opt/python/bin/python3 -m venv --without-pip /opt/nodewright
        printf '/opt/source\\n/opt/site\\n' > "$({python} -c 'import site; print(site.getsitepackages()[0])')/shown.pth"
        sed '1s|.*|#!{python}|' /opt/source/bin/nodewright > /opt/nodewright/bin/nodewright
        chmod 755 /opt/nodewright/bin/nodewright
        mkdir /opt/server && cp /opt/source/tests/programs/prefork.py /opt/server/gunicorn
        cd /opt/source/systemd
        install -m 644 nodewright*.service nodewright*.socket /etc/systemd/system/
        install -D -m 644 -t /etc/sysusers.d sysusers.d/nodewright.conf
        install -D -m 644 -t /etc/tmpfiles.d tmpfiles.d/nodewright.conf
        echo 'u serving -' > /etc/sysusers.d/serving.conf
        systemd-sysusers serving.conf nodewright.conf
        systemd-tmpfiles --create /etc/tmpfiles.d/nodewright.conf
        """,
        environ={"LD_LIBRARY_PATH": "/opt/python/lib"},
    )
    for unit in ("nodewright", "nodewright-sidecar", "nodewright-past@"):
        machine.write(f"/etc/systemd/system/{unit}.service.d/here.conf", HERE)
    machine.run("systemctl", "daemon-reload")


def missing(machine: Machine) -> set[str]:
    """What the agent lacks of the server's processes, once it has asked; {""} where it lacks nothing."""
    workers = machine.wait_for(lambda: [w for w in machine.get("/v1/workers") if w["service"] == "gunicorn/shop:8000"])
    return {text for worker in workers for text in worker["missing"]} or {""}


def test_they_run_as_users_of_their_own_with_these_capabilities_and_no_more(machine: Machine) -> None:
    machine.wait_for(lambda: missing(machine) == {""})
    agent, sidecar = machine.status("nodewright"), machine.status("nodewright-sidecar")
    users = machine.run("id", "-u", "nodewright").strip(), machine.run("id", "-u", "nodewright-sidecar").strip()
    assert (agent["Uid"].split()[0], sidecar["Uid"].split()[0]) == users
    assert {int(agent[f"Cap{which}"], 16) for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    both = sum(1 << bit for bit in TWO.values())
    assert {int(sidecar[f"Cap{which}"], 16) for which in ("Prm", "Eff", "Bnd", "Amb")} == {both}
    assert {agent["NoNewPrivs"], sidecar["NoNewPrivs"]} == {"1"}
    assert {agent["Seccomp"], sidecar["Seccomp"]} == {"2"}


def test_the_sidecar_has_no_network_and_answers_the_agent_alone(machine: Machine) -> None:
    machine.wait_for(lambda: missing(machine) == {""})
    agent, sidecar = (machine.show(name, "MainPID") for name in ("nodewright", "nodewright-sidecar"))
    connect = "import socket; socket.create_connection(('127.0.0.1', 9753), 5)"
    machine.run("nsenter", "-n", "-t", agent, "python3", "-c", connect)
    refused = machine.run("nsenter", "-n", "-t", sidecar, "python3", "-c", connect, check=False)
    assert "ConnectionRefusedError" in refused or "Network is unreachable" in refused
    ask = "import socket; socket.socket(socket.AF_UNIX).connect('/run/nodewright-sidecar/sidecar.sock')"
    machine.run("setpriv", "--reuid=nodewright", "--regid=nodewright", "--clear-groups", "python3", "-c", ask)
    other = ["setpriv", "--reuid=serving", "--regid=serving", "--clear-groups", "python3", "-c", ask]
    assert "PermissionError" in machine.run(*other, check=False)


def test_the_past_is_worked_out_in_a_unit_of_its_own(machine: Machine) -> None:
    timeline = machine.wait_for(lambda: machine.get("/v1/timeline"))
    at = machine.wait_for(lambda: machine.get("/v1/timeline")["moments"][5:])[0]
    then = machine.get(f"/v1/node?at={at}")
    assert then["past"]["version"]
    assert then["at"] >= timeline["first"]
    assert "nodewright-past@" in machine.run("journalctl", "--no-pager", "-o", "short-unix", "_PID=1")
    assert "failed" not in machine.run("systemctl", "list-units", "--all", "--no-legend", "nodewright-past@*")


def test_reload_takes_a_good_configuration_and_keeps_the_old_one_before_a_bad_one(machine: Machine) -> None:
    before = machine.show("nodewright", "MainPID")
    machine.write("/etc/nodewright/nodewright.toml", '[service."gunicorn/shop:8000"]\nslo_p99 = "50ms"\n')
    machine.run("systemctl", "reload", "nodewright")
    machine.wait_for(lambda: "slo_p99 changed" in machine.journal("nodewright"))
    machine.write("/etc/nodewright/nodewright.toml", "[agent]\nlisen = 1\n")
    machine.run("systemctl", "reload", "nodewright")
    machine.wait_for(lambda: "configuration not re-read" in machine.show("nodewright", "StatusText"))
    assert "the configuration stays as it was: /etc/nodewright/nodewright.toml: unknown key" in machine.journal(
        "nodewright"
    )
    machine.run("rm", "/etc/nodewright/nodewright.toml")
    assert machine.show("nodewright", "ActiveState") == "active"
    assert machine.show("nodewright", "MainPID") == before


@pytest.mark.parametrize(
    ("left", "lost"),
    [
        ("CAP_SYS_PTRACE", {"environment", "sockets"}),
        ("CAP_DAC_READ_SEARCH", {"environment", "sockets", "libraries", "folder"}),
    ],
)
def test_without_one_of_its_capabilities_the_sidecar_loses_these_facts(
    machine: Machine, left: str, lost: set[str]
) -> None:
    """Neither is there for nothing, and what is lost is told with what to grant."""
    start_anew(machine, sidecar=f"AmbientCapabilities=\nAmbientCapabilities={left}\n")
    machine.wait_for(lambda: {text.partition(":")[0] for text in missing(machine)} == lost)
    assert all("(run the sidecar with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH" in text for text in missing(machine))


def test_what_hangs_is_started_anew_by_the_watchdog(machine: Machine) -> None:
    soon = "WatchdogSec=2s\nRestartSec=100ms\n"
    start_anew(machine, agent=soon, sidecar=soon)
    machine.wait_for(lambda: missing(machine) == {""})
    hung = {name: machine.show(name, "MainPID") for name in ("nodewright", "nodewright-sidecar")}
    machine.run("kill", "-STOP", *hung.values())
    machine.wait_for(lambda: missing(machine) == {""} and machine.show("nodewright", "MainPID") != hung["nodewright"])
    for name, pid in hung.items():
        assert machine.show(name, "MainPID") not in {pid, "0"}
        assert "Watchdog timeout" in machine.journal(name)


def start_anew(machine: Machine, agent: str = "", sidecar: str = "") -> None:
    """With these settings of the units changed."""
    machine.write("/etc/systemd/system/nodewright.service.d/test.conf", f"[Service]\n{agent}")
    machine.write("/etc/systemd/system/nodewright-sidecar.service.d/test.conf", f"[Service]\n{sidecar}")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "stop", "nodewright-sidecar.service")
    machine.run("systemctl", "restart", "nodewright.service")
