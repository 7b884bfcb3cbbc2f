"""What a GPU can do, derived from what its driver tells, is held against the catalogue and against cards that were recorded."""

from typing import Any

import pytest
from msgspec.structs import replace

from advisor.gpu.view import GpuView
from advisor.migration.derived import HELD_OF_HIGHEST, UNITS, derive
from advisor.migration.devices import GIB, Device, catalogue, named
from tests.advisor.gpus_built import gpu
from tests.advisor.gpus_replayed import replayed
from tests.nvml_smi import MIB, Node, capture, tree

OF_NVIDIA = [one for one in catalogue() if one.compute_capability is not None]
HALVED = {"A10G", "L40"}
"""Their tensor cores add up in 32 bits at half of what their units could do, unlike other cards of their kind: only the
catalogue knows it."""
PEAKS = {"fp32": 0.05, "tf32": 0.05, "fp16": 0.04, "bf16": 0.04, "fp8": 0.04, "int8": 0.04}
"""Of what is stated, how far the derived rate may be from it."""


def told(device: Device, **known: Any) -> GpuView:
    """As the driver would tell of a card of the catalogue: a clock that not every card holds."""
    assert device.units is not None
    assert device.clock_ghz is not None
    assert device.compute_capability is not None
    bits, clock = device.bus_bits, device.memory_mhz
    unit = UNITS[device.compute_capability]
    held = unit.held * (HELD_OF_HIGHEST if "RTX" in device.name else 1.0)
    fields = {
        "name": device.match[0],
        "compute_capability": device.compute_capability,
        "cuda_cores": device.units * unit.cores,
        "sm_clock_max_hertz": device.clock_ghz * 1e9 / held,
        "memory_bus_bits": bits,
        "memory_clock_max_hertz": None if clock is None else clock * 1e6,
        "memory_total_bytes": int(device.memory * GIB),
        "pcie_generation_max": device.pcie,
    }
    return gpu(**{**fields, **known})


def made(view: GpuView, parent: GpuView | None = None) -> Device:
    found = derive(view, parent)
    assert isinstance(found, Device), found
    return found


@pytest.mark.parametrize("device", OF_NVIDIA, ids=lambda one: one.name)
def test_it_agrees_with_every_card_of_the_catalogue(device: Device):
    found = made(told(device))
    assert found.bandwidth == pytest.approx(device.bandwidth, rel=0.01)
    assert found.memory == pytest.approx(device.memory, rel=0.001)
    assert (found.pcie, found.sparsity, found.derived) == (device.pcie, device.sparsity, True)
    factor = 2.0 if device.name in HALVED else 1.0
    for precision, near in PEAKS.items():
        rate = device.peak.get(precision)
        assert (rate is None) == (precision not in found.peak) or precision == "fp8", precision
        if rate is None:
            continue
        of_tensor_cores = 1.0 if precision == "fp32" else factor
        assert found.peak[precision] == pytest.approx(of_tensor_cores * rate, rel=near), precision


@pytest.mark.parametrize("card", ["h100", "h200"])
def test_it_agrees_with_recorded_cards(card: str):
    view = replayed(card, "idle")
    known = named(view.name)
    found = made(view)
    assert known is not None
    assert found.bandwidth == pytest.approx(known.bandwidth, rel=0.004), "two transfers a clock"
    assert found.memory == pytest.approx(known.memory, rel=0.003)
    assert found.peak["fp32"] == pytest.approx(known.peak["fp32"], rel=0.01)
    for precision in ("fp16", "bf16", "fp8", "int8", "tf32"):
        assert found.peak[precision] == pytest.approx(known.peak[precision], rel=0.01), precision
    assert (found.watts, found.pcie) == (700, 5)
    assert found.sources == (
        {
            "h100": "derived from NVML: 132 multiprocessors at 1980 MHz, a memory bus of 5120 bit at 2619 MHz",
            "h200": "derived from NVML: 132 multiprocessors at 1980 MHz, a memory bus of 6016 bit at 3201 MHz",
        }[card],
    )


def test_an_l40s_by_its_recorded_clocks():
    said = captured("l40s")
    known = named("L40S")
    clocks = {name: said.number("Max Clocks", name, times=1e6) for name in ("SM", "Memory")}
    found = made(
        gpu(
            name=said.text("Product Name"),
            compute_capability=8.9,
            cuda_cores=18176,
            sm_clock_max_hertz=clocks["SM"],
            memory_bus_bits=384,
            memory_clock_max_hertz=clocks["Memory"],
            memory_total_bytes=said.number("FB Memory Usage", "Total", times=MIB),
        )
    )
    assert known is not None
    assert found.bandwidth == pytest.approx(known.bandwidth, rel=0.001)
    assert found.peak["fp16"] == pytest.approx(known.peak["fp16"], rel=0.02)


def test_an_rtx_4090_does_not_hold_the_clock_that_is_told_of_it():
    known = named("RTX 4090")
    assert known is not None
    found = made(told(known, sm_clock_max_hertz=3105e6))
    assert found.peak["fp16"] == pytest.approx(known.peak["fp16"], rel=0.02)
    assert "80% of 3105 MHz" in found.sources[0]


