"""Does the stand-in for NVML do what the other tests rely on?"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collectors.gpu.reader import Reader
from tests.nvml import Scenario


@pytest.fixture
def asked(nvml_library: Path, tmp_path: Path) -> Iterator[Reader]:
    with Reader(nvml_library, tmp_path, None) as reader:
        yield reader


def begun(asked: Reader, scenario: Scenario) -> None:
    asked.show(scenario)
    assert asked.ask("call", "nvmlInit") == {"answer": "None"}


def power(asked: Reader, device: int = 0) -> int:
    return int(asked.ask("call", "nvmlDeviceGetPowerUsage", device=device)["answer"])


def test_structures_have_the_sizes_of_the_bindings(nvidia: Reader) -> None:
    sizes = nvidia.ask("sizes")
    assert len(sizes) == 17
    assert {name: ours for name, (ours, _) in sizes.items()} == {name: theirs for name, (_, theirs) in sizes.items()}


def test_without_a_scenario_there_is_no_driver(asked: Reader) -> None:
    assert asked.ask("call", "nvmlInit") == {"error": 9}


def test_what_is_not_said_is_not_supported_and_what_is_not_there_is_invalid(asked: Reader) -> None:
    scenario = Scenario()
    scenario.card()
    begun(asked, scenario)
    assert asked.ask("call", "nvmlDeviceGetPowerUsage", device=0) == {"error": 3}
    assert asked.ask("call", "nvmlDeviceGetPowerUsage", device=1) == {"error": 2}
    assert asked.ask("call", "nvmlDeviceGetName", device=0) == {"answer": "NVIDIA Test"}
    assert asked.ask("call", "nvmlShutdown") == {"answer": "None"}
    assert asked.ask("call", "nvmlDeviceGetCount") == {"error": 1}


def test_a_scenario_is_read_again_when_it_changes_and_its_last_word_counts(asked: Reader) -> None:
    scenario = Scenario()
    scenario.card(power=1000)
    begun(asked, scenario)
    assert power(asked) == 1000
    asked.show(scenario.set(0, "power", 2000))
    assert power(asked) == 2000
    asked.show(scenario.set("*", "power", 3000).fail("*", "nvmlDeviceGetName", "UNKNOWN"))
    assert power(asked) == 3000
    assert asked.ask("call", "nvmlDeviceGetName", device=0) == {"error": 999}
    asked.show(scenario.set("*", "power", None).mend("*", "nvmlDeviceGetName"))
    assert asked.ask("call", "nvmlDeviceGetPowerUsage", device=0) == {"error": 3}
    assert asked.ask("call", "nvmlDeviceGetName", device=0) == {"answer": "NVIDIA Test"}


def test_sections_hold_from_their_time_on_and_rates_count_from_it(asked: Reader) -> None:
    scenario = Scenario().epoch(time.time() - 1000)
    scenario.card(power=1, energy="5000 +100")
    scenario.at(500).set(0, "power", 2)
    scenario.at(900).set(0, "bar1.total", 100).set(0, "bar1.used", "0 +0.001")
    scenario.at(2000).set(0, "power", 3)
    begun(asked, scenario)
    assert power(asked) == 2
    energy = int(asked.ask("call", "nvmlDeviceGetTotalEnergyConsumption", device=0)["answer"])
    assert 105_000 <= energy < 115_000
    assert "bar1Used: 0 B" in asked.ask("call", "nvmlDeviceGetBAR1MemoryInfo", device=0)["answer"]


def test_a_section_without_an_epoch_counts_from_the_first_look(asked: Reader) -> None:
    scenario = Scenario()
    scenario.card(power=1)
    scenario.at(0.1).set(0, "power", 2)
    scenario.at(3600).set(0, "power", 3)
    began = time.monotonic()
    begun(asked, scenario)
    while power(asked) != 2:
        assert time.monotonic() - began < 20
    assert time.monotonic() - began >= 0.1


def test_a_call_that_hangs_for_a_time_answers_after_it(asked: Reader) -> None:
    scenario = Scenario()
    scenario.card(power=1)
    scenario.hang(0, "nvmlDeviceGetPowerUsage", 0.2)
    begun(asked, scenario)
    began = time.monotonic()
    assert power(asked) == 1
    assert time.monotonic() - began >= 0.2


def test_a_call_that_hangs_forever_answers_once_the_scenario_says_so(asked: Reader) -> None:
    scenario = Scenario()
    scenario.card(power=1)
    begun(asked, scenario.hang(0, "nvmlDeviceGetPowerUsage"))
    asked.send("call", "nvmlDeviceGetPowerUsage", device=0)
    with pytest.raises(TimeoutError):
        asked.answer(0.15)
    asked.show(scenario.set(0, "power", 2))
    with pytest.raises(TimeoutError):
        asked.answer(0.1)
    asked.show(scenario.mend(0, "nvmlDeviceGetPowerUsage"))
    assert asked.answer() == {"answer": "2"}
