"""Devices and their prices as the configuration states them, beside those of the node."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from advisor.migration.pricing import price_named, price_of
from agent.config import Config
from agent.config_sources import load_config
from agent.devices import USUAL, candidates, configured_devices, prices
from agent.errors import CliError
from tests.advisor.gpus_built import A5000, gpu

YEAR_HOURS = 8760
GIB = 1 << 30


def load(folder: Path, text: str) -> Config:
    file = folder / "given.toml"
    file.write_text(text)
    return load_config(file, environ={}, system_file=folder / "none.toml").config


def test_hourly_prices_and_those_of_a_purchase_with_power(tmp_path):
    found = prices(load(tmp_path, """
[prices]
currency = "EUR"
[devices.l4]
hourly = 0.7
as_of = 2026-11-01
[devices."H100"]
purchase_price = 26280
amortisation = "3y"
power_price_per_kwh = 0.30
currency = "USD"
"""))  # fmt: skip
    assert (found["L4"].currency, found["L4"].hourly, found["L4"].as_of) == ("EUR", 0.7, "2026-11-01")
    assert found["H100"].currency == "USD"
    assert found["H100"].hourly == pytest.approx(26280 / (3 * YEAR_HOURS) + 0.7 * 0.30), (
        "its 700 W are in the catalogue"
    )


def test_a_device_of_its_own_and_one_that_is_known_with_other_numbers(tmp_path):
    config = load(tmp_path, """
[devices.X1]
memory = 8
bandwidth = 100
fp16 = 10
[devices.L4]
memory = 12
""")  # fmt: skip
    devices = {device.name: device for device in configured_devices(config)}
    assert (devices["X1"].memory, devices["X1"].peak, devices["X1"].sources) == (
        8,
        {"fp16": 10},
        ("the configuration",),
    )
    assert (devices["L4"].memory, devices["L4"].peak["fp16"]) == (12, 121)


def test_what_is_said_of_all_devices_holds_for_each(tmp_path):
    found = prices(load(tmp_path, """
