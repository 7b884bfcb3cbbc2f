"""What do the kernel's files of the whole node look like?"""

from collections.abc import Iterable

from tests.hosts.table import CoreRow, CpuRow, NodeRow, SocketRow

NETSTAT_COLUMNS = (
    "SyncookiesSent",
    "EmbryonicRsts",
    "TW",
    "DelayedACKs",
    "ListenOverflows",
    "ListenDrops",
    "TCPHPHits",
)


def stat_text(node: NodeRow, cores: tuple[CoreRow, ...]) -> str:
    """/proc/stat: offline CPUs have no line."""
    rows = [
        (c.user, c.nice, c.system, c.idle, c.iowait, c.irq, c.softirq, c.steal, c.guest, 0) for c in cores
    ]  # fmt: skip
    lines = ["cpu  " + spaced(sum(column) for column in zip(*rows, strict=True))]
    lines += [f"cpu{core.cpu} {spaced(row)}" for core, row in zip(cores, rows, strict=True)]
    lines += [
        "intr 131327 0 0 14",
        f"ctxt {node.context_switches}",
        "btime 1795193496",
        f"processes {node.forks}",
        f"procs_running {node.running}",
        f"procs_blocked {node.blocked}",
        "softirq 94419 0 19885 4 4477 13704 0 2 29454 0 26893",
    ]
    return "\n".join(lines) + "\n"


def meminfo_text(node: NodeRow) -> str:
    rows = {
        "MemTotal": node.total_kib,
        "MemFree": node.free_kib,
        "MemAvailable": node.available_kib,
        "Buffers": 8_092,
        "Cached": node.cached_kib,
        "SwapCached": 12,
        "Active": 67_196,
        "Inactive": 45_556,
        "SwapTotal": node.swap_total_kib,
        "SwapFree": node.swap_free_kib,
        "Shmem": 8_872,
        "SReclaimable": 100_196,
    }
    sized = "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in rows.items())
    return sized + "HugePages_Total:       0\n"


def vmstat_text(node: NodeRow) -> str:
    rows: dict[str, int | None] = {
        "nr_free_pages": 1_447_943,
        "pgpgin": 1_619_469,
        "pswpin": node.swap_in_pages,
        "pswpout": node.swap_out_pages,
        "pgfault": node.page_faults,
        "pgmajfault": node.major_faults,
        "oom_kill": node.oom_kills,
        "thp_fault_alloc": 7,
    }
    return "".join(f"{name} {value}\n" for name, value in rows.items() if value is not None)


def pressure_text(some: int, full: int | None) -> str:
    lines = [f"some avg10=0.09 avg60=0.36 avg300=0.19 total={some}"]
    if full is not None:
        lines.append(f"full avg10=0.00 avg60=0.00 avg300=0.00 total={full}")
    return "\n".join(lines) + "\n"


def netstat_text(node: NodeRow) -> str:
    """/proc/net/netstat: pairs of lines; which columns there are depends on the kernel."""
    known = {"ListenOverflows": node.listen_overflows, "ListenDrops": node.listen_drops}
    values = [known.get(name, position) for position, name in enumerate(NETSTAT_COLUMNS)]
    counted = f"TcpExt: {' '.join(NETSTAT_COLUMNS)}\nTcpExt: {spaced(values)}\n"
    return counted + "IpExt: InNoRoutes InOctets\nIpExt: 0 156620835\n"


def tcp_text(rows: tuple[SocketRow, ...], family: int) -> str:
    """/proc/net/tcp, tcp6: hexadecimal, lines filled up to 149 characters."""
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    local = "0100007F" if family == 4 else "0" * 24 + "01000000"
    nowhere = "0" * len(local)
    lines = [head]
    for number, row in enumerate(row for row in rows if row.family == family):
        remote = local if row.remote_port else nowhere
        lines.append(
            f"{number:4}: {local}:{row.port:04X} {remote}:{row.remote_port:04X} {row.state:02X} "
            f"{0:08X}:{row.rx_queue:08X} 00:00000000 00000000  1000        0 {row.inode} 1 0000000000000000"
            " 100 0 0 10 0"
        )
    return "".join(f"{line:<149}\n" for line in lines)


def cpu_files(cpus: tuple[CpuRow, ...]) -> dict[str, str]:
    """/sys/devices/system/cpu and node. CPU 0 cannot be taken offline and has no `online` file; an offline CPU has no
    topology."""
    base = "sys/devices/system"
    every, online = [c.cpu for c in cpus], [c.cpu for c in cpus if c.online]
    if not cpus:
        return {}
    files = {
        f"{base}/cpu/present": ranges(every),
        f"{base}/cpu/possible": ranges(every),
        f"{base}/cpu/online": ranges(online),
    }
    for node in sorted({c.node for c in cpus if c.node is not None}):
        files[f"{base}/node/node{node}/cpulist"] = ranges([c.cpu for c in cpus if c.node == node and c.online])
    files[f"{base}/node/online"] = ranges(sorted({c.node for c in cpus if c.node is not None}))
    for row in cpus:
        folder = f"{base}/cpu/cpu{row.cpu}"
        if row.cpu:
            files[f"{folder}/online"] = f"{int(row.online)}\n"
        if not row.online:
            continue
        files[f"{folder}/topology/core_id"] = f"{row.core_id}\n"
        files[f"{folder}/topology/physical_package_id"] = f"{row.package}\n"
        files[f"{folder}/topology/thread_siblings_list"] = f"{row.siblings}\n"
        for index, (level, kind, size_kib, shared) in enumerate(row.caches):
            cache = f"{folder}/cache/index{index}"
            files |= {f"{cache}/level": f"{level}\n", f"{cache}/type": f"{kind}\n"}
            files |= {f"{cache}/size": f"{size_kib}K\n", f"{cache}/shared_cpu_list": f"{shared}\n"}
    return files


def ranges(numbers: list[int]) -> str:
    """The kernel's list format: `0-1,3`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts) + "\n"


def spaced(values: Iterable[int]) -> str:
    return " ".join(str(value) for value in values)
