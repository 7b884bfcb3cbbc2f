"""How does a person ask what moving work would bring, on other devices, at other prices, or under other circumstances?"""

from collections.abc import Iterator, Sequence

import msgspec

from advisor.migration.alternatives import Alternative
from advisor.migration.devices import Device
from advisor.migration.pricing import prices_over
from advisor.migration.result import DeviceEstimate, MigrationEstimate, TokenCosts
from advisor.migration.split import Split
from advisor.migration.spread import Percentiles
from advisor.migration.under_load import AtLoad
from advisor.migration.what_if import (
    KEYS,
    Change,
    UnknownDevice,
    change,
    device_named,
    judged_devices,
    stated_devices,
    worked_out_again,
)
from advisor.profiling.frames import printable
from agent.client import Client
from agent.config import Config
from agent.devices import configured_devices, prices
from agent.errors import CliError
from agent.prices import node_price

WORTH_TELLING = 100.0
"""A ceiling above it says no more than that nearly all of the work could move."""


def migrate(
    client: Client, config: Config, service: str | None, devices: Sequence[str], what_if: Sequence[str], *, priced: bool
) -> tuple[MigrationEstimate, ...]:
    """What the agent says, or worked out anew from what it has seen: on other `devices`, at the prices of `config` where it is
    `priced`, under other circumstances. Raises CliError."""
    found: tuple[MigrationEstimate, ...] = client.get("/v1/migration", tuple[MigrationEstimate, ...])
    if service is not None:
        names = [one.service for one in found]
        found = tuple(one for one in found if one.service == service or one.service.startswith(service))
        if not found:
            known = ", ".join(names) or "none is on CPUs"
            raise CliError("service.unknown", f"nothing is known of a service {service!r}", f"services: {known}")
    if not (devices or priced or what_if):
        return found
    own = tuple(device for device in configured_devices(config) if device.stated)
    said = tuple(device for one in found for device in stated_devices(one))
    wanted = _wanted(devices, (*own, *said))
    changes = [_change(text) for text in what_if]
    return tuple(_again(one, wanted, own, config, priced, changes) for one in found)


def _again(
    one: MigrationEstimate, wanted: tuple[Device, ...], own: tuple[Device, ...], config: Config, priced: bool,
    changes: Sequence[Change],
) -> MigrationEstimate:  # fmt: skip
    price = node_price(config.prices) if priced else None
    if price is not None:
        changes = (lambda now: msgspec.structs.replace(now, price=price), *changes)
    if wanted:
        one = msgspec.structs.replace(one, left_out=())
    devices = wanted or judged_devices(one, own)
    return worked_out_again(one, devices, changes, prices_over(prices(config), one.prices))


def _wanted(names: Sequence[str], said: Sequence[Device]) -> tuple[Device, ...]:
    try:
        return tuple(device_named(name, said) for name in names)
    except UnknownDevice as error:
        raise CliError("device.unknown", str(error), error.hint) from error


def _change(text: str) -> Change:
    key, equals, value = text.partition("=")
    if key not in KEYS or not equals:
        raise CliError("what-if.unknown", f"--what-if {text}: not known", f"one of: {', '.join(KEYS)}, as KEY=VALUE")
    try:
        return change(key, value)
    except ValueError as error:
        raise CliError(
            "what-if.invalid",
            f"--what-if {text}: {error}",
            "a number above 0, a time such as 100ms, or a type such as int8",
        ) from error


def text(found: Sequence[MigrationEstimate]) -> str:
    if not found:
        return "no service on CPUs was found (see: nodewright doctor)"
    return "\n".join(_kept_in(line) for one in found for line in _service(one))


def _kept_in(line: str) -> str:
    """With its indent, and nothing in it that a terminal would obey: names of services and models are anyone's."""
    return line[: len(line) - len(line.lstrip(" "))] + printable(line)


def _service(one: MigrationEstimate) -> Iterator[str]:
    now = one.situation
    if now is None:
        yield f"{one.service}: cannot tell, needs {one.needs.text if one.needs else 'more load'}"
        return
    part = now.work.part.share
    yield (
        f"{one.service}: {now.work.per_second:.3g} requests a second, {now.work.cpu_seconds * 1e3:.3g} ms of CPU time each, "
        f"of which {part.low:.0%} to {part.high:.0%} could move"
    )
    for way in one.here:
        told = "a worker answers so many times as much" if way.kind == "threads" else "throughput for the same CPU time"
        yield f"  on these CPUs {way.what}: {told} {_ratio(way.throughput)}"
    for device in one.devices:
        yield from _device(device)
    yield from (f"  {why}" for why in one.left_out)
    for text_ in one.assumes:
        yield f"  assumed: {text_}"


