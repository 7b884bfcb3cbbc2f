"""What do the bytes of a file below /proc mean? Pure parsers, no reading.

A name is what its owner made it: it may hold parentheses, newlines and bytes that are not UTF-8. Texts that come out of
here are valid Unicode without control characters, so that they can be stored and shown.
"""

import re

import msgspec

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPED = re.compile(rb"\\(n|\\)")
_STAT_FIELDS = 37  # after the name, up to and including field 39


class Stat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """/proc/PID/stat, or that of one thread. Times and `started` in clock ticks."""

    pid: int
    comm: str
    state: str
    ppid: int
    minor_faults: int
    major_faults: int
    user_ticks: int
    system_ticks: int
    children_user_ticks: int
    children_system_ticks: int
    threads: int
    started: int
    resident_pages: int
    last_cpu: int


class TcpSocket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of /proc/net/tcp{,6}. Of a listening socket `rx_queue` is the number of connections not yet accepted."""

    local_address: str
    """As the kernel writes it, hexadecimal in host byte order."""
    local_port: int
    state: str
    """Two hexadecimal digits: 0A = LISTEN, 01 = ESTABLISHED."""
    rx_queue: int
    uid: int
    inode: int


def safe_text(raw: bytes) -> str:
    """Text that can be stored and shown: foreign bytes and control characters become escapes such as `\\x1b`."""
    text = raw.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def parse_stat(data: bytes) -> Stat:
    """A stat line; split after the *last* parenthesis, because a name may hold some. ValueError if cut short."""
    opening, closing = data.find(b"("), data.rfind(b")")
    fields = data[closing + 2 :].split(None, _STAT_FIELDS)
    if opening < 0 or closing < opening or len(fields) < _STAT_FIELDS:
        raise ValueError("stat line is cut short")
    return Stat(
        pid=int(data[:opening]),
        comm=safe_text(data[opening + 1 : closing]),
        state=fields[0].decode("ascii", "replace"),
        ppid=int(fields[1]),
        minor_faults=int(fields[7]),
        major_faults=int(fields[9]),
        user_ticks=int(fields[11]),
        system_ticks=int(fields[12]),
        children_user_ticks=int(fields[13]),
        children_system_ticks=int(fields[14]),
        threads=int(fields[17]),
        started=int(fields[19]),
        resident_pages=int(fields[21]),
        last_cpu=int(fields[36]),
    )


def parse_status_fields(data: bytes, *names: str) -> dict[str, str]:
    """The named fields (`Cpus_allowed_list`) of /proc/PID/status; those that are not there are left out.

    Several values are one space apart.
    """
    found = {}
    for name in names:
        _, label, rest = (b"\n" + data).partition(f"\n{name}:".encode())
        if label:
            value = rest.partition(b"\n")[0]
            found[name] = safe_text(_task_name(value) if name == "Name" else value.strip().replace(b"\t", b" "))
    return found


def _task_name(value: bytes) -> bytes:
    """The name as it is in stat and comm: in status the kernel writes its newlines and backslashes as escapes."""
    name = value.removeprefix(b"\t")
    return _ESCAPED.sub(lambda match: b"\n" if match[1] == b"n" else b"\\", name) if b"\\" in name else name


def parse_schedstat(data: bytes) -> tuple[int, int, int]:
    """(time on a core ns, time in the run queue ns, time slices) of a schedstat line. ValueError if cut short."""
    run, delay, slices = data.split()
    return int(run), int(delay), int(slices)


def parse_cgroup(text: str) -> tuple[tuple[str, str], ...]:
    """(controllers, path) of each line of /proc/PID/cgroup: `("cpu,cpuacct", "/a")`, on version 2 `("", "/a")`.

    The path stays as it is on disk, so that it can be opened.
    """
    lines = (line.split(":", 2) for line in text.split("\n"))
    return tuple((parts[1], parts[2].removesuffix(" (deleted)")) for parts in lines if len(parts) == 3)


def parse_cmdline(data: bytes) -> tuple[str, ...]:
    """Arguments of /proc/PID/cmdline, the padding NULs that setproctitle leaves dropped. Empty for kernel threads."""
    return tuple(safe_text(item) for item in data.split(b"\0") if item)


def parse_key_values(data: bytes) -> dict[bytes, int]:
    """Lines of a name and a whole number (`nr_periods 12`); lines that are not of this form are left out."""
    pairs = (line.split() for line in data.split(b"\n"))
    return {pair[0].rstrip(b":"): int(pair[1]) for pair in pairs if len(pair) >= 2 and pair[1].isdigit()}


_TCP_ROW = re.compile(
    rb"^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) [0-9A-F]{8}:([0-9A-F]{8})"
    rb" \S+ \S+ +(\d+) +\d+ (\d+)",
    re.MULTILINE,
)


def parse_tcp(data: bytes) -> list[TcpSocket]:
    """The rows of /proc/net/tcp or tcp6; a row that is cut short is left out."""
    return [
        TcpSocket(
            local_address=address.decode(),
            local_port=int(port, 16),
            state=state.decode(),
            rx_queue=int(queue, 16),
            uid=int(uid),
            inode=int(inode),
        )
        for address, port, state, queue, uid, inode in _TCP_ROW.findall(data)
    ]


def stall_us(pressure: bytes, label: bytes) -> int | None:
    """The total of the line `some avg10=… total=12` of a pressure file, in microseconds."""
    for line in pressure.split(b"\n"):
        if line.startswith(label):
            total = line.rpartition(b"total=")[2]
            return int(total) if total.isdigit() else None
    return None


def titled_value(data: bytes, title: bytes, name: bytes) -> int | None:
    """A number of /proc/net/snmp or netstat, where a line of names and one of values begin with the same title; None where it
    is not there."""
    lines = [line.split() for line in data.split(b"\n") if line.startswith(title + b":")]
    if len(lines) != 2:
        return None
    value = dict(zip(*lines, strict=False)).get(name, b"")
    return int(value) if value.isdigit() else None
