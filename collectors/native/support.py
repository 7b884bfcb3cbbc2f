"""Does this host let us sample threads, and if not, what would it take?"""

import errno
import mmap
import os
import resource

from collectors.host import Host
from collectors.native.perf_event import open_event, ring_bytes
from collectors.native.ring import Ring
from collectors.reading import Unsupported

_NO_PERF = Unsupported(
    "the kernel has no perf events for threads",
    "use a kernel with CONFIG_PERF_EVENTS on x86_64 or aarch64; sandboxed containers (gVisor) have none",
)
_OTHER_NAMES = Unsupported(
    "the threads are named by another pid namespace than the sidecar's",
    "run the sidecar in the pid namespace of its /proc: hostPID, or shareProcessNamespace of the pod",
)
_FOREIGN_PROC = Unsupported(
    "these processes are not of this machine", "sample where the servers run: a recording has no threads"
)


def native_support(host: Host) -> Unsupported | None:
    """None if threads of our own user's can be sampled at least in their own code; those of others take rights that
    only a try shows. Opens one event on the calling thread and closes it again."""
    if refused := other_pid_space(host):
        return refused
    try:
        Ring(open_event(0, 1, kernel=False), ring_bytes(1)).close()
    except OSError as error:
        return why_refused(host, error, "CAP_PERFMON")
    return None


def other_pid_space(host: Host) -> Unsupported | None:
    """None if the numbers below `host.proc` are those by which the kernel knows threads when we name them."""
    try:
        status = host.read(f"{host.proc}/self/status")
    except OSError:
        return _FOREIGN_PROC
    _, found, rest = status.partition(b"\nNSpid:")
    numbers = rest.partition(b"\n")[0].split()
    if found:  # one number for each namespace from that of /proc down to ours; kernels before 4.1 do not say
        return None if len(numbers) == 1 and int(numbers[0]) == os.getpid() else _OTHER_NAMES
    return None if f"\nPid:\t{os.getpid()}\n".encode() in status else _FOREIGN_PROC


def why_refused(host: Host, error: OSError, grant: str) -> Unsupported:
    """What an error of `open_event` or of `Ring` means here. `grant`: what looking at this process takes."""
    match error.errno:
        case errno.ENOSYS | errno.ENOENT | errno.EOPNOTSUPP | errno.ENODEV | errno.E2BIG | errno.EINVAL:
            return _NO_PERF
        case errno.EMFILE | errno.ENFILE:
            return Unsupported("no more files may be open", "raise LimitNOFILE= of the sidecar")
        case errno.ENOMEM:
            return Unsupported("the kernel has no memory left for events", "free memory on the node")
        case errno.EACCES | errno.EPERM:
            return _why_forbidden(host, error.errno, grant)
        case _:
            return Unsupported(f"perf_event_open: {os.strerror(error.errno or 0)}", "see perf_event_open(2)")


def why_not_locked(host: Host) -> Unsupported:
    """Why no memory was to be had for the ring of an event (mmap: EPERM)."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    locked = "unlimited" if limit == resource.RLIM_INFINITY else f"{limit >> 10} KiB"
    kernel = _number(host, "perf_event_mlock_kb")
    return Unsupported(
        f"no more memory may be locked for samples: RLIMIT_MEMLOCK is {locked}, "
        f"kernel.perf_event_mlock_kb {'unknown' if kernel is None else kernel}",
        "raise LimitMEMLOCK= of the sidecar or kernel.perf_event_mlock_kb, or grant CAP_IPC_LOCK "
        f"({2 * mmap.PAGESIZE >> 10} KiB a thread)",
    )


def _why_forbidden(host: Host, code: int, grant: str) -> Unsupported:
    level = _number(host, "perf_event_paranoid")
    if code == errno.EPERM and _filtered(host):
        return Unsupported(
            "a seccomp filter refuses perf_event_open",
            "grant the container CAP_PERFMON (it also lifts the default filter of newer Docker and containerd), or allow "
            "perf_event_open in its seccomp profile",
        )
    if level is not None and level > 2:
        return Unsupported(
            f"kernel.perf_event_paranoid is {level}: without CAP_PERFMON no events at all",
            "run the sidecar with CAP_PERFMON, or set kernel.perf_event_paranoid=2",
        )
    return Unsupported(
        f"perf_event_open: {os.strerror(code)} (kernel.perf_event_paranoid is {'unknown' if level is None else level})",
        grant,
    )


def _filtered(host: Host) -> bool:
    try:
        return b"\nSeccomp:\t2" in host.read(f"{host.proc}/self/status")
    except OSError:
        return False


def _number(host: Host, name: str) -> int | None:
    try:
        return int(host.read(f"{host.proc}/sys/kernel/{name}"))
    except (OSError, ValueError):
        return None
