"""Does daily use stay within eight bytes per value, and what keeps its moments within 250 bytes of each second?"""

from pathlib import Path

import pytest

from bench.store_bytes import measure


@pytest.mark.slow
def test_an_hour_of_a_loaded_node_takes_at_most_eight_bytes_per_stored_value(tmp_path: Path) -> None:
    cost = measure(tmp_path, 3600, moments=False)
    print(f"\n{cost}")
    assert cost.values_stored == cost.values_given > 900_000
    assert cost.bytes_per_value <= 8
    assert cost.minute_rows == pytest.approx(60 * 259, rel=0.02)


def test_what_keeps_its_moments_takes_at_most_250_bytes_a_second(tmp_path: Path) -> None:
    sizes = []
    for moments in (False, True):
        folder = tmp_path / str(moments)
        folder.mkdir()
        sizes.append(measure(folder, 300, moments=moments).raw_bytes / 300)
    without, kept = sizes
    assert 100 < kept - without < 250
