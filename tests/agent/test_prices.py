"""What the owner says that the node costs: read from the configuration or a file of its own, checked as a whole."""

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.migration.devices import named
from advisor.migration.estimate import Market, estimate, on_devices
from advisor.migration.result import MigrationEstimate
from advisor.prices import NodePrice
from agent.config import LEAST_MONEY, MOST_MONEY, Config, LoadedConfig
from agent.config_report import json_schema, shown_settings
from agent.config_sources import load_config
from agent.devices import configured_devices, prices
from agent.errors import CliError
from agent.prices import node_price, price_without_device
from tests.advisor.migration.migrating import encoder, known, market

L4 = named("L4")
SITUATION = estimate(encoder(), known(encoder()), market(encoder())).situation
EUR = 'currency = "EUR"'


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> LoadedConfig:
    file = folder / "given.toml"
    file.write_text(f"[prices]\n{text}\n")
    return load_config(file, environ=environ or {}, system_file=folder / "none.toml")


def problem(folder: Path, text: str) -> CliError:
    with pytest.raises(CliError) as raised:
        load(folder, text)
    assert raised.value.exit_status == 2
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 900, "one clear line"
    return raised.value


def test_an_hourly_price_is_taken_as_it_is(tmp_path):
    price = node_price(load(tmp_path, f"{EUR}\nas_of = 2026-11-01\nhourly = 0.12").config.prices)
    assert price is not None
    assert (price.currency, price.hourly, price.as_of) == ("EUR", 0.12, "2026-11-01")


def test_a_bought_node_costs_its_share_of_the_purchase_and_its_energy(tmp_path):
    text = f'{EUR}\npurchase_price = 26280\namortisation = "3y"\npower_watts = 500\npower_price_per_kwh = 0.30'
    price = node_price(load(tmp_path, text).config.prices)
    assert price is not None
    assert price.hourly == pytest.approx(26280 / (3 * 8760) + 0.5 * 0.30)
    without_power = node_price(load(tmp_path, f'{EUR}\npurchase_price = 26280\namortisation = "3y"').config.prices)
    assert without_power is not None
    assert without_power.hourly == pytest.approx(1.0)


def test_a_node_without_its_device_has_a_price_of_its_own(tmp_path):
    found = load(tmp_path, f"{EUR}\nas_of = 2026-11-01\nhourly = 1.6\nhourly_without_device = 0.8").config.prices
    assert price_without_device(found) == NodePrice(currency="EUR", hourly=0.8, as_of="2026-11-01")
    assert price_without_device(load(tmp_path, f"{EUR}\nhourly = 1.6").config.prices) is None
    bought = f'{EUR}\npurchase_price = 26280\namortisation = "3y"\nhourly_without_device = 1.0'
    assert price_without_device(load(tmp_path, bought).config.prices) == NodePrice(currency="EUR", hourly=1.0)
    alone = load(tmp_path, f"{EUR}\nhourly_without_device = 0.8").config.prices
    assert (node_price(alone), price_without_device(alone)) == (None, NodePrice(currency="EUR", hourly=0.8))


def test_nothing_stated_is_no_price_and_nothing_that_costs_nothing(tmp_path):
    assert node_price(load(tmp_path, EUR).config.prices) is None
    free = node_price(load(tmp_path, f"{EUR}\nhourly = 0").config.prices)
    assert free is not None
    assert free.hourly == 0


