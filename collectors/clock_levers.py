"""Where are the governor and the highest clock of the node's cores set?"""

from collectors.levers import Lever, Place, Value

_FOLDER = "/sys/devices/system/cpu/cpu*/cpufreq"
_FILES = {Lever.CPU_GOVERNOR: "scaling_governor", Lever.CPU_CLOCK_LIMIT: "scaling_max_freq"}
_WHY = {
    Lever.CPU_GOVERNOR: "it holds until the next boot; `cpupower frequency-set --governor` writes the same file of each core",
    Lever.CPU_CLOCK_LIMIT: "in kHz, until the next boot; a limit of the firmware (bios_limit) or of package power still holds",
}


def clock_places(lever: Lever, value: Value) -> tuple[Place, ...]:
    """The file of each core, of the whole node: it takes root, and concerns whatever else runs there."""
    key = _FILES[lever]
    effective = True if lever is Lever.CPU_GOVERNOR else None
    because = _WHY[lever]
    return (
        Place(kind="sysfs", target=_FOLDER, key=key, value=value, effective=effective, because=because, restart=False),
    )  # fmt: skip
