"""What would be said of moving a service under other circumstances: on other devices, at another load, with other limits?"""

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from advisor.migration.another_load import at_load
from advisor.migration.devices import Device, named, unknown
from advisor.migration.estimate import Market, on_devices
from advisor.migration.money import DevicePrice
from advisor.migration.result import MigrationEstimate, Situation
from advisor.migration.served_in import PRECISIONS, served_in
from advisor.migration.simulate import MOST_IN_BATCH
from advisor.migration.spread import Spread
from collectors.units import parse_duration

Change = Callable[[Situation], Situation]
_MOST = 1e12


class UnknownDevice(LookupError):  # noqa: N818 - a state of a question
    """No device of that name is known; the text says which may be meant. `hint`: what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def worked_out_again(
    one: MigrationEstimate,
    devices: Sequence[Device],
    changes: Sequence[Change] = (),
    prices: Mapping[str, DevicePrice] | None = None,
) -> MigrationEstimate:
    """Of what was seen as `one` tells it, with `changes` made to it in their order. `prices`: None = those that it has. What is
    said of these CPUs stays."""
    now = one.situation
    if now is None:
        return one
    for change in changes:
        now = change(now)
    free = {d.device: round(d.fit.free) for d in one.devices if d.present}
    costs = one.prices if prices is None else prices
    again = on_devices(now, Market(devices=tuple(devices), free=free, prices=costs, left_out=one.left_out))
    return replace(again, service=one.service, here=one.here)


def judged_devices(one: MigrationEstimate, own: Sequence[Device] = ()) -> tuple[Device, ...]:
    """Those that it tells of. `own`: what the caller states wins."""
    said = stated_devices(one, own)
    return tuple(device for d in one.devices if (device := _of_name(d.device, said)) is not None)


def stated_devices(one: MigrationEstimate, own: Sequence[Device] = ()) -> tuple[Device, ...]:
    """Beside the catalogue's: those of the caller, of the agent's owner, and of the node."""
    return (*own, *one.stated, *one.derived)


def device_named(name: str, said: Sequence[Device] = ()) -> Device:
    """The first of `said` that has the name, else the catalogue's. Raises UnknownDevice."""
    device = _of_name(name, said)
    if device is None:
        raise UnknownDevice(*unknown(name))
    return device


def change(key: str, text: str) -> Change:
    """What `KEY=TEXT` supposes. Raises KeyError where there is no such key, ValueError with one clause where the text is no
    such number."""
    return _CHANGES[key](text)


def _of_name(name: str, said: Sequence[Device]) -> Device | None:
    return named(name, said) or named(name)


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < _MOST:
        raise ValueError(f"{text} is not above 0")
    return value


def _load(text: str) -> Change:
    rate = _above_zero(text)
    return lambda now: at_load(now, rate)


def _slo(text: str) -> Change:
    seconds = parse_duration(text)
    if not 0 < seconds < _MOST:
        raise ValueError(f"{text} is not above 0")
    return lambda now: replace(now, slo_p99_seconds=seconds)


def _cores(text: str) -> Change:
    cores = _above_zero(text)
    return lambda now: replace(now, cores=cores, configured_per_second=None)


def _part(text: str) -> Change:
    value = _above_zero(text)
    if value > 1:
        raise ValueError(f"{text} is above 1")

    def changed(now: Situation) -> Situation:
        part = replace(now.work.part, share=Spread.exactly(value))
        return replace(now, work=replace(now.work, part=part))

    return changed


def _batch(text: str) -> Change:
    value = int(text)
    if not 0 < value <= MOST_IN_BATCH:
        raise ValueError(f"{text} is not from 1 to {MOST_IN_BATCH}")
    return lambda now: replace(now, batch=value)


def _precision(text: str) -> Change:
    wanted = next((one for one in PRECISIONS if one == text.lower()), None)
    if wanted is None:
        raise ValueError(f"{text} is none of {', '.join(PRECISIONS)}")
    return lambda now: replace(now, work=served_in(now.work, wanted, now.precision), precision=wanted)


_CHANGES: Mapping[str, Callable[[str], Change]] = {
    "load": _load,
    "slo": _slo,
    "cores": _cores,
    "part": _part,
    "batch": _batch,
    "precision": _precision,
}
KEYS: tuple[str, ...] = tuple(_CHANGES)