def test_a_price_file_lies_below_the_configuration_and_the_environment(tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text('[prices]\ncurrency = "USD"\nhourly = 2.0\nas_of = "2026-10-01"')
    loaded = load(tmp_path, f'file = "{prices}"\n{EUR}', {"NODEWRIGHT_PRICES_HOURLY": "3.5"})
    shown = {row["key"]: (row["value"], row["origin"]) for row in shown_settings(loaded)}
    assert shown["prices.currency"] == ("EUR", f"file {tmp_path / 'given.toml'}")
    assert shown["prices.hourly"] == (3.5, "environment NODEWRIGHT_PRICES_HOURLY")
    assert shown["prices.as_of"] == ("2026-10-01", f"file {prices}")
    assert loaded.files == (tmp_path / "given.toml", prices)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hourly = 0.12", "prices.hourly: it says nothing without currency"),
        (f'{EUR}\nhourly = 1\npurchase_price = 2\namortisation = "3y"', "prices.purchase_price: hourly is set as well"),
        (f"{EUR}\npurchase_price = 2500", "prices.purchase_price: it says nothing without amortisation"),
        (f'{EUR}\namortisation = "3y"', "prices.amortisation: it says nothing without purchase_price"),
        (f"{EUR}\nhourly = 1\npower_watts = 300", "prices.power_watts: it says nothing without power_price_per_kwh"),
        (
            f"{EUR}\nhourly = 1\npower_watts = 300\npower_price_per_kwh = 0.3",
            "prices.power_watts: it says nothing without purchase_price",
        ),
        ('currency = "euro"\nhourly = 1', "prices.currency: 'euro' is not three capital letters"),
        (f"{EUR}\nhourly = -1", "prices.hourly: -1 is too small"),
        (f"{EUR}\nhourly = '0.12'", "prices.hourly: '0.12' is not a number"),
        ("hourly_without_device = 0.5", "prices.hourly_without_device: it says nothing without currency"),
        (f"{EUR}\nhourly_without_device = -1", "prices.hourly_without_device: -1 is too small"),
        (f"{EUR}\nhourly_without_device = 'x'", "prices.hourly_without_device: 'x' is not a number"),
        (f"{EUR}\nhourly_without_device = 1e-10", "prices.hourly_without_device: 1e-10 is above 0 and below 1e-09"),
        (
            f"{EUR}\nhourly = 0.8\nhourly_without_device = 0.9",
            "prices.hourly_without_device: 0.9 is more than the 0.8 an hour of this node with its device",
        ),
        (
            f'{EUR}\npurchase_price = 26280\namortisation = "3y"\nhourly_without_device = 1.01',
            "prices.hourly_without_device: 1.01 is more than the 1 an hour",
        ),
        (f"{EUR}\nhourly = 1e-10", "prices.hourly: 1e-10 is above 0 and below 1e-09"),
        (f"{EUR}\nhourly = 5e-324", "prices.hourly: 5e-324 is above 0 and below 1e-09"),
        (
            f'{EUR}\npurchase_price = 1e-8\namortisation = "100y"',
            "prices.purchase_price: it comes to 1.14e-14 an hour, not to 1e-09 to 1e+12",
        ),
        (f"{EUR}\nhourly = 1e13", "prices.hourly: 10000000000000.0 is too large"),
        pytest.param(f"{EUR}\nhourly = {'9' * 400}", "prices.hourly: a number of so many digits", id="digits"),
        pytest.param(f"{EUR}\namortisation = {'9' * 4000}", "prices.amortisation: 9999", id="digits-of-a-time"),
        (f"{EUR}\nas_of = 'soon'\nhourly = 1", "prices.as_of: 'soon' is not a date such as 2026-11-01"),
        (f"{EUR}\nas_of = 2026-11-01T10:00:00\nhourly = 1", "is not a date such as 2026-11-01"),
        (f'{EUR}\npurchase_price = 1\namortisation = "3"', "'3' has no unit"),
        ('file = "prices.toml"', "depends on the folder in which the agent is started"),
    ],
)
def test_prices_that_do_not_add_up_are_one_line_with_source_and_key(tmp_path, text, said):
    error = problem(tmp_path, text)
    assert error.key == "config.bad-value"
    assert said in error.message
    assert error.hint


def test_an_unknown_key_names_the_nearest(tmp_path):
    error = problem(tmp_path, f"{EUR}\nhourley = 1")
    assert (error.key, error.hint) == ("config.unknown-key", "did you mean prices.hourly?")


@pytest.mark.parametrize(
    ("content", "key", "said"),
    [
        ("[prices]\nhourly = 'x'", "config.bad-value", "'x' is not a number"),
        ("[agent]\nnode = 'x'", "config.unknown-key", "unknown key agent"),
        ("[prices]\nfile = '/x.toml'", "config.bad-value", "names a further file"),
        ("prices = 3", "config.bad-value", "prices is not a table"),
        ("[prices", "config.broken", "not valid TOML"),
        pytest.param(f"[prices]\nhourly = {'9' * 5000}", "config.broken", "not valid TOML", id="digits"),
        (None, "config.missing", "No such file"),
    ],
)
def test_a_bad_price_file_is_one_line_that_names_it(tmp_path, content, key, said):
    prices = tmp_path / "prices.toml"
    if content is not None:
        prices.write_text(content)
    error = problem(tmp_path, f'file = "{prices}"')
    assert error.key == key
    assert str(prices) in error.message
    assert said in error.message


