"""Does held memory grow? Steady growth does; steps, warm-up, saw teeth and a few seconds do not count as it."""

import pytest

from advisor.gpu.growth import growth_of, moved
from tests.advisor.gpus_replayed import used_bytes

MIB = 1 << 20


def seen(*held: int, every: float = 10.0) -> tuple[tuple[float, int], ...]:
    """Readings, the newest last, in MiB."""
    return tuple((every * (len(held) - 1 - number), amount * MIB) for number, amount in enumerate(held))


def test_steady_growth_has_its_slope_with_close_bounds():
    found = growth_of(seen(*(1000 + 7 * n for n in range(30))))
    assert found is not None
    assert (found.low, found.likely, found.high) == pytest.approx((0.7 * MIB,) * 3)
    assert (found.seconds, found.points) == (290.0, 30)


def test_noise_widens_the_bounds_and_leaves_the_slope():
    found = growth_of(seen(*(1000 + 10 * n + n * n * 7919 % 37 for n in range(30))))
    assert found is not None
    assert found.low < found.likely < found.high
    assert found.likely == pytest.approx(MIB, rel=0.05)


def test_one_reading_that_is_off_moves_nothing():
    held = [1000 + 10 * n for n in range(30)]
    held[13] += 5000
    found = growth_of(seen(*held))
    assert found is not None
    assert found.likely == pytest.approx(MIB, rel=0.02)


@pytest.mark.parametrize(
    "held",
    [
        [1000] * 30,
        [1000] * 15 + [9000] * 15,
        [1000] * 10 + [5000] * 10 + [9000] * 10,
        [1000] * 29 + [9000],
        [1000 + round(8000 * (1 - 0.8**n)) for n in range(30)],
        [1000 + 700 * (n % 6) for n in range(30)],
        [9000 - 10 * n for n in range(30)],
    ],
    ids=["flat", "one step", "two steps", "just now", "warm-up", "saw teeth", "falls"],
)
def test_what_only_looks_like_growth(held):
    assert growth_of(seen(*held)) is None


def test_less_than_three_minutes_or_twelve_readings_say_nothing():
    grows = [1000 + 10 * n for n in range(30)]
    assert growth_of(()) is None
    assert growth_of(seen(*grows[:18])) is None  # 170 s
    assert growth_of(seen(*grows[:19])) is not None
    assert growth_of(seen(*grows[:11], every=30.0)) is None


def test_five_recorded_seconds_of_a_gib_each_half_second_say_nothing_yet():
    held = used_bytes("h100", "grow")
    assert held[-1] - held[0] == 8 * (1 << 30)
    assert growth_of(tuple((float(4 - n), amount) for n, amount in enumerate(held))) is None


def test_how_far_it_moved_lately():
    held = seen(1000, 5000, 3000, 3500)
    assert moved(held, 20.0) == 2000 * MIB
    assert moved(held, 300.0) == 4000 * MIB
    assert moved((), 300.0) == 0
