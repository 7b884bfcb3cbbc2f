"""Devices and their prices as the configuration states them, beside those of the node."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.config import Config
from agent.config_sources import load_config
from agent.devices import USUAL, candidates, configured_devices, prices
from agent.errors import CliError
from tests.advisor.gpus_built import gpu

YEAR_HOURS = 8760


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
    config = load(tmp_path, '[devices."A10G"]\nhourly = 1\ncurrency = "EUR"')
    assert (configured_devices(config), dict(prices(config))) == ((), {})
    assert "A10G is not in the catalogue" in caplog.text


def test_devices_of_the_node_are_looked_at_with_what_is_free_on_the_emptiest():
    one, other = gpu(name="NVIDIA L40S"), gpu(name="NVIDIA L40S")
    full, empty = (
        replace(one, uuid="a", memory_free_bytes=1 << 30),
        replace(other, uuid="b", memory_free_bytes=40 << 30),
    )
    devices, here = candidates((), (full, empty))
    assert [device.name for device in devices] == ["L40S"]
    assert here["L40S"].uuid == "b"
    assert candidates((), (replace(full, mig=True),))[1] == {}


def test_without_any_the_usual_one_is_looked_at():
    devices, here = candidates((), ())
    assert ([device.name for device in devices], here) == ([USUAL], {})


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
