"""What bounds the clock of one core: its maker, its firmware, its governor?"""

import msgspec

from collectors.host import Host
from collectors.procfs import safe_text


class ClockLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Clocks in kHz; None = this host does not tell."""

    base_khz: int | None
    """What the core keeps under any load."""
    limit_khz: int | None
    """The most that governor or firmware allow."""
    maximum_khz: int | None
    governor: str | None


def core_folder(host: Host, cpu: int) -> str:
    return f"{host.sys}/devices/system/cpu/cpu{cpu}"


def read_limits(host: Host, cpu: int) -> ClockLimits:
    """intel_pstate states the clock that a core keeps as `base_frequency`; of other drivers ACPI does, in MHz (AMD, many ARM
    servers), or nobody. `bios_limit` is what the firmware allows (acpi-cpufreq)."""
    folder = core_folder(host, cpu)
    base = clock(_read(host, f"{folder}/cpufreq/base_frequency"))
    if base is None and (nominal_mhz := clock(_read(host, f"{folder}/acpi_cppc/nominal_freq"))) is not None:
        base = nominal_mhz * 1000
    caps = (clock(_read(host, f"{folder}/cpufreq/{name}")) for name in ("scaling_max_freq", "bios_limit"))
    governor = _read(host, f"{folder}/cpufreq/scaling_governor")
    return ClockLimits(
        base_khz=base,
        limit_khz=min((cap for cap in caps if cap is not None), default=None),
        maximum_khz=clock(_read(host, f"{folder}/cpufreq/cpuinfo_max_freq")),
        governor=safe_text(governor.strip()) if governor else None,
    )


def clock(data: bytes | None) -> int | None:
    """The number in a file of a clock; the kernel writes 0, or a text in angle brackets, where it does not know."""
    return count(data) or None


def count(data: bytes | None) -> int | None:
    text = (data or b"").strip()
    return int(text) if text.isdigit() else None


def _read(host: Host, path: str) -> bytes | None:
    try:
        return host.read(path)
    except OSError:
        return None
