"""How is a card said to be, in which units?"""

from pathlib import Path

import pytest

from collectors.gpu.samples import GpuHealthSample
from collectors.sources.amd_health import AmdHealthCollector
from tests.collectors.gpu_others.amd_cards import ENTITY, amd_machine, install
from tests.collectors.gpu_others.fake_amdsmi import MI300X
from tests.collectors.gpu_others.readings import samples


def test_how_a_card_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, MI300X)
    machine = amd_machine(tmp_path)
    (health,) = samples(AmdHealthCollector(), machine)
    assert isinstance(health, GpuHealthSample)
    assert health.entity == ENTITY
    assert health.energy_mj == 30_500  # 2 000 000 × 15.25 µJ
    assert (health.power_limit_mw, health.memory_temperature_celsius) == (750_000, 52)
    assert (health.pcie_generation, health.pcie_width, health.pcie_replays) == (5, 16, 3)
    assert (health.ecc_corrected, health.ecc_uncorrected) == (7, 1)
    assert health.nvlinks_active is None