def _device(one: DeviceEstimate) -> Iterator[str]:
    where = "in this node" if one.present else "not in this node"
    yield f"  {one.device} ({where}, grade {one.grade}; {one.note}): {one.verdict}"
    yield from (f"    because {reason}" for reason in one.reasons)
    yield from (f"    it would change with {flip}" for flip in one.flips)
    yield f"    memory: {one.fit.verdict}, {one.fit.need / 1e9:.2f} GB of {one.fit.free / 1e9:.1f} GB"
    if one.split is not None:
        yield f"    {_split(one.split)}"
    if one.alternatives:
        yield f"    in fewer bits: {'; '.join(_form(form) for form in one.alternatives)}"
    seen = one.simulated
    if seen is not None:
        yield f"    throughput {_ratio(seen.throughput)} against these CPUs set right, {_ratio(seen.as_configured)} as they are"
        best = f", ×{1 / one.ceiling:.2f} at best (what stays on the host)" if one.ceiling < WORTH_TELLING else ""
        yield f"    latency {_ratio(seen.latency)} without a queue{best}"
        if seen.at_load is not None:
            yield f"    {_at_load(seen.at_load)}"
        terms = ", ".join(f"{term} {share:.0%}" for term, share in seen.terms.items())
        yield f"    in batches of {seen.batch} at most; what binds: {terms}"
    if one.costs is not None:
        costs = one.costs
        yield f"    cost of 1000 requests: {costs.at_load:.3g} {costs.currency} now, {_ratio(costs.ratio)} moved, at this load"
        yield from _tokens("generated tokens", costs.generated_tokens, costs.currency)
        yield from _tokens("tokens, prompts included", costs.all_tokens, costs.currency)
        even = costs.break_even_per_second
        pays = (
            "at no load"
            if even is None
            else f"from {even.p50:.3g} ({even.p10:.3g} to {even.p90:.3g}) requests a second on"
        )
        yield f"    it pays {pays}"


def _at_load(one: AtLoad) -> str:
    """As things are where nothing else is supposed."""
    nodes = f" on {_range(one.nodes)} of them" if one.nodes.p90 > 1 else ""
    return (
        f"at {one.per_second:.3g} requests a second{nodes}: {_range(one.seconds, 1e3)} ms a request with its waits (alone "
        f"{_range(one.alone_seconds, 1e3)} ms), 99 of 100 within {_range(one.p99_seconds, 1e3)} ms, {_range(one.batch)} "
        f"computed together, {one.busy.p10:.0%} to {one.busy.p90:.0%} of what it can do"
    )


def _tokens(which: str, one: TokenCosts | None, currency: str) -> Iterator[str]:
    """Nothing where they are not counted."""
    if one is not None:
        here = f"{one.at_load:.3g} {currency} now, {_range(one.at_load_moved)} moved, at this load"
        most = f"{one.at_capacity:.3g} and {_range(one.at_capacity_moved)} at capacity"
        yield f"    cost of 1 million {which}: {here}; {most}"


def _range(found: Percentiles, times: float = 1.0) -> str:
    low, high = (f"{end * times:.3g}" for end in (found.p10, found.p90))
    return low if low == high else f"{low} to {high}"


def _split(one: Split) -> str:
    """As llama.cpp counts: the output layer is one more of those that are asked for."""
    rate = one.tokens_per_second
    return (
        f"with {one.on_device} of {one.layers} layers and the output layer on it (-ngl {one.on_device + 1} of llama.cpp): "
        f"{rate.p10:.3g} – {rate.p90:.3g} tokens a second of one sequence, {_ratio(one.against_host)} against none"
    )


def _form(one: Alternative) -> str:
    """`int8 9.9 GB tight (these CPUs too)`."""
    verdict = one.verdict if one.layers is None else f"split, {one.layers} layers"
    hardware = "emulated" if not one.device else "these CPUs too" if one.host else ""
    return f"{one.form} {one.need / 1e9:.1f} GB {verdict}" + (f" ({hardware})" if hardware else "")


def _ratio(found: Percentiles) -> str:
    return f"×{found.p10:.2f} – ×{found.p90:.2f}, likely ×{found.p50:.2f}"
