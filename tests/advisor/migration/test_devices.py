"""The catalogue of accelerators is held against what follows from units, clocks and buses."""

import pytest

from advisor.migration.devices import BadDevices, Device, catalogue, named, read_devices

SPECIAL = {"T4": 203, "L4": 403, "A10": 208, "L40S": 419, "A100 40GB": 201, "A100 80GB": 153, "H100": 295, "H200": 206,
           "RTX 4090": 164}  # fmt: skip
"""16-bit operations for each byte of memory at which computing and reading take as long."""
WRONG_ELSEWHERE = {"L4": ("bandwidth", 3350), "H100": ("fp16", 1979), "A100 40GB": ("fp16", 213)}
"""Of tables that go around."""


@pytest.mark.parametrize("device", catalogue(), ids=lambda device: device.name)
def test_what_is_stated_follows_from_units_and_buses(device: Device):
    peak = device.operations("fp16") or device.operations("bf16")
    assert peak is not None
    assert device.sources
    if device.kind == "gpu":
        assert device.derived_fp16 == pytest.approx(peak, rel=0.04)
        assert device.watts is not None
        assert device.compute_capability is not None
    if device.derived_bandwidth is not None:
        assert device.derived_bandwidth == pytest.approx(device.bandwidth_bytes, rel=0.04)
    for lower, factor in (("fp8", 2), ("int8", 2)):
        rate = device.operations(lower)
        if rate is not None and device.name != "RTX 4090":
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
     ("inf2", "Inferentia2"), ("GTX 970", None)],
)  # fmt: skip
def test_spellings(name: str, found: str | None):
    device = named(name)
    assert (device.name if device else None) == found


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
