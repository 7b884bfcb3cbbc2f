"""What do the prices in the configuration make of an hour of this node, and is anything missing?"""

import re
from collections.abc import Mapping

from advisor.prices import NodePrice
from agent.config import LEAST_MONEY, MOST_MONEY, PricesSettings
from agent.errors import CliError

_CURRENCY = re.compile(r"[A-Z]{3}")


def node_price(prices: PricesSettings) -> NodePrice | None:
    """An hour of the node: as stated, or its share of the purchase and the energy that it draws in it. None = not stated."""
    hourly = prices.hourly
    if hourly is None and prices.purchase_price is not None and prices.amortisation_seconds:
        energy = (prices.power_watts or 0.0) / 1000 * (prices.power_price_per_kwh or 0.0)
        hourly = prices.purchase_price / (prices.amortisation_seconds / 3600) + energy
    if hourly is None or prices.currency is None:
        return None
    return NodePrice(currency=prices.currency, hourly=hourly, as_of=prices.as_of)


def price_without_device(prices: PricesSettings) -> NodePrice | None:
    """An hour of the node if its device were given up. None = not stated."""
    hourly = prices.hourly_without_device
    if hourly is None or prices.currency is None:
        return None
    return NodePrice(currency=prices.currency, hourly=hourly, as_of=prices.as_of)


def check_prices(prices: PricesSettings, origins: Mapping[str, str]) -> None:
    """Raises CliError, one line that names source and key, where the prices do not add up to an hour of the node."""
    found = _problem(prices)
    if found is not None:
        key, problem, hint = found
        where = origins.get(f"prices.{key}", "default").removeprefix("file ")
        raise CliError("config.bad-value", f"{where}: prices.{key}: {problem}", hint)


def _problem(prices: PricesSettings) -> tuple[str, str, str] | None:
    """The key, what is wrong with it, and what to do."""
    if prices.currency is not None and not _CURRENCY.fullmatch(prices.currency):
        return "currency", f"{prices.currency!r} is not three capital letters", "write a code such as EUR"
    if prices.hourly is not None and prices.purchase_price is not None:
        return "purchase_price", "hourly is set as well", "set one of the two"
    for key, other in _TOGETHER:
        if getattr(prices, key) is not None and getattr(prices, other) is None:
            written = other.removesuffix("_seconds")
            return key.removesuffix("_seconds"), f"it says nothing without {written}", f"set prices.{written} as well"
    for key in ("hourly", "hourly_without_device", "purchase_price", "power_price_per_kwh"):
        if is_too_little(getattr(prices, key) or 0.0):
            return key, f"{getattr(prices, key)!r} is above 0 and below {LEAST_MONEY:.0e}", "write 0 for what is free"
    found = node_price(prices)
    bought = prices.purchase_price
    if found is not None and bought is not None and (bought or found.hourly):
        problem = not_an_hour(found.hourly)
        if problem is not None:
            return "purchase_price", problem, "look at amortisation"
    bare = prices.hourly_without_device
    if found is not None and bare is not None and bare > found.hourly:
        problem = f"{bare!r} is more than the {found.hourly:.6g} an hour of this node with its device"
        return "hourly_without_device", problem, "state in hourly, or purchase_price, what it costs as it is"
    return None


def is_too_little(price: float) -> bool:
    """Nothing costs so little, and ratios to it are no numbers."""
    return 0 < price < LEAST_MONEY


def not_an_hour(hourly: float) -> str | None:
    """What is wrong with the price of an hour of something that was bought."""
    if LEAST_MONEY <= hourly <= MOST_MONEY:
        return None
    return f"it comes to {hourly:.3g} an hour, not to {LEAST_MONEY:.0e} to {MOST_MONEY:.0e}"


_TOGETHER = (
    ("purchase_price", "amortisation_seconds"),
    ("amortisation_seconds", "purchase_price"),
    ("power_watts", "power_price_per_kwh"),
    ("power_price_per_kwh", "power_watts"),
    ("power_watts", "purchase_price"),
    ("hourly", "currency"),
    ("hourly_without_device", "currency"),
    ("purchase_price", "currency"),
)
"""What needs what. An hourly price has its power in it."""
