"""Which privileges does this process hold, and which does it lack to look inside other users' processes?"""

from collectors.host import Host

NEEDED = {"CAP_SYS_PTRACE": 19, "CAP_DAC_READ_SEARCH": 2}
"""Capability and its bit: ptrace opens maps, cwd, exe and root; reading past file modes opens environ and fd."""


def missing_privileges(host: Host) -> tuple[str, ...]:
    """The names in `NEEDED` that are not in the effective set of /proc/self/status; all if that is not readable."""
    try:
        status = host.text(f"{host.proc}/self/status")
    except OSError:
        return tuple(NEEDED)
    _, _, rest = status.partition("\nCapEff:")
    digits = rest.partition("\n")[0].strip()
    effective = int(digits, 16) if digits else 0
    return tuple(name for name, bit in NEEDED.items() if not effective & 1 << bit)
