"""What do kernel, rights and installation of this host allow, beside what the collectors find?"""

import errno
import importlib.util
import os
import resource
from pathlib import Path
from typing import Literal

import msgspec

from agent.errors import CliError, reason_of
from agent.paths import state_folder
from agent.sidecar.privileges import missing_privileges
from collectors.containers.pod_resources import pod_resources_status
from collectors.host import Host
from collectors.native.support import native_support
from collectors.profiles.child import py_spy
from collectors.reading import Ok

DESCRIPTORS_WANTED = 4096
"""Descriptors are kept open: four a worker and one a thread."""
_TRIED = 100


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried. `needed`: advice depends on it."""

    area: Literal["collector", "kernel", "rights", "program", "service"]
    name: str
    status: Literal["ok", "unsupported", "failed"]
    detail: str
    hint: str
    needed: bool = False


def host_checks(host: Host) -> list[Check]:
    """Opens files of /proc, /sys and the state folder's parents for reading; writes nothing."""
    return [
        _schedstat(host),
        _pressure(host),
        _cgroups(host),
        _hidepid(host),
        _inside(host),
        _yama(host),
        _descriptors(),
        _state(),
        _module("textual", "screens (nodewright top)", "pip install 'nodewright[tui]'"),
        _py_spy(),
        _native(host),
        _states(host),
        *_kubelet(host),
    ]


def _schedstat(host: Host) -> Check:
    hint = "a kernel with CONFIG_SCHED_INFO=y (CONFIG_SCHEDSTATS or CONFIG_TASK_DELAY_ACCT)"
    for path in (f"{host.proc}/self/schedstat", f"{host.proc}/schedstat"):
        try:
            if host.read(path).strip():
                detail = "run-queue delay of every thread is counted"
                return Check(area="kernel", name="schedstat", status="ok", detail=detail, hint="", needed=True)
        except OSError:
            continue
    detail = "no schedstat: how long threads wait for a core is not counted"
    return Check(area="kernel", name="schedstat", status="unsupported", detail=detail, hint=hint, needed=True)


def _pressure(host: Host) -> Check:
    try:
        host.read(f"{host.proc}/pressure/cpu")
    except OSError as error:
        off = error.errno in {errno.EOPNOTSUPP, errno.ENOTSUP}
        detail = "PSI is switched off" if off else f"no PSI: {reason_of(error)}"
        hint = "boot with psi=1" if off else "a kernel >= 4.20 with CONFIG_PSI=y, booted with psi=1"
        return Check(area="kernel", name="psi", status="unsupported", detail=detail, hint=hint)
    return Check(area="kernel", name="psi", status="ok", detail="pressure of cpu, memory and io", hint="")


def _cgroups(host: Host) -> Check:
    root = Path(host.cgroup)
    unified = (root / "cgroup.controllers").is_file()
    hybrid = (root / "unified" / "cgroup.controllers").is_file()
    old = any((root / name).is_dir() for name in ("cpu", "cpu,cpuacct", "memory"))
    if not (unified or hybrid or old):
        hint = "mount it: in a container, the runtime mounts /sys/fs/cgroup"
        return Check(area="kernel", name="cgroup", status="unsupported", detail="no cgroup tree", hint=hint)
    version = "version 2" if unified else "version 1 (hybrid)" if hybrid and old else "version 1"
    return Check(area="kernel", name="cgroup", status="ok", detail=version, hint="")


def _hidepid(host: Host) -> Check:
    options = _proc_options(host)
    hidden = sorted(one for one in options if one.startswith("hidepid=") or one == "subset=pid")
    hidden = [one for one in hidden if one not in {"hidepid=0", "hidepid=off"}]
    if not hidden or os.geteuid() == 0:
        return Check(area="rights", name="processes", status="ok", detail="all processes are visible", hint="")
    detail = f"{host.proc} is mounted with {', '.join(hidden)}: other users' processes are hidden"
    hint = "mount -o remount,hidepid=0 /proc, or gid= with a group of this user"
    return Check(area="rights", name="processes", status="unsupported", detail=detail, hint=hint)


def _proc_options(host: Host) -> list[str]:
    """Options of the mount at /proc, the last one mounted there, from /proc/self/mountinfo."""
    try:
        lines = host.text(f"{host.proc}/self/mountinfo").splitlines()
    except OSError:
        return []
    options: list[str] = []
    for line in lines:
        fields, _, source = line.partition(" - ")
        own, behind = fields.split(), source.split()
        if len(own) > 5 and own[4] == "/proc" and len(behind) > 2 and behind[0] == "proc":
            options = own[5].split(",") + behind[2].split(",")
    return options


def _inside(host: Host) -> Check:
    others = _others(host)
    opened = sum(map(_opens, others))
    lacking = " and ".join(missing_privileges(host))
    if opened or not (others or lacking):
        tried = f"{opened} of {len(others)} tried" if others else "none runs here to be tried"
        detail = f"environment and libraries of other users' processes are readable: {tried}"
        return Check(area="rights", name="inside", status="ok", detail=detail, hint="")
    reason = f"lacks {lacking}" if lacking else "refused in spite of all capabilities (another user namespace)"
    hint = (
        "run nodewright sidecar as root, or with AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH, "
        "or run as the servers' own user"
    )
    detail = f"environment and libraries of other users' processes are closed: {reason}"
    return Check(area="rights", name="inside", status="unsupported", detail=detail, hint=hint)


