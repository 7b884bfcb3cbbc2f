"""What do the kernel's files of a host look like? `python -m tests.hosts.build` rewrites the trees and expectations.

Formats: fs/proc/array.c, fs/proc/base.c, Documentation/filesystems/proc.rst, admin-guide/cgroup-v1 and cgroup-v2.
"""

import shutil
from pathlib import Path

from tests.hosts.catalogue import hosts
from tests.hosts.cgroup_files import cgroup_files
from tests.hosts.node_files import (
    cpu_files,
    meminfo_text,
    netstat_text,
    pressure_text,
    stat_text,
    tcp_text,
    vmstat_text,
)
from tests.hosts.process_files import process_files
from tests.hosts.table import HostState

HERE = Path(__file__).parent


def tree(state: HostState) -> dict[str, bytes]:
    """Every file of the host, by its path below the root."""
    files: dict[str, str] = {
        "proc/stat": stat_text(state.node, state.cores),
        "proc/meminfo": meminfo_text(state.node),
        "proc/vmstat": vmstat_text(state.node),
        "proc/loadavg": f"1.30 1.08 1.02 {state.node.running}/101 {state.node.last_pid}\n",
        "proc/net/tcp": tcp_text(state.sockets, 4),
        "proc/net/tcp6": tcp_text(state.sockets, 6),
        "proc/net/netstat": netstat_text(state.node),
    }
    for name, (some, full) in (state.pressure or {}).items():
        files[f"proc/pressure/{name}"] = pressure_text(some, full)
    files |= cpu_files(state.cpus)
    files |= cgroup_files(state.cgroups)
    raw = {path: text.encode() for path, text in files.items()}
    for process in state.processes:
        raw |= process_files(process, state)
        if process.role == "front-end":
            rows = state.sockets if process.own_netns is None else process.own_netns
            raw[f"proc/{process.pid}/net/tcp"] = tcp_text(rows, 4).encode()
            raw[f"proc/{process.pid}/net/tcp6"] = tcp_text(rows, 6).encode()
    return raw


def write(root: Path, state: HostState) -> None:
    """Make `root` hold exactly the host's files, and the links that systemd makes for joined controllers."""
    for name in ("proc", "sys"):
        shutil.rmtree(root / name, ignore_errors=True)
    for path, content in tree(state).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    for controller, folder in state.cgroups.folders:
        if folder != controller:
            (root / "sys/fs/cgroup" / controller).symlink_to(folder)


def main() -> None:
    from tests.hosts.expect import expected_json

    for host in hosts():
        folder = HERE / host.name
        shutil.rmtree(folder, ignore_errors=True)
        for name, state in host.states.items():
            write(folder / name, state)
        (folder / "expected.json").write_text(expected_json(host))


if __name__ == "__main__":
    main()
