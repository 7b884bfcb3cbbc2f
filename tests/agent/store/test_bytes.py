"""Does daily use stay within eight bytes per value?"""

from pathlib import Path

import pytest

from bench.store_bytes import measure


@pytest.mark.slow
def test_an_hour_of_a_loaded_node_takes_at_most_eight_bytes_per_stored_value(tmp_path: Path) -> None:
    cost = measure(tmp_path, 3600)
    print(f"\n{cost}")
    assert cost.values_stored == cost.values_given > 900_000
    assert cost.bytes_per_value <= 8
    assert cost.minute_rows == pytest.approx(60 * 259, rel=0.02)