WILD = ("1", "0", "-1", "nan", "inf", '"x"', '""', "true", "[]", "{a = 1}", "9" * 400, "9" * 5000, "2026-11-01", '"3y"', '"0y"',
        '"EUR"', '"\\u001b[2J"', "1e308", "1e-9", "1e-10", "5e-324", "0.5", '"1us"', '"100y"')  # fmt: skip
PRICES = (
    "file",
    "currency",
    "as_of",
    "hourly",
    "hourly_without_device",
    "purchase_price",
    "amortisation",
    "power_watts",
    "power_price_per_kwh",
)
DEVICE = (*PRICES[1:], "memory", "bandwidth", "fp16", "int8", "pcie", "kind", "watts", "compute_capability", "other")
WHERE = st.sampled_from(
    ("[prices]", "[devices]", "[devices.L4]", "[devices.X1]", '[devices."\\u001b[2J"]', "[x", "y = 3")
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tables=st.dictionaries(
        WHERE, st.dictionaries(st.sampled_from(DEVICE), st.sampled_from(WILD), max_size=5), max_size=3
    ),
    cut=st.none() | st.integers(0, 200),
)
def test_whatever_a_price_file_says_it_is_taken_or_refused_in_one_line(tmp_path, tables, cut):
    said = "\n".join(
        "\n".join((head, *(f"{key} = {value}" for key, value in own.items()))) for head, own in tables.items()
    )
    file = tmp_path / "prices.toml"
    file.write_text(said[:cut])
    taken = outcome(file)
    if isinstance(taken, CliError):
        assert taken.exit_status == 2
        assert str(taken).isprintable()
        assert len(str(taken)) < 900
    else:
        found = [*prices(taken.config).values(), *filter(None, [node_price(taken.config.prices)])]
        assert all(one.hourly == 0 or LEAST_MONEY <= one.hourly <= MOST_MONEY for one in found)
        assert all(isfinite(number) for number in numbers(costed(taken.config)))


def costed(config: Config) -> object:
    """The document of an encoder on a node with these prices, for each device that is known of."""
    priced = prices(config)
    devices = {one.name: one for one in (*configured_devices(config), L4) if one.name in priced or one is L4}
    now = msgspec.structs.replace(SITUATION, price=node_price(config.prices))
    return msgspec.to_builtins(on_devices(now, Market(devices=tuple(devices.values()), prices=priced)))


def numbers(document: object) -> Iterator[float]:
    if isinstance(document, Mapping):
        document = [*document.values()]
    if isinstance(document, list | tuple):
        for part in document:
            yield from numbers(part)
    elif isinstance(document, float):
        yield document


@pytest.mark.parametrize("node", ["1e-9", "1e12", "0"])
@pytest.mark.parametrize("device", ["1e-9", "1e12", "0"])
def test_the_least_and_the_most_prices_make_ratios_that_are_numbers(tmp_path, node, device):
    text = f"hourly = {node}\n{EUR}\n[devices.L4]\nhourly = {device}"
    found = costed(load(tmp_path, text).config)
    assert all(isfinite(number) for number in numbers(found))
    assert (msgspec.convert(found, MigrationEstimate).devices[0].costs is None) is (node == "0")


def outcome(prices_file: Path) -> LoadedConfig | CliError:
    try:
        return load_config(
            None, environ={}, system_file=prices_file / "none.toml", flags={"prices.file": str(prices_file)}
        )
    except CliError as error:
        return error


def test_the_schema_has_the_price_keys():
    described = json_schema()["properties"]["prices"]
    assert described["additionalProperties"] is False
    assert described["properties"]["as_of"]["format"] == "date"
    assert set(described["properties"]) == {
        "file", "currency", "as_of", "hourly", "hourly_without_device", "purchase_price", "amortisation", "power_watts",
        "power_price_per_kwh",
    }  # fmt: skip
