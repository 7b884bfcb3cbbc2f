"""The catalogue of accelerators is held against what follows from units, clocks and buses."""

import pytest

from advisor.migration.devices import GIB, BadDevices, Device, alike, catalogue, named, of_memory, read_devices

SPECIAL = {"T4": 203, "L4": 403, "A10": 208, "L40S": 419, "A100 40GB": 201, "A100 80GB": 153, "H100": 295, "H200": 206,
           "RTX 4090": 164}  # fmt: skip
"""16-bit operations for each byte of memory at which computing and reading take as long."""
OTHER_FACTORS = {
    ("RTX 3090", "int8"): 4, ("RTX 4090", "int8"): 4, ("RTX 5090", "int8"): 4,
    ("MI210", "int8"): 1, ("MI250", "int8"): 1, ("MI250X", "int8"): 1, ("Trainium1", "fp8"): 1,
}  # fmt: skip
"""Of the rate of 16 bits, where it is not twice as much. GeForce cards add floating-point numbers up at half of their rate."""
WRONG_ELSEWHERE = {"L4": ("bandwidth", 3350), "H100": ("fp16", 1979), "A100 40GB": ("fp16", 213),
                   "A10G": ("fp16", 62.5), "MI300X": ("fp16", 2615), "RTX 5090": ("fp16", 838)}  # fmt: skip
"""Of tables that go around."""


@pytest.mark.parametrize("device", catalogue(), ids=lambda device: device.name)
def test_what_is_stated_follows_from_units_and_buses(device: Device):
    peak = device.operations("fp16") or device.operations("bf16")
    assert peak is not None
    assert device.sources
    if device.kind == "gpu":
        assert device.derived_fp16 == pytest.approx(peak, rel=0.04)
        assert device.watts is not None or device.name == "GH200 96GB", "of the whole module only"
        assert device.compute_capability is not None or device.name.startswith("MI")
    if device.derived_bandwidth is not None:
        assert device.derived_bandwidth == pytest.approx(device.bandwidth_bytes, rel=0.04)
    for lower, factor in (("fp8", 2), ("int8", 2)):
        rate = device.operations(lower)
        if rate is not None:
            factor = OTHER_FACTORS.get((device.name, lower), factor)
            assert rate == pytest.approx(factor * peak, rel=0.03), "dense, not with 2:4 sparsity"


def test_ridges_and_tables_that_are_wrong_elsewhere():
    for name, ridge in SPECIAL.items():
        device = named(name)
        assert device is not None
        assert (device.operations("fp16") or 0) / device.bandwidth_bytes == pytest.approx(ridge, rel=0.01)
    for name, (what, value) in WRONG_ELSEWHERE.items():
        device = named(name)
        assert device is not None
        assert (device.bandwidth if what == "bandwidth" else device.peak["fp16"]) != value


def test_what_older_devices_do_not_compute():
    capabilities = {device.name: device for device in catalogue()}
    assert capabilities["T4"].operations("bf16") is None
    assert capabilities["A100 80GB"].operations("fp8") is None
    assert capabilities["L4"].operations("fp8") is not None
    assert not capabilities["V100 16GB"].sparsity


@pytest.mark.parametrize(
    ("name", "found"),
    [("l4", "L4"), ("NVIDIA L4", "L4"), ("Tesla T4", "T4"), ("NVIDIA H100 80GB HBM3", "H100"), ("a100-80gb", "A100 80GB"),
     ("inf2", "Inferentia2"), ("GTX 970", None), ("a10", "A10"), ("A10G", "A10G"), ("NVIDIA A100 80GB PCIe", "A100 80GB PCIe"),
     ("geforce rtx 3090", "RTX 3090"), ("AMD Instinct MI250X", "MI250X"), ("a100", None), ("v100", None)],
)  # fmt: skip
def test_spellings(name: str, found: str | None):
    device = named(name)
    assert (device.name if device else None) == found


@pytest.mark.parametrize(
    ("name", "memory", "found"),
    [("a100", 40, "A100 40GB"), ("NVIDIA A100", 39.4, "A100 40GB"), ("v100", 31.7, "V100 32GB"), ("A100", 80, None),
     ("A100", 64, None), ("H200", None, None), ("", 40, None)],
    ids=str,
)  # fmt: skip
def test_the_memory_tells_cards_of_one_name_apart(name: str, memory: float | None, found: str | None):
    device = of_memory(name, None if memory is None else int(memory * GIB))
    assert (device.name if device else None) == found, "of 80 GB there are two"


def test_the_beginning_of_a_name_may_mean_several():
    assert [one.name for one in alike("a100")] == ["A100 40GB", "A100 80GB", "A100 80GB PCIe"]
    assert alike("--") == ()


def test_no_two_devices_have_a_name_in_common():
    names = [name for one in catalogue() for name in {one.name, *one.match}]
    assert [one.name for name in names if (one := named(name)) is not None] == [
        one.name for one in catalogue() for _ in {one.name, *one.match}
    ]


GOOD = """
[[device]]
name = "X1"
kind = "gpu"
memory = 8
bandwidth = 100
peak = { fp16 = 10 }
sources = ["ours"]
"""


def test_an_owner_states_other_devices():
    (device,) = read_devices(GOOD)
    assert (device.memory_bytes, device.operations("fp16"), device.operations("int8")) == (8 << 30, 1e13, None)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("memory = 8", "memory = -8", "above 0"),
        ("memory = 8", "memory = inf", "above 0"),
        ("memory = 8", "memory = nan", "above 0"),
        ("memory = 8", "memory = 'x'", "memory"),
        ("fp16 = 10", "fp17 = 10", "fp17"),
        ("fp16 = 10", "", "above 0"),
        ("kind = \"gpu\"", "kind = \"abacus\"", "abacus"),
        ("sources", "source", "source"),
        ("[[device]]", "[[device]", "line 2"),
        ("memory = 8", "memory = " + "[" * 4000, "nest|recursion"),
    ],
    ids=str.split("negative infinite no-number text precision empty kind key syntax nested"),
)  # fmt: skip
def test_a_file_that_is_not_of_the_form_is_refused_with_where(old: str, new: str, says: str):
    with pytest.raises(BadDevices, match=says):
        read_devices(GOOD.replace(old, new))
