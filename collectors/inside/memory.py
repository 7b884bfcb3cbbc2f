"""Which part of one process's memory is its own, and which is shared with others or in swap?"""

import os
from collections.abc import Callable

import msgspec

from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.inside.folder import ProcessFolder, Vanished
from collectors.procfs import parse_key_values
from collectors.reading import Unsupported

RESIDENT_LIMIT_BYTES = 64 << 30
"""Of a larger process the pages are not counted: it would take longer than a second, and whoever asks waits for it."""
GONE = Unsupported("process vanished", "look at a process that still runs")


class ProcessMemory(msgspec.Struct, frozen=True, kw_only=True, tag="process-memory"):
    """Bytes, summed over the mappings of one process. None = this kernel does not say."""

    resident_bytes: int | None
    proportional_bytes: int | None
    private_bytes: int | None
    private_dirty_bytes: int | None
    swapped_bytes: int | None


MemoryReader = Callable[[WorkerKey], ProcessMemory | Unsupported]


def read_memory(host: Host, key: WorkerKey) -> ProcessMemory | Unsupported:
    """/proc/PID/smaps_rollup, for which the kernel walks the page tables: 10 ms for each GB of resident pages of 4 KiB.

    Never raises for a state of the host; needs the target's uid or CAP_SYS_PTRACE.
    """
    try:
        with ProcessFolder(host, key) as folder:
            resident = _resident_bytes(folder, host.page_bytes)
            if resident > RESIDENT_LIMIT_BYTES:
                size = f"{resident / (1 << 30):.0f} GiB"
                return Unsupported(f"{size} are resident: to count their pages takes too long", "nothing to enable")
            return _look(folder)
    except (Vanished, ProcessLookupError):
        return GONE
    except OSError as error:
        reason = f"/proc/{key.pid}: {os.strerror(error.errno or 0)}"
        return Unsupported(reason, "mount /proc without hidepid for the sidecar")


def _look(folder: ProcessFolder) -> ProcessMemory | Unsupported:
    try:
        data = folder.read("smaps_rollup")
    except PermissionError as error:
        return Unsupported(f"smaps_rollup: {os.strerror(error.errno or 0)}", folder.what_to_grant())
    except FileNotFoundError:
        return Unsupported("no smaps_rollup", "a kernel >= 4.14 with CONFIG_PROC_PAGE_MONITOR")
    folder.check()
    return parse_rollup(data)


def _resident_bytes(folder: ProcessFolder, page_bytes: int) -> int:
    """The second number of /proc/PID/statm, in pages; 0 where it is not told."""
    words = folder.read("statm").split()
    return int(words[1]) * page_bytes if len(words) > 1 and words[1].isdigit() else 0


def parse_rollup(data: bytes) -> ProcessMemory:
    """The lines `Pss:   337 kB` of /proc/PID/smaps_rollup. A process without any mapping has an empty one."""
    kib = parse_key_values(data)

    def of(*names: bytes) -> int | None:
        known = [kib[name] for name in names if name in kib]
        return 1024 * sum(known) if len(known) == len(names) else None

    return ProcessMemory(
        resident_bytes=of(b"Rss"),
        proportional_bytes=of(b"Pss"),
        private_bytes=of(b"Private_Clean", b"Private_Dirty"),
        private_dirty_bytes=of(b"Private_Dirty"),
        swapped_bytes=of(b"Swap"),
    )
