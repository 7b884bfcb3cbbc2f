"""What else watches a node, and how is it run here? Each in its ordinary way, once a second, on loopback."""

import json
import os
import pwd
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.demo.processes import Programs
from agent.demo.serving import free_ports, wait_until_ready
from agent.demo.watch import start_daemon

NETDATA_STOCK = Path("/usr/lib/netdata/conf.d")
START_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A running watcher. `proof` asks it what it sees, so that an idle one is not taken for a cheap one."""

    name: str
    how: str
    program: "subprocess.Popen[bytes]"
    proof: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Missing:
    """A watcher that cannot run here, and why."""

    name: str
    reason: str


def start_agent(programs: Programs, folder: Path) -> tuple[Peer, str]:
    """nodewright with its sidecar, and its address."""
    folder.mkdir(parents=True, exist_ok=True)
    base_url, program = start_daemon(programs, folder)

    def proof() -> str:
        own = get_json(f"{base_url}/v1/self")["data"]
        return f"{own['ticks']} ticks, {own['late_ticks']} late, sidecar {own['sidecar']}"

    return Peer(name="nodewright", how="nodewright run, with its sidecar, 1 s", program=program, proof=proof), base_url


def start_netdata(programs: Programs, folder: Path) -> Peer | Missing:
    """Netdata in the foreground with its standard plugins; nothing is sent anywhere."""
    binary = shutil.which("netdata", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None or not NETDATA_STOCK.is_dir():
        return Missing("netdata", "not installed (as root: bench/run.py setup)")
    [port] = free_ports(1)
    for name in ("config", "cache", "lib/cloud.d", "log"):
        (folder / name).mkdir(parents=True)
    (folder / "lib/cloud.d/cloud.conf").write_text("[global]\n    enabled = no\n")
    (folder / "config/.opt-out-from-anonymous-statistics").touch()
    (folder / "config/netdata.conf").write_text(_netdata_settings(folder, port))
    log = folder / "netdata.out"
    program = programs.start(
        [binary, "-D", "-c", str(folder / "config/netdata.conf")], env={**os.environ, "DO_NOT_TRACK": "1"}, log=log
    )
    base_url = f"http://127.0.0.1:{port}"
    wait_until_ready(program, f"{base_url}/api/v1/info", START_SECONDS, log)

    def proof() -> str:
        charts = get_json(f"{base_url}/api/v1/charts")
        return f"{charts['dimensions_count']} series, every {charts['update_every']} s"

    version = get_json(f"{base_url}/api/v1/info")["version"]
    return Peer(name="netdata", how=f"netdata {version} -D, standard plugins, 1 s", program=program, proof=proof)


def _netdata_settings(folder: Path, port: int) -> str:
    sections: dict[str, dict[str, object]] = {
        "global": {"run as user": _user()},
        "directories": {
            "config": folder / "config",
            "stock config": NETDATA_STOCK,
            "cache": folder / "cache",
            "lib": folder / "lib",
            "log": folder / "log",
            "home": folder,
        },
        "db": {"update every": 1},
        "web": {"bind to": f"127.0.0.1:{port}"},
        "statsd": {"enabled": "no"},
    }
    return "\n".join(
        f"[{name}]\n" + "".join(f"    {key} = {value}\n" for key, value in rows.items())
        for name, rows in sections.items()
    )


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def start_glances(programs: Programs, folder: Path, bin_folder: Path) -> Peer | Missing:
    """Glances without a screen: quiet standalone mode, exporting to a file."""
    binary = bin_folder / "glances"
    if not binary.exists():
        return Missing("glances", "not installed (bench/run.py setup)")
    folder.mkdir(parents=True)
    output = folder / "glances.json"
    options = [
        "--quiet",
        "--time",
        "1",
        "--disable-check-update",
        "--export",
        "json",
        "--export-json-file",
        str(output),
    ]
    program = programs.start(
        [str(binary), *options], env={**os.environ, "HOME": str(folder)}, cwd=folder, log=folder / "glances.out"
    )

    def proof() -> str:
        seen = json.loads(output.read_text().splitlines()[-1]) if output.exists() else {}
        return f"{seen['processcount']['total']} processes, {seen['processcount']['thread']} threads"

    return Peer(name="glances", how="glances --quiet --export json --time 1", program=program, proof=proof)


def start_node_exporter(programs: Programs, folder: Path) -> Peer | Missing:
    """node_exporter with its standard collectors. It reads only when asked: the measurement asks it once a second."""
    binary = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if binary is None:
        return Missing("node_exporter", "not installed (as root: bench/run.py setup)")
    folder.mkdir(parents=True)
    [port] = free_ports(1)
    log = folder / "node_exporter.out"
    program = programs.start([binary, f"--web.listen-address=127.0.0.1:{port}"], cwd=folder, log=log)
    url = f"http://127.0.0.1:{port}/metrics"
    wait_until_ready(program, url, START_SECONDS, log)

    def proof() -> str:
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return f"{sum(not line.startswith('#') for line in lines)} series a scrape"

    return Peer(name="node_exporter", how="node_exporter, scraped every 1 s", program=program, proof=proof)


def get_json(url: str) -> dict[str, dict[str, object]]:
    """The JSON document at a loopback address."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        document: dict[str, dict[str, object]] = json.load(answer)
    return document
