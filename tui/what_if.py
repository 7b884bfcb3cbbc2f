"""What does a person suppose of a service, and what would be said of it then?

The advisor works it out from the agent's own answer; it is loaded when somebody asks.
"""

import msgspec

from advisor.migration.result import MigrationEstimate

Pairs = tuple[tuple[str, str], ...]


class Supposed(msgspec.Struct, frozen=True):
    """`devices`: names of those to look at beside the ones that are judged; `pairs`: KEY and VALUE of `migrate --what-if`."""

    devices: tuple[str, ...] = ()
    pairs: Pairs = ()

    def __bool__(self) -> bool:
        return bool(self.devices or self.pairs)

    @property
    def told(self) -> Pairs:
        """All of it, to be shown."""
        return (*((("device", ",".join(self.devices)),) if self.devices else ()), *self.pairs)


def problem_of(supposed: Supposed, one: MigrationEstimate) -> tuple[str, str] | None:
    """Which field is wrong, and why; None where all can be worked out."""
    from advisor.migration.what_if import UnknownDevice, change, device_named, stated_devices

    for name in supposed.devices:
        try:
            device_named(name, stated_devices(one))
        except UnknownDevice as error:
            return "device", f"{error}; {error.hint}"
    for key, text in supposed.pairs:
        try:
            change(key, text)
        except ValueError as error:
            return key, str(error)
    return None


def worked_out(supposed: Supposed, one: MigrationEstimate) -> MigrationEstimate:
    """Some 10 ms a device: not for the thread that draws. What is wrong with `supposed` was told before."""
    from advisor.migration.what_if import change, device_named, judged_devices, stated_devices, worked_out_again

    devices = {device.name: device for device in judged_devices(one)}
    for name in supposed.devices:
        device = device_named(name, stated_devices(one))
        devices.setdefault(device.name, device)
    return worked_out_again(one, tuple(devices.values()), [change(key, text) for key, text in supposed.pairs])
