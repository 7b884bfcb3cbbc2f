"""What can the node's CPUs compute: their name, and instructions that matter for models (/proc/cpuinfo)?"""

import msgspec

from collectors.host import Host

_FLAGS, _NAME = ("flags", "Features"), ("model name", "Processor", "uarch")
MATTER = frozenset((
    "sse4_2", "avx", "fma", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile",
    "amx_int8", "amx_bf16", "amx_fp16", "asimd", "asimdhp", "asimddp", "sve", "sve2", "bf16", "i8mm",
))  # fmt: skip
"""As x86 and arm64 kernels call them; others are left out."""


class CpuFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """`flags`: those that every CPU has, sorted; None = the kernel does not tell. `cache_bytes`: of the last level of one
    CPU, which others may share; None = not told."""

    name: str | None = None
    flags: tuple[str, ...] | None = None
    cache_bytes: int | None = None


def read_cpu_features(host: Host) -> CpuFeatures:
    """Once at start: it does not change. Without the file, or in another form, nothing is known."""
    try:
        text = host.text(f"{host.proc}/cpuinfo")
    except OSError:
        return CpuFeatures()
    return parse_cpuinfo(text)


def parse_cpuinfo(text: str) -> CpuFeatures:
    """Lines `name : value`, a block for each CPU. Of CPUs that differ (big and little cores) what all of them have."""
    name: str | None = None
    common: frozenset[str] | None = None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        key = key.strip()
        if key in _FLAGS:
            own = frozenset(value.split()) & MATTER
            common = own if common is None else common & own
        elif key in _NAME and name is None:
            name = " ".join(value.split())[:100] or None
    return CpuFeatures(name=name, flags=None if common is None else tuple(sorted(common)))
