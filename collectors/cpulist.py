"""How does the kernel write a set of CPUs as text (`0-3,8`)?"""

from collections.abc import Iterable
from functools import lru_cache

MAX_CPU = 65535
"""Above any kernel's NR_CPUS; a damaged file must not fill memory with a range."""


@lru_cache(maxsize=512)
def parse_cpulist(text: str) -> frozenset[int]:
    """The CPUs of a list such as `0-3,8`; empty text is no CPU. ValueError names what cannot be read."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        if not part:
            continue
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and (not dash or last.isdecimal())):
            raise ValueError(f"not a CPU list: {text[:80]!r}")
        low, high = int(first), int(last or first)
        if low > high or high > MAX_CPU:
            raise ValueError(f"not a CPU list: {text[:80]!r}")
        cpus.update(range(low, high + 1))
    return frozenset(cpus)


def union(masks: Iterable[frozenset[int]]) -> frozenset[int]:
    """CPUs that are in any of the masks. Most masks of a service are the same one: that is not built again."""
    distinct = set(masks)
    return distinct.pop() if len(distinct) == 1 else frozenset().union(*distinct)


def format_cpulist(cpus: Iterable[int]) -> str:
    """The shortest list that names these CPUs: `{0, 1, 2, 8}` is `0-2,8`."""
    return _formatted(frozenset(cpus))


@lru_cache(maxsize=512)
def _formatted(cpus: frozenset[int]) -> str:
    parts: list[str] = []
    run: list[int] = []
    for cpu in sorted(cpus):
        if run and cpu != run[-1] + 1:
            parts.append(_range(run))
            run = []
        run.append(cpu)
    if run:
        parts.append(_range(run))
    return ",".join(parts)


def _range(run: list[int]) -> str:
    return str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"