[devices]
currency = "EUR"
power_price_per_kwh = 0.30
[devices.T4]
purchase_price = 8760
amortisation = "1y"
[devices.L4]
hourly = 1
currency = "USD"
"""))  # fmt: skip
    assert found["T4"].hourly == pytest.approx(1.0 + 0.07 * 0.30)
    assert (found["T4"].currency, found["L4"].currency) == ("EUR", "USD")


def test_a_price_of_a_device_that_nobody_knows_is_no_fault(tmp_path, caplog):
    config = load(tmp_path, '[devices."NVIDIA A5000"]\nhourly = 1\ncurrency = "EUR"')
    assert configured_devices(config) == ()
    assert {name: price.hourly for name, price in prices(config).items()} == {"A5000": 1}, "the node may have one"
    assert "no device 'NVIDIA A5000' is known" in caplog.text


def test_a_name_that_may_be_several_says_which(tmp_path, caplog):
    assert configured_devices(load(tmp_path, '[devices.a100]\nhourly = 1\ncurrency = "EUR"')) == ()
    assert "device 'a100' may be A100 40GB or A100 80GB or A100 80GB PCIe" in caplog.text


def test_devices_of_the_node_are_looked_at_with_what_is_free_on_the_emptiest():
    one, other = (gpu(name="NVIDIA L40S", memory_total_bytes=45 * GIB) for _ in range(2))
    full, empty = (
        replace(one, uuid="a", memory_free_bytes=1 << 30),
        replace(other, uuid="b", memory_free_bytes=40 << 30),
    )
    found = candidates((), (full, empty))
    assert [device.name for device in found.devices] == ["L40S"]
    assert found.here["L40S"].uuid == "b"
    assert candidates((), (replace(full, mig=True),)).here == {}


def test_without_any_the_usual_one_is_looked_at():
    found = candidates((), ())
    assert ([device.name for device in found.devices], found.here, found.left_out) == ([USUAL], {}, ())


def test_one_that_the_catalogue_does_not_have_is_derived():
    found = candidates((), (A5000,))
    (device,) = found.devices
    assert (device.name, device.derived, round(device.bandwidth), round(device.peak["fp16"])) == (
        "RTX A5000",
        True,
        768,
        110,
    )
    assert found.here["RTX A5000"] is A5000


def test_one_of_a_known_name_with_other_memory_is_another_card():
    """As those that one customer had made."""
    made = replace(A5000, name="NVIDIA A100-SXM4-80GB", memory_total_bytes=64 * GIB, compute_capability=8.0)
    (device,) = candidates((), (made,)).devices
    assert (device.name, device.derived, device.memory) == ("A100-SXM4-80GB", True, 64)


def test_the_memory_tells_which_of_several_it_is_where_nothing_can_be_derived():
    old = gpu(name="NVIDIA A100", memory_total_bytes=int(39.4 * GIB))
    assert [device.name for device in candidates((), (old,)).devices] == ["A100 40GB"]


def test_one_that_cannot_be_judged_is_left_out_with_why():
    found = candidates((), (replace(A5000, cuda_cores=None), replace(A5000, uuid="b", cuda_cores=None)))
    assert [device.name for device in found.devices] == [USUAL]
    assert found.left_out == (
        "NVIDIA RTX A5000 in this node: not judged, the driver does not tell its multiprocessors",
    )


def test_an_instance_is_never_taken_for_its_whole_card():
    whole = gpu(
        name="NVIDIA H100 80GB HBM3", mig=True, compute_capability=9.0, memory_bus_bits=5120, memory_clock_max_hertz=2619e6
    )  # fmt: skip
    part = replace(
        whole, uuid="MIG-1", name="NVIDIA H100 80GB HBM3", mig=False, parent=f"gpu:{whole.uuid}", multiprocessors=16,
        memory_total_bytes=whole.memory_total_bytes // 8, memory_free_bytes=9 * GIB,
    )  # fmt: skip
    found = candidates((), (whole, part))
    (device,) = found.devices
    assert round(device.bandwidth) == 3352 // 8
    assert device.peak["fp16"] == pytest.approx(16 * 4096 * 1.83e9 / 1e12)
    assert candidates((), (part,)).left_out == (
        "NVIDIA H100 80GB HBM3 in this node: not judged, the driver does not tell its part of its GPU",
    )


def test_a_price_does_not_make_an_instance_its_whole_card(tmp_path):
    stated = configured_devices(load(tmp_path, '[devices.H100]\nhourly = 4\ncurrency = "EUR"'))
    whole = gpu(
        name="NVIDIA H100 80GB HBM3", mig=True, compute_capability=9.0, memory_bus_bits=5120, memory_clock_max_hertz=2619e6,
        memory_total_bytes=80 * GIB,
    )  # fmt: skip
    part = replace(
        whole, uuid="MIG-1", mig=False, parent=f"gpu:{whole.uuid}", multiprocessors=16, memory_total_bytes=10 * GIB
    )
    found = candidates(stated, (whole, part))
    assert list(found.here) == ["H100 80GB HBM3 MIG 10GB"]
    assert [(one.name, one.derived) for one in found.devices] == [("H100", False), ("H100 80GB HBM3 MIG 10GB", True)]
    price = prices(load(tmp_path, '[devices.H100]\nhourly = 4\ncurrency = "EUR"'))
    assert price_of(found.devices[1], part, price) is None
    said = configured_devices(load(tmp_path, "[devices.H100]\nwatts = 650"))
    assert list(candidates(said, (whole, part)).here) == ["H100 80GB HBM3 MIG 10GB"], "stated of the whole card"


@pytest.mark.parametrize("name", ["NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB"])
@pytest.mark.parametrize("said", ['hourly = 4\ncurrency = "EUR"', "watts = 300"])
def test_a_price_does_not_make_a_card_of_other_memory_the_catalogues(tmp_path, name, said):
    config = load(tmp_path, f'[devices."A100 80GB"]\n{said}')
    other = replace(A5000, name=name, memory_total_bytes=40 * GIB, compute_capability=8.0)
    found = candidates(configured_devices(config), (other,))
    ((here, _),) = found.here.items()
    device = next(one for one in found.devices if one.name == here)
    assert (device.derived, device.memory) == (True, 40)
    assert price_of(device, other, prices(config)) is None, "it is the price of another card"


@pytest.mark.parametrize("spelling", ["nvidia rtx a5000", "RTX-A5000", "NVIDIA RTX A5000"])
def test_a_price_is_found_in_any_spelling(tmp_path, spelling):
    stated = prices(load(tmp_path, f'[devices."{spelling}"]\nhourly = 0.5\ncurrency = "EUR"'))
    (device,) = candidates((), (A5000,)).devices
    for found in (price_of(device, A5000, stated), price_named("RTX A5000", stated)):
        assert found is not None
        assert found.hourly == 0.5


def test_what_the_owner_states_of_a_card_of_the_node_counts(tmp_path):
    config = load(tmp_path, '[devices."RTX A5000"]\nmemory = 20\nbandwidth = 700\nfp16 = 100')
    found = candidates(configured_devices(config), (A5000,))
    assert [(device.name, device.bandwidth, device.derived) for device in found.devices] == [("RTX A5000", 700, False)]
    assert found.here["RTX A5000"] is A5000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[devices.X1]\nmemory = 8", "devices.X1"),
        ("[devices.L4]\nmemory = inf", "devices.L4"),
        ("[devices.L4]\npcie = 7", "pcie is a generation, one of 3, 4, 5"),
        ("[devices.L4]\npower_watts = 'much'", "power_watts"),
        ("[devices.L4]\nhourly = 1\ncurrency = 'EUR'\nas_of = 3", "devices.L4.as_of is no day"),
        ("[devices.L4]\nhourly = 1", "devices.L4.currency: None is no currency"),
        ("[devices.L4]\nhourly = 1\ncurrency = 'euro'", "devices.L4.currency: 'euro' is no currency"),
        ("[devices.L4]\nhourly = 1\npurchase_price = 2\ncurrency = 'EUR'", "hourly is set as well"),
        ("[devices.L4]\npurchase_price = 2\ncurrency = 'EUR'", "purchase_price: it says nothing without that"),
        ("[devices.L4]\nspeed = 3", "devices.L4.speed: not known"),
        ("[devices.L4]\nmemory = 'much'", "devices.L4"),
        ("[devices.L4]\nfp16 = -3", "memory, bandwidth and peak are numbers above 0"),
        ("[devices]\nL4 = 3", "devices.L4 is not a table"),
        ("[devices.L4]\nhourly = {a = 1}", "devices.L4.hourly: a table, not a number"),
        (
            "[devices.L4]\nhourly = 1e13\ncurrency = 'EUR'",
            "devices.L4.hourly: 10000000000000.0 is not a number from 0 to",
        ),
        ("[devices.L4]\ncompute_capability = nan", "compute_capability is a number above 0"),
        ("[devices.L4]\ncompute_capability = -8.9", "compute_capability is a number above 0"),
        ("[devices.L4]\nhourly = 1e-10\ncurrency = 'EUR'", "devices.L4.hourly: 1e-10 is above 0 and below 1e-09"),
        ("[devices]\npower_price_per_kwh = 1e-320", "is above 0 and below 1e-09"),
        (
            "[devices.L4]\npurchase_price = 1e-8\namortisation = '100y'\ncurrency = 'EUR'",
            "devices.L4.purchase_price: it comes to 1.14e-14 an hour",
        ),
        (
            "[devices.L4]\npurchase_price = 1e12\namortisation = '1us'\ncurrency = 'EUR'",
            "purchase_price: it comes to 3.6e",
        ),
        pytest.param(f"[devices.L4]\nmemory = {'9' * 400}", "devices.L4: ", id="digits"),
        pytest.param(f"[devices.L4]\nmemory = {'9' * 5000}", "not valid TOML", id="more-digits"),
    ],
)
def test_what_does_not_add_up_is_one_clear_line(tmp_path, text, says):
    with pytest.raises(CliError, match=says) as raised:
        load(tmp_path, text)
    assert raised.value.exit_status == 2
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 900


def test_a_price_file_states_devices_too(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text('[prices]\ncurrency = "EUR"\nhourly = 0.8\n[devices.T4]\nhourly = 0.5\n')
    loaded = load_config(None, environ={}, system_file=tmp_path / "none.toml", flags={"prices.file": str(file)})
    assert prices(loaded.config)["T4"].hourly == 0.5
    assert loaded.config.prices.hourly == 0.8


def test_of_what_its_owner_states_nothing_was_measured(tmp_path):
    (priced,) = configured_devices(load(tmp_path, '[devices.H100]\nhourly = 4\ncurrency = "EUR"'))
    (stated,) = configured_devices(load(tmp_path, "[devices.H100]\nbandwidth = 5000"))
    assert priced.measured is not None
    assert (stated.stated, stated.measured) == (True, None)
