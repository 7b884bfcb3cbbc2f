"""Which logical CPUs does the node have, and what do they share: core, package, memory node, caches?"""

import os
from contextlib import suppress

import msgspec

from collectors.cpu_features import CpuFeatures, read_cpu_features
from collectors.cpulist import parse_cpulist
from collectors.host import Host
from collectors.reading import Unreadable

_SIZE_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """One cache of a CPU. `type` is Data, Instruction or Unified."""

    level: int
    type: str
    size_bytes: int | None
    shared_cpus: tuple[int, ...]


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """One logical CPU. An offline CPU has no core, package, siblings or caches."""

    cpu: int
    online: bool
    node: int | None
    """NUMA node; None where the kernel has no NUMA."""
    core_id: int | None
    """Number of the core, unique only within its package."""
    package: int | None
    siblings: tuple[int, ...]
    """Hardware threads of the same core, itself included."""
    cache: tuple[Cache, ...]


class Topology(msgspec.Struct, frozen=True):
    """The CPUs of the node, sorted by number, and what they compute."""

    cpus: tuple[Cpu, ...]
    features: CpuFeatures = CpuFeatures()


def read_topology(host: Host) -> Topology:
    """Read /sys/devices/system/{cpu,node}: about 0.2 ms per CPU, so once at start and on a change of the online list.

    Raises Unreadable where /sys is not mounted.
    """
    base = f"{host.sys}/devices/system/cpu"
    present = _cpulist(host, f"{base}/present")
    if present is None:
        raise Unreadable("no CPU topology", f"mount sysfs so that {base}/present is there")
    online = _cpulist(host, f"{base}/online")
    nodes = _node_of_cpu(host)
    cpus = tuple(_read_cpu(host, cpu, online is None or cpu in online, nodes) for cpu in sorted(present))
    features = msgspec.structs.replace(read_cpu_features(host), cache_bytes=_last_cache(cpus))
    return Topology(cpus, features)


def _last_cache(cpus: tuple[Cpu, ...]) -> int | None:
    """The least of all CPUs' largest."""
    each = [max((c.size_bytes or 0 for c in cpu.cache), default=0) for cpu in cpus if cpu.online]
    return min(each, default=0) or None


def _read_cpu(host: Host, cpu: int, online: bool, nodes: dict[int, int]) -> Cpu:
    folder = f"{host.sys}/devices/system/cpu/cpu{cpu}"
    siblings = _cpulist(host, f"{folder}/topology/thread_siblings_list") if online else None
    return Cpu(
        cpu=cpu,
        online=online,
        node=nodes.get(cpu),
        core_id=_number(host, f"{folder}/topology/core_id") if online else None,
        package=_number(host, f"{folder}/topology/physical_package_id") if online else None,
        siblings=tuple(sorted(siblings or ())),
        cache=_caches(host, f"{folder}/cache") if online else (),
    )


def _caches(host: Host, folder: str) -> tuple[Cache, ...]:
    caches = []
    for name in _numbered(folder, "index").values():
        level = _number(host, f"{folder}/{name}/level")
        shared = _cpulist(host, f"{folder}/{name}/shared_cpu_list")
        if level is not None and shared is not None:
            kind = (_text(host, f"{folder}/{name}/type") or "Unified").strip()
            size = _size_bytes(_text(host, f"{folder}/{name}/size"))
            caches.append(Cache(level=level, type=kind, size_bytes=size, shared_cpus=tuple(sorted(shared))))
    return tuple(caches)


def _node_of_cpu(host: Host) -> dict[int, int]:
    folder = f"{host.sys}/devices/system/node"
    lists = {node: _cpulist(host, f"{folder}/{name}/cpulist") for node, name in _numbered(folder, "node").items()}
    return {cpu: node for node, cpus in lists.items() for cpu in cpus or ()}


def _numbered(folder: str, prefix: str) -> dict[int, str]:
    """Entries such as `node0`, by their number."""
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    rests = ((name.removeprefix(prefix), name) for name in names if name.startswith(prefix))
    return dict(sorted((int(rest), name) for rest, name in rests if rest.isdecimal()))


def _text(host: Host, path: str) -> str | None:
    with suppress(OSError):
        return host.text(path)
    return None


def _number(host: Host, path: str) -> int | None:
    text = _text(host, path)
    try:
        # The kernel says -1 for "not known".
        return None if text is None or int(text) < 0 else int(text)
    except ValueError:
        return None


def _cpulist(host: Host, path: str) -> frozenset[int] | None:
    text = _text(host, path)
    try:
        return None if text is None else parse_cpulist(text)
    except ValueError:
        return None


def _size_bytes(text: str | None) -> int | None:
    """`32768K` in bytes."""
    number, unit = (text or "").strip()[:-1], (text or "").strip()[-1:]
    return int(number) * _SIZE_UNITS[unit] if number.isdecimal() and unit in _SIZE_UNITS else None
