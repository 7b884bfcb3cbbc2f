"""What do the files below /proc/PID look like?"""

from tests.hosts.table import HostState, ProcessRow, ThreadRow

PAGE_KIB = 4


def process_files(row: ProcessRow, state: HostState) -> dict[str, bytes]:
    """The files of one process and its threads; of a process that is gone only one that says nothing."""
    base = f"proc/{row.pid}"
    if row.gone:
        return {f"{base}/oom_score": b"0\n"}
    leader = row.threads[0] if row.threads else None
    times = (row.user_ticks, row.system_ticks)
    pages = row.resident_pages
    files = {
        f"{base}/comm": row.comm + b"\n",
        f"{base}/cmdline": b"".join(item + b"\0" for item in row.argv),
        f"{base}/cgroup": "".join(f"{n}:{names}:{path}\n" for n, names, path in row.cgroups).encode(),
        f"{base}/stat": stat_bytes(row, row.pid, row.comm, leader, times, (row.minor_faults, row.major_faults)),
        f"{base}/status": status_bytes(row, row.pid, row.comm, leader),
        f"{base}/statm": f"{4 * pages} {pages} 1200 6 0 {2 * pages} 0\n".encode(),
    }
    if row.read_bytes is not None:
        files[f"{base}/io"] = io_bytes(row)
    if leader and state.schedstat:
        files[f"{base}/schedstat"] = schedstat_bytes(leader)
    for thread in row.threads:
        task = f"{base}/task/{thread.tid}"
        own = (thread.user_ticks, thread.system_ticks)
        files[f"{task}/stat"] = stat_bytes(row, thread.tid, thread.comm, thread, own, (1, 0))
        files[f"{task}/status"] = status_bytes(row, thread.tid, thread.comm, thread)
        if state.schedstat:
            files[f"{task}/schedstat"] = schedstat_bytes(thread)
    return files


def stat_bytes(
    row: ProcessRow,
    number: int,
    comm: bytes,
    thread: ThreadRow | None,
    times: tuple[int, int],
    faults: tuple[int, int],
) -> bytes:
    """The 52 fields of /proc/PID/stat (proc_pid_stat(5)); the name is not escaped there."""
    state = thread.state if thread else "S"
    cpu = thread.cpu if thread else 0
    head = (row.ppid, row.pid, row.pid, 0, -1, 4_194_304, faults[0], 6_563, faults[1], 17)
    counted = (*times, row.children_user_ticks, row.children_system_ticks, 20, 0, len(row.threads) or 1, 0, row.started)
    memory = (16_384 * row.resident_pages, row.resident_pages, 18_446_744_073_709_551_615)
    addresses = (94_702_897_410_048, 94_702_897_429_929, 140_734_416_023_696, 0, 0)
    signals = (0, 0, 16_781_312, 134_235_650, 0, 0, 0, 17)
    tail = (cpu, 0, 0, 21, 0, 0, 94_702_897_445_936, 94_702_897_447_552, 94_703_353_823_232)
    ends = (140_734_416_030_414, 140_734_416_030_452, 140_734_416_030_452, 140_734_416_031_723, 0)
    fields = (*head, *counted, *memory, *addresses, *signals, *tail, *ends)
    return b"%d (%s) %s %s\n" % (number, comm, state.encode(), " ".join(map(str, fields)).encode())


def status_bytes(row: ProcessRow, number: int, comm: bytes, thread: ThreadRow | None) -> bytes:
    """/proc/PID/status: the name has newline and backslash escaped there."""
    name = comm.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    state = {"R": "R (running)", "S": "S (sleeping)"}[thread.state if thread else "S"]
    resident = row.resident_pages * PAGE_KIB
    uids = "\t".join([str(row.uid)] * 4)
    allowed = thread.allowed if thread else "0-3"
    voluntary, involuntary = (thread.voluntary, thread.involuntary) if thread else (1, 0)
    lines = (
        f"Umask:\t0022\nState:\t{state}\nTgid:\t{row.pid}\nNgid:\t0\nPid:\t{number}\nPPid:\t{row.ppid}\nTracerPid:\t0\n"
        f"Uid:\t{uids}\nGid:\t{uids}\nFDSize:\t64\nGroups:\t \nNStgid:\t{row.pid}\nNSpid:\t{number}\nKthread:\t0\n"
        f"VmPeak:\t{4 * resident:8} kB\nVmHWM:\t{resident:8} kB\nVmRSS:\t{resident:8} kB\nVmSwap:\t       0 kB\n"
        f"Threads:\t{len(row.threads) or 1}\nSigQ:\t0/96365\nCapEff:\t0000000000000000\n"
        f"Cpus_allowed:\t{mask(allowed):x}\nCpus_allowed_list:\t{allowed}\nMems_allowed_list:\t0\n"
        f"voluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{involuntary}\n"
    )
    return b"Name:\t" + name + b"\n" + lines.encode()


def mask(allowed: str) -> int:
    bits = 0
    for part in allowed.split(","):
        first, _, last = part.partition("-")
        for cpu in range(int(first), int(last or first) + 1):
            bits |= 1 << cpu
    return bits


def schedstat_bytes(thread: ThreadRow) -> bytes:
    return f"{thread.run_ns} {thread.delay_ns} {thread.timeslices}\n".encode()


def io_bytes(row: ProcessRow) -> bytes:
    return (
        f"rchar: 99000001\nwchar: 98000001\nsyscr: 901\nsyscw: 902\nread_bytes: {row.read_bytes}\n"
        f"write_bytes: {row.write_bytes}\ncancelled_write_bytes: 4096\n"
    ).encode()
