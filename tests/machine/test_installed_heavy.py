"""A bare Debian, nodewright installed on it with the commands of docs/install.md and with its package, beside a gunicorn of
another user: it names the bottleneck, keeps what it knows over restarts and upgrades, and leaves nothing when it is removed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import debian
from tests.machine.commands import commands
from tests.machine.machine import Machine, booted, lacking

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "install.md"
NAME = "gunicorn/mlp:8000"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/opt/wheels", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
HERE = "/root/nodewright"
FOUND = {
    "nodewright.service", "nodewright-sidecar.service", "nodewright-sidecar.socket", "nodewright-past@.service",
    "nodewright-past.socket",
}  # fmt: skip

pytestmark = [
    pytest.mark.root,
    pytest.mark.heavy,
    pytest.mark.skipif(bool(lacking or debian.lacking), reason=lacking or debian.lacking),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree as it would be checked out."""
    folder = tmp_path_factory.mktemp("source") / "nodewright"
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith("tests/fixtures"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def package(source: Path) -> Path:
    """Built twice, as two people would."""
    environ = {
        **os.environ,
        "SOURCE_DATE_EPOCH": "1790000000",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(debian.wheels()),
    }
    for folder in ("dist", "again"):
        build = [sys.executable, str(source / "deploy/deb/build.py"), str(source / folder)]
        done = subprocess.run(build, env=environ, cwd=source, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
    (built,) = (source / "dist").glob("*.deb")
    return built


@pytest.fixture
def machine(source: Path, tmp_path: Path) -> Iterator[Machine]:
    """A bare one, with a gunicorn of another user under load: two workers of two BLAS threads each on two cores."""
    shown = {source: HERE, debian.wheels(): "/opt/wheels"}
    with booted(debian.bare_debian(), tmp_path / "m", shown) as one:
        one.sh("useradd --create-home serving && mkdir -m 700 /home/serving/app")
        one.sh(f"cp {HERE}/tests/live/mlp.py /home/serving/app && chown -R serving /home/serving/app")
        one.sh(
            "python3 -m venv /srv/venv && /srv/venv/bin/pip install --quiet gunicorn numpy",
            environ=OFFLINE,
            seconds=200,
        )
        run = ["systemd-run", "--quiet", "--uid=serving"]
        one.run(*run, "--unit=app", "--working-directory=/home/serving/app", "--property=CPUAffinity=0 1",
                "/srv/venv/bin/gunicorn", "-b", "127.0.0.1:8000", "-w", "2", "mlp:app")  # fmt: skip
        client = f"sleep 500 | exec python3 {HERE}/tests/live/bench_client.py 8000 closed 8"
        one.run("systemd-run", "--quiet", "--unit=load", "--property=CPUAffinity=0 1", "sh", "-c", client)
        yield one


def top(machine: Machine) -> dict | None:
    """The most urgent finding of the server."""
    findings = [f for f in machine.get("/v1/advice")["findings"] if f["subject"]["name"] == NAME]
    return min(findings, key=lambda f: f["rank"], default=None)


def named(machine: Machine) -> dict:
    """The finding that names the bottleneck, once it is there."""

    def found() -> dict | None:
        finding = top(machine)
        return finding if finding and finding["rule"] == "cpu-oversubscribed-openmp" else None

    return machine.wait_for(found, 120)


def kept(machine: Machine) -> tuple[str, str]:
    """The finding, and when it was first opened."""
    finding = named(machine)
    events = machine.wait_for(lambda: machine.get(f"/v1/advice/{finding['id']}/history"))
    return finding["id"], events[-1]["at"]


def check_running(machine: Machine) -> tuple[str, str]:
    """It names the bottleneck of a server whose files it may not read, within what its unit allows it."""
    finding = named(machine)
    places = [(how["kind"], how["target"]) for how in finding["changes"][0]["how"]]
    assert ("systemd", "app.service") in places
    assert all(w["missing"] == [] for w in machine.get("/v1/workers") if w["service"] == NAME)
    agent, sidecar = machine.status("nodewright"), machine.status("nodewright-sidecar")
    assert agent["CapEff"] == "0" * 16
    assert int(sidecar["CapEff"], 16) == 1 << 2 | 1 << 19
    assert agent["Uid"] != sidecar["Uid"]
    for unit in ("nodewright", "nodewright-sidecar"):
        assert int(machine.show(unit, "MemoryCurrent")) < int(machine.show(unit, "MemoryHigh"))
        assert machine.show(unit, "NRestarts") == "0"
    return kept(machine)


def test_each_command_of_the_document_does_what_it_says(machine: Machine) -> None:
    install, upgrade, remove = commands(DOCUMENT, "systemd")
    printed = machine.sh(install, cwd=HERE, environ=OFFLINE, seconds=300)
    assert "nodewright.service" in machine.run("systemctl", "list-units", "--no-pager", "nodewright*")
    assert "Traceback" not in printed
    before = check_running(machine)
    machine.run("systemctl", "restart", "nodewright.service")
    assert kept(machine) == before
    machine.sh(upgrade, cwd=HERE, environ=OFFLINE, seconds=300)
    assert kept(machine) == before
    machine.sh(remove, cwd=HERE)
    left = machine.run("find", "/etc", "/opt", "/var/lib", "/usr", "/run", "-xdev", "-name", "*nodewright*", "-not", "-path",
                       "/run/systemd/*").split()  # fmt: skip
    assert [path for path in left if not path.startswith("/run/nodewright-sidecar")] == []
    assert "nodewright" not in machine.run(
        "systemctl", "list-units", "--all", "--no-pager", "--plain", "nodewright*.service"
    )


def test_one_user_needs_no_root(machine: Machine) -> None:
    (install,) = commands(DOCUMENT, "For one user")
    user = ["setpriv", "--reuid=serving", "--regid=serving", "--init-groups", "sh", "-euc"]
    machine.sh(f"cp -r {HERE} /home/serving/nodewright && chown -R serving /home/serving/nodewright")
    printed = machine.run(
        *user, install, cwd="/home/serving/nodewright", environ={**OFFLINE, "HOME": "/home/serving"}, seconds=300
    )
    assert NAME in printed


def test_the_same_tree_gives_the_same_bytes_and_lintian_finds_nothing_but_the_packagers_name(package: Path) -> None:
    (again,) = (package.parents[1] / "again").glob("*.deb")
    assert package.read_bytes() == again.read_bytes()
    listed = subprocess.run(["dpkg-deb", "--contents", str(package)], capture_output=True, text=True, check=True).stdout
    owners = {line.split()[1] for line in listed.splitlines()}
    assert owners == {"root/root"}
    if shutil.which("lintian") is not None:
        lint = ["lintian", "--fail-on", "none", "--allow-root", "--tag-display-limit", "0", str(package)]
        said = subprocess.run(lint, capture_output=True, text=True, timeout=300, check=False).stdout.splitlines()
        assert [line for line in said if "root@localhost" not in line and line[:1] in "EW"] == []


def next_revision(package: Path, work: Path) -> Path:
    """The same package as revision 2."""
    tree = work / "next"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tree)], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("-1\n", "-2\n", 1))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(package.parent)], check=True)
    return package.with_name(package.name.replace("-1_", "-2_"))


