"""Is what is supposed worked out as the agent would have, and is nonsense refused?"""

import pytest
from msgspec.structs import replace

from advisor.finding import Need
from advisor.migration.devices import named
from advisor.migration.estimate import estimate, on_devices
from advisor.migration.result import MigrationEstimate
from advisor.migration.what_if import KEYS, UnknownDevice, change, device_named, judged_devices, worked_out_again
from tests.advisor.migration.migrating import NODE, encoder, known, market

SEEN = encoder()
FOUND = estimate(SEEN, replace(known(SEEN), price=NODE), market(SEEN, "L4", L4=1.2))


def test_with_nothing_supposed_it_says_the_same() -> None:
    again = worked_out_again(FOUND, judged_devices(FOUND))
    assert again == replace(FOUND, prices=dict(FOUND.prices))


def test_what_is_supposed_is_what_the_estimate_of_such_a_service_would_be() -> None:
    assert FOUND.situation is not None
    slower = worked_out_again(FOUND, judged_devices(FOUND), [change("load", "5"), change("slo", "100ms")])
    now = slower.situation
    assert now is not None
    assert (now.work.per_second, now.slo_p99_seconds) == (5.0, 0.1)
    assert slower.devices == on_devices(now, market(SEEN, "L4", L4=1.2)).devices
    assert slower.here == FOUND.here


def test_another_device_stands_beside_those_that_are_judged() -> None:
    again = worked_out_again(FOUND, (*judged_devices(FOUND), device_named("h100")))
    assert [one.device for one in again.devices] == ["L4", "H100"]
    assert again.devices[0] == FOUND.devices[0]


def test_the_part_that_moves_bounds_what_is_gained() -> None:
    (device,) = worked_out_again(FOUND, judged_devices(FOUND), [change("part", "0.5")]).devices
    assert device.ceiling == pytest.approx(2.0)
    assert device.simulated is not None
    assert device.simulated.throughput.p50 < 2.5


def test_of_what_nothing_is_known_nothing_is_supposed() -> None:
    blind = MigrationEstimate(service="x", needs=Need(kind="load", text="requests"))
    assert worked_out_again(blind, (), [change("load", "5")]) is blind


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("load", "0"), ("load", "-1"), ("load", "many"), ("load", "nan"), ("load", "1e99"), ("slo", "100"), ("slo", "0s"),
        ("cores", ""), ("part", "1.01"), ("part", "0"), ("batch", "0"), ("batch", "2.5"), ("batch", "5000"),
    ],
)  # fmt: skip
def test_what_is_no_such_number_is_refused_in_one_clause(key: str, text: str) -> None:
    assert key in KEYS
    with pytest.raises(ValueError, match=r"\w") as caught:
        change(key, text)
    assert "\n" not in str(caught.value)


def test_a_name_of_several_devices_or_of_none_is_refused_with_what_to_do() -> None:
    assert named("a100") is None
    with pytest.raises(UnknownDevice, match="may be A100 40GB or A100 80GB") as caught:
        device_named("a100")
    assert caught.value.hint == "name one of them"
    with pytest.raises(UnknownDevice, match="no device 'x9' is known"):
        device_named("x9")
