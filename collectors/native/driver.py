"""In which function of the CUDA driver was a thread, whose own code in the driver has no names?

libcuda keeps no symbols but those that it exports, and nearly all of its time is spent deeper. It keeps frame pointers,
though: of 3,831 samples in it, or in what it called, 99.8 % had an exported function among their callers, at most 15 up
(driver 580.159). That function says whether the thread waits for the GPU, hands it work or asks it for memory.
"""

import re
from collections.abc import Mapping as MappingType
from collections.abc import Sequence

from collectors.inside.folder import ProcessFolder
from collectors.native.mapped import Mappings
from collectors.profiles.profile import Frame

NEAR_FRAMES = 4
"""So far below the driver a thread may be in the C library or the kernel's vdso to count as working for the driver."""
_DRIVER = re.compile(r".*/libcuda\.so[.\d]*")
_BESIDE = re.compile(
    r"\[vdso\]|.*/(?:libc|libpthread|libm|ld-linux-[\w-]+|ld-musl-\w+|libc\.musl-\w+)(?:-[\d.]+)?\.so[.\d]*"
)
_EXPORTED = re.compile(r"cu[A-Z]\w*")


class DriverCode:
    """Where in the memory of a process the driver is, and the C library that it calls."""

    def __init__(self, driver: Mappings, beside: Mappings) -> None:
        self._driver = driver
        self._beside = beside

    def calls(self, chain: Sequence[int]) -> tuple[int, ...]:
        """The places in the driver of a thread with this chain of callers, innermost first; empty where it was neither in
        the driver nor in the C library right below it. A caller's place is its call, not where it goes on."""
        places = [address - (depth > 0) for depth, address in enumerate(chain)]
        for depth, place in enumerate(places[: NEAR_FRAMES + 1]):
            if self._driver.at(place) is not None:
                return tuple(one for one in places[depth:] if self._driver.at(one) is not None)
            if self._beside.at(place) is None:
                break
        return ()


def driver_code(mappings: Mappings) -> DriverCode | None:
    """None where the process does not map the driver."""
    driver = [one for one in mappings if _DRIVER.fullmatch(one.name)]
    if not driver:
        return None
    return DriverCode(Mappings(driver), Mappings([one for one in mappings if _BESIDE.fullmatch(one.name)]))


def has_driver(folder: ProcessFolder) -> bool:
    """Whether the process maps the driver. Raises OSError as open(2) and read(2) do."""
    return any(b"/libcuda.so" in line for line in folder.lines("maps"))


def exported(calls: Sequence[int], frames: MappingType[int, Frame]) -> Frame | None:
    """The innermost function among these places that the driver exports, by the names that `frames` has for them."""
    named = (frames[place] for place in calls if place in frames)
    return next((frame for frame in named if _EXPORTED.fullmatch(frame.name)), None)
