"""How amounts of device memory are told."""

GIB = 1 << 30


def gib(amount: float) -> str:
    """`11.2 GiB`; below a tenth of one `38 MiB`."""
    return f"{amount / GIB:.1f} GiB" if amount >= GIB / 10 else f"{amount / (1 << 20):.0f} MiB"


def lasting(seconds: float) -> str:
    """`45 s`, `12 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
