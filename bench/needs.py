"""What do the measurements need, and how does it get here?"""

import os
import shutil
import subprocess
from pathlib import Path

from agent.demo.environment import prepare
from agent.demo.processes import Programs

LOCK = Path(__file__).with_name("requirements.lock")
PACKAGES = ("netdata", "prometheus-node-exporter")


def bench_bin(programs: Programs) -> Path:
    """The folder of gunicorn and Glances, in an environment of their own; installed once."""
    return prepare(programs, lambda line: print(line, flush=True), LOCK, "bench-venv")


def install_peers() -> None:
    """Netdata and node_exporter from the distribution, without starting them; says what could not be had."""
    if all(shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin") for name in PACKAGES):
        print("netdata and node_exporter are installed")
        return
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        print("netdata, node_exporter: not available here: installing them needs root and apt-get")
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    argv = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    done = subprocess.run(
        argv, check=False, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        print(f"netdata, node_exporter: not available here: {done.stdout.strip().splitlines()[-1]}")
    else:
        print("netdata and node_exporter were installed; their services were not started")