def captured(card: str) -> Node:
    """What nvidia-smi said of the card under load."""
    return next(node for node in tree(capture(card, "load :: query")).below if node.key.startswith("GPU "))


def instances(card: str) -> tuple[GpuView, list[GpuView]]:
    """The GPU and its instances, with the clocks and the bus of the recorded whole card."""
    said, whole = captured(card), replayed(card.removesuffix("-mig"), "idle")
    total = said.number("FB Memory Usage", "Total", times=MIB)
    parent = replace(whole, uuid="GPU-9", mig=True, memory_total_bytes=total)
    found = []
    for node, profile in zip(said.all("MIG Device"), PROFILES[card], strict=True):
        shared = node.at("Device Attributes", "Shared")
        assert shared is not None
        found.append(
            replace(
                whole,
                uuid=f"MIG-{len(found)}",
                name=f"{whole.name} MIG {profile}",
                parent="gpu:GPU-9",
                cuda_cores=None,
                multiprocessors=shared.number("Multiprocessor count"),
                memory_total_bytes=node.number("Shared FB Memory Usage", "Total", times=MIB),
            )
        )
    return parent, found


PROFILES = {
    "h100-mig": ["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"],
    "h200-mig": ["1c.3g.71gb", "2c.3g.71gb", "2g.35gb", "1g.18gb", "1g.18gb"],
}
SHARES = {
    "h100-mig": [(60, 4 / 8), (32, 2 / 8), (16, 1 / 8), (16, 1 / 8)],
    "h200-mig": [(16, 4 / 8 / 3), (32, 4 / 8 * 2 / 3), (32, 2 / 8), (16, 1 / 8), (16, 1 / 8)],
}
"""Multiprocessors, and slices of the memory of eight; two that share theirs have it in the ratio of their compute slices."""


@pytest.mark.parametrize("card", ["h100-mig", "h200-mig"])
def test_an_instance_is_a_part_of_its_card(card: str):
    parent, found = instances(card)
    whole = made(replace(parent, mig=False))
    for view, (units, share) in zip(found, SHARES[card], strict=True):
        part = made(view, parent)
        assert part.peak["fp16"] == pytest.approx(whole.peak["fp16"] * units / 132)
        assert 0.9 * share <= part.bandwidth / whole.bandwidth <= share, "its memory is a little less than its slices"
        assert part.memory == pytest.approx((view.memory_total_bytes or 0) / GIB)
        assert part.watts is None
        assert part.name.startswith(view.name.removeprefix("NVIDIA "))


def test_an_instance_whose_card_is_not_listed_is_not_judged():
    _, (first, *_) = instances("h100-mig")
    assert derive(first) == "the driver does not tell its part of its GPU"


L40S = next(one for one in OF_NVIDIA if one.name == "L40S")


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"cuda_cores": None}, "the driver does not tell its multiprocessors"),
        (
            {"memory_bus_bits": None, "memory_clock_max_hertz": None},
            "the driver does not tell its memory bus, memory clock",
        ),
        ({"sm_clock_max_hertz": 0}, "the driver does not tell its highest clock"),
        ({"memory_total_bytes": None}, "the driver does not tell its memory"),
        ({"compute_capability": None}, "its compute capability is not known"),
        ({"compute_capability": 6.1}, "compute capability 6.1 is not known here"),
        ({"vendor": "amd"}, "it is not in the catalogue, and only GPUs of NVIDIA are derived from their units"),
        ({"name": "GRID L40S-8Q"}, "it is a virtual GPU: how much of the card it gets is not told"),
        ({"name": "NVIDIA L40S-8C"}, "it is a virtual GPU: how much of the card it gets is not told"),
        ({"name": "NVIDIA H20"}, "it is sold with fewer operations than its multiprocessors could do"),
        ({"name": "NVIDIA L20"}, "it is sold with fewer operations than its multiprocessors could do"),
        ({"name": "NVIDIA GeForce RTX 5090 D"}, "it is sold with fewer operations than its multiprocessors could do"),
        (
            {"name": "NVIDIA GeForce RTX 5090 D V2"},
            "it is sold with fewer operations than its multiprocessors could do",
        ),
        ({"name": "NVIDIA T1000", "compute_capability": 7.5}, "it is not known to have tensor cores"),
        ({"name": "NVIDIA GeForce GTX 1660", "compute_capability": 7.5}, "it is not known to have tensor cores"),
        ({"unified_memory": True}, "it shares the node's memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_derived_says_why(known: dict[str, Any], why: str):
    assert derive(told(L40S, **known)) == why


@pytest.mark.parametrize(
    ("generation", "width", "found"),
    [(4, 16, 4), (4, 8, 3), (5, 8, 4), (3, 4, 3), (6, 16, 5), (None, 16, None), (4, None, None), (4, 12, None)],
)
def test_a_narrower_link_counts_as_an_older_one(generation: int | None, width: int | None, found: int | None):
    assert made(told(L40S, pcie_generation_max=generation, pcie_width_max=width)).pcie == found