def test_the_package_is_installed_upgraded_removed_and_purged(machine: Machine, package: Path, tmp_path: Path) -> None:
    _, install = commands(DOCUMENT, "Debian package")
    machine.sh(install, cwd=HERE, seconds=200)
    before = check_running(machine)
    for unit in ("nodewright.service", "nodewright-sidecar.socket", "nodewright-past.socket"):
        assert machine.run("systemctl", "is-enabled", unit).strip() == "enabled"
    own = "\n[advice]\nwindow = '20s'\n"
    machine.sh(f'printf "{own}" >> /etc/nodewright/nodewright.toml')

    newer = next_revision(package, tmp_path)
    machine.sh(f"apt-get install --yes {HERE}/dist/{newer.name}", seconds=200)
    assert machine.run("dpkg-query", "-W", "-f", "${Version}", "nodewright").endswith("-2")
    assert kept(machine) == before
    assert own.strip() in machine.run("cat", "/etc/nodewright/nodewright.toml")

    machine.run("systemctl", "stop", "nodewright.service")
    machine.run("/usr/lib/nodewright/bin/python", "-c", AS_OF_OLD)
    machine.sh(f"apt-get install --yes --allow-downgrades {HERE}/dist/{package.name}", seconds=200)
    machine.wait_for(lambda: machine.get("/v1/node")["node"])
    steps = machine.run("/usr/lib/nodewright/bin/python", "-c", STEPS_DONE).split()
    assert steps == ["True"]

    machine.run("apt-get", "remove", "--yes", "nodewright", seconds=100)
    assert (
        machine.sh(
            "systemctl list-units --plain --no-legend 'nodewright*'; pgrep -u nodewright,nodewright-sidecar || true"
        ).strip()
        == ""
    )
    assert not machine.sh("ls -d /usr/lib/nodewright /usr/bin/nodewright 2>/dev/null || true").strip()
    assert "state.db" in machine.run("ls", "/var/lib/nodewright")
    assert own.strip() in machine.run("cat", "/etc/nodewright/nodewright.toml")
    machine.run("apt-get", "purge", "--yes", "nodewright", seconds=100)
    left = machine.run("find", "/etc", "/opt", "/var/lib", "/usr", "-xdev", "-name", "*nodewright*").strip()
    assert left == ""


AS_OF_OLD = """
import os, pathlib, pwd, sqlite3
from agent.store.schema import STATE, migrate
path = pathlib.Path("/var/lib/nodewright/state.db")
for old in path.parent.glob("state.db*"):
    old.unlink()
connection = sqlite3.connect(path)
migrate(connection, "state", STATE[:2])
connection.commit()
connection.close()
user = pwd.getpwnam("nodewright")
os.chown(path, user.pw_uid, user.pw_gid)
"""
STEPS_DONE = """
import sqlite3
from agent.store.schema import STATE, _is_done
print(_is_done(sqlite3.connect("/var/lib/nodewright/state.db"), "state", STATE))
"""