def _others(host: Host) -> list[str]:
    """Environment files of some processes of other users."""
    try:
        pids = [name for name in os.listdir(host.proc) if name.isdigit()]
    except OSError:
        return []
    return [f"{host.proc}/{pid}/environ" for pid in pids[-_TRIED:] if _owner(f"{host.proc}/{pid}") != os.geteuid()]


def _owner(path: str) -> int:
    """The user of a process; our own where it has gone, so that it is not tried."""
    try:
        return os.stat(path).st_uid
    except OSError:
        return os.geteuid()


def _opens(path: str) -> bool:
    """Opening is what the kernel decides on: nothing is read of another process's environment."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _yama(host: Host) -> Check:
    try:
        scope = int(host.text(f"{host.proc}/sys/kernel/yama/ptrace_scope"))
    except (OSError, ValueError):
        return Check(area="rights", name="attach", status="ok", detail="Yama restricts nothing", hint="")
    if scope < 1 or not missing_privileges(host):
        return Check(area="rights", name="attach", status="ok", detail=f"ptrace_scope={scope}", hint="")
    detail = f"ptrace_scope={scope}: a profiler may not attach to processes that it did not start"
    hint = "run the profiler with CAP_SYS_PTRACE" if scope < 3 else "sysctl kernel.yama.ptrace_scope needs a reboot"
    return Check(area="rights", name="attach", status="unsupported", detail=detail, hint=hint)


def _descriptors() -> Check:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= DESCRIPTORS_WANTED:
        shown = "no limit" if hard == resource.RLIM_INFINITY else f"up to {hard}"
        return Check(area="rights", name="descriptors", status="ok", detail=shown, hint="")
    detail = f"at most {hard}: with many threads, files are opened anew each second"
    hint = f"LimitNOFILE={DESCRIPTORS_WANTED * 16} in the unit, or ulimit -n"
    return Check(area="rights", name="descriptors", status="unsupported", detail=detail, hint=hint)


def _state() -> Check:
    try:
        folder = state_folder(os.environ)
    except CliError as error:
        return Check(area="rights", name="state", status="unsupported", detail=error.message, hint=error.hint)
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check(area="rights", name="state", status="ok", detail=str(folder), hint="")
    hint = "set STATE_DIRECTORY or XDG_STATE_HOME, or give --db F"
    return Check(area="rights", name="state", status="unsupported", detail=f"cannot write below {nearest}", hint=hint)


def _module(name: str, purpose: str, hint: str) -> Check:
    if importlib.util.find_spec(name) is not None:
        return Check(area="program", name=name, status="ok", detail=purpose, hint="")
    return Check(area="program", name=name, status="unsupported", detail=f"not installed: no {purpose}", hint=hint)


def _py_spy() -> Check:
    found = py_spy()
    if found is not None:
        return Check(area="program", name="py-spy", status="ok", detail=found, hint="")
    hint = "pip install 'nodewright[profile]'"
    return Check(area="program", name="py-spy", status="unsupported", detail="not installed: no profiles", hint=hint)


def _native(host: Host) -> Check:
    no = native_support(host)
    if no is None:
        detail = "native functions of threads can be sampled without stopping them"
        return Check(area="kernel", name="perf events", status="ok", detail=detail, hint="")
    return Check(area="kernel", name="perf events", status="unsupported", detail=no.reason, hint=no.hint)


def _states(host: Host) -> Check:
    """What a thread waits for: the file is missing where the kernel was built without HAVE_ARCH_TRACEHOOK."""
    try:
        host.read(f"{host.proc}/self/syscall")
    except OSError as error:
        detail = f"what threads wait for cannot be told: /proc/PID/syscall: {reason_of(error)}"
        hint = "a kernel with /proc/PID/syscall; without it only the kernel's wait channel is known"
        return Check(area="kernel", name="waits", status="unsupported", detail=detail, hint=hint)
    detail = "what each thread waits for, the GIL among it, can be told"
    return Check(area="kernel", name="waits", status="ok", detail=detail, hint="")


def _kubelet(host: Host) -> list[Check]:
    """Whether the kubelet can be asked which pod has which devices; nothing where this is no Kubernetes node."""
    answer = pod_resources_status(host)
    if isinstance(answer, Ok):
        detail = "the kubelet tells which pod has which devices"
        return [Check(area="rights", name="pod-resources", status="ok", detail=detail, hint="")]
    if "KUBERNETES_SERVICE_HOST" not in os.environ and not os.path.exists(f"{host.root}/var/lib/kubelet"):
        return []
    return [Check(area="rights", name="pod-resources", status="unsupported", detail=answer.reason, hint=answer.hint)]
