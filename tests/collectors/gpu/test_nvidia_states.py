"""What is said where driver or devices do not answer, and do the readers go on by themselves once they do?"""

import time
from pathlib import Path

import pytest

from tests.collectors.gpu.reader import HEALTH, INFO, NOW, Reader, of
from tests.nvml import Scenario
from tests.programs.nvml_build import NAME

EACH = (NOW, HEALTH, INFO)
LOOK_AGAIN = 61.0
INIT, COUNT, HANDLE = "nvmlInitWithFlags", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2"


def cards(number: int = 1) -> Scenario:
    scenario = Scenario()
    for _ in range(number):
        scenario.card(power=1000)
    return scenario


def states(nvidia: Reader, **shifts: float) -> list[str]:
    return [reading["state"] for reading in nvidia.collect(**shifts).values()]


@pytest.mark.parametrize(
    ("function", "error", "state"),
    [
        (INIT, "DRIVER_NOT_LOADED", "no driver"),
        (INIT, "LIBRARY_NOT_FOUND", "no driver"),
        (INIT, "NO_PERMISSION", "permission"),
        (INIT, "OPERATING_SYSTEM", "permission"),
        (INIT, "UNKNOWN", "permission"),
        (INIT, "LIB_RM_VERSION_MISMATCH", "driver mismatch"),
        (INIT, "GPU_IS_LOST", "lost"),
        (INIT, "IRQ_ISSUE", "failed"),
        (COUNT, "UNKNOWN", "permission"),
        (COUNT, "LIB_RM_VERSION_MISMATCH", "driver mismatch"),
    ],
)
def test_a_driver_that_cannot_be_asked_has_a_state_and_comes_back(
    nvidia: Reader, function: str, error: str, state: str
) -> None:
    scenario = cards().fail("nvml", function, error)
    assert states(nvidia.fresh(scenario)) == [state] * 3
    assert nvidia.reading()["hint"]
    nvidia.show(scenario.mend("nvml", function))
    assert states(nvidia) == ["ok"] * 3


def test_without_a_driver_behind_the_library_there_is_no_driver(nvml_library: Path, tmp_path: Path) -> None:
    with Reader(nvml_library, tmp_path, None) as reader:
        assert states(reader) == ["no driver"] * 3
        reader.show(cards())
        assert states(reader) == ["ok"] * 3


def test_without_the_library_there_is_no_driver(nvml_library: Path, tmp_path: Path) -> None:
    """What is there under its name is none, so that a real one elsewhere is not found either."""
    empty = tmp_path / "libraries"
    empty.mkdir()
    (empty / NAME).write_text("not a library\n")
    with Reader(empty, tmp_path, None) as reader:
        reader.show(cards())
        assert states(reader) == ["no driver"] * 3
        assert "libnvidia-ml.so.1 is not found" in reader.reading()["hint"]


def test_a_driver_without_devices_and_one_that_comes(nvidia: Reader) -> None:
    assert states(nvidia.fresh(cards(0))) == ["no device"] * 3
    nvidia.show(cards(1))
    assert states(nvidia) == ["ok"] * 3


@pytest.mark.parametrize("error", ["NO_PERMISSION", "NOT_FOUND"])
def test_devices_of_others_are_left_out(nvidia: Reader, error: str) -> None:
    scenario = cards(2).fail(0, HANDLE, error)
    assert [one["entity"] for one in nvidia.fresh(scenario).reading()["samples"]] == ["gpu:GPU-1"]
    assert nvidia.device("GPU-1", INFO)["index"] == 1
    assert states(nvidia.fresh(scenario.fail(1, HANDLE, error))) == ["no device"] * 3


@pytest.mark.parametrize("error", ["GPU_IS_LOST", "RESET_REQUIRED"])
def test_one_lost_device_does_not_hide_the_other_and_comes_back(nvidia: Reader, error: str) -> None:
    scenario = cards(2)
    assert nvidia.fresh(scenario).device("GPU-1")["power_mw"] == 1000
    nvidia.show(scenario.fail(1, "*", error))
    readings = nvidia.collect()
    assert of(readings[NOW], "GPU-0")["power_mw"] == 1000
    lost = of(readings[NOW], "GPU-1")
    assert {name: value for name, value in lost.items() if value is not None} == {
        "kind": "gpu",
        "entity": "gpu:GPU-1",
        "state": "lost",
    }
    assert [[one["entity"] for one in readings[name]["samples"]] for name in (HEALTH, INFO)] == [["gpu:GPU-0"]] * 2
    nvidia.show(scenario.mend(1, "*"))
    assert nvidia.device("GPU-1")["state"] == "lost"
    back = nvidia.device("GPU-1", mono=LOOK_AGAIN)
    assert (back["state"], back["power_mw"]) == ("ok", 1000)
    assert len(nvidia.reading(INFO, mono=LOOK_AGAIN)["samples"]) == 2


def test_what_a_dying_device_refused_it_may_answer_once_it_is_back(nvidia: Reader) -> None:
    scenario = cards(2)
    nvidia.fresh(scenario.fail(1, "nvmlDeviceGetPowerUsage", "NOT_SUPPORTED"))
    assert nvidia.device("GPU-1")["power_mw"] is None
    nvidia.show(scenario.mend(1, "nvmlDeviceGetPowerUsage"))
    assert nvidia.device("GPU-1")["power_mw"] is None
    nvidia.show(scenario.fail(1, "*", "GPU_IS_LOST"))
    assert nvidia.device("GPU-1")["state"] == "lost"
    nvidia.show(scenario.mend(1, "*"))
    assert nvidia.device("GPU-1", mono=LOOK_AGAIN)["power_mw"] == 1000


def test_errors_of_a_device_that_came_back_are_counted_on(nvidia: Reader) -> None:
    scenario = cards(2)
    nvidia.fresh(scenario).reading()
    nvidia.show(scenario.xid(1, 79).fail(1, "*", "GPU_IS_LOST"))
    nvidia.reading()
    nvidia.show(scenario.mend(1, "*"))
    nvidia.reading(mono=LOOK_AGAIN)
    nvidia.show(scenario.xid(1, 13))
    back = nvidia.device("GPU-1", mono=LOOK_AGAIN)
    assert (back["xid_events"], back["last_xid"]) == (2, 13)


@pytest.mark.parametrize("error", ["GPU_IS_LOST", "UNKNOWN"])
def test_a_device_that_gives_no_handle_is_lost(nvidia: Reader, error: str) -> None:
    """Drivers call one that fell off the bus unknown. As it never told its UUID, its number must do for a name."""
    scenario = cards(2).fail(1, HANDLE, error)
    reading = nvidia.fresh(scenario).reading()
    assert (of(reading, "GPU-0")["state"], of(reading, "lost-1")["state"]) == ("ok", "lost")
    nvidia.show(scenario.mend(1, HANDLE))
    assert nvidia.device("GPU-1", mono=LOOK_AGAIN)["state"] == "ok"


def test_a_device_that_loses_its_handle_keeps_its_name(nvidia: Reader) -> None:
    scenario = cards(2)
    nvidia.fresh(scenario).reading()
    nvidia.show(scenario.fail(1, "*", "GPU_IS_LOST"))
    for shift in (0.0, LOOK_AGAIN, 2 * LOOK_AGAIN):
        assert nvidia.device("GPU-1", mono=shift)["state"] == "lost"


def test_where_all_devices_are_lost_the_reader_is_and_comes_back(nvidia: Reader) -> None:
    scenario = cards(2)
    assert states(nvidia.fresh(scenario)) == ["ok"] * 3
    nvidia.show(scenario.fail("*", "*", "GPU_IS_LOST"))
    for _ in range(2):
        assert states(nvidia) == ["lost"] * 3
    assert "XID 79" in nvidia.reading()["hint"]
    nvidia.show(scenario.mend("*", "*"))
    assert states(nvidia) == ["ok"] * 3
    assert [nvidia.device(f"GPU-{number}")["power_mw"] for number in (0, 1)] == [1000, 1000]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        ("UNINITIALIZED", "no driver"),
        ("DRIVER_NOT_LOADED", "no driver"),
        ("OPERATING_SYSTEM", "permission"),
        ("LIB_RM_VERSION_MISMATCH", "driver mismatch"),
    ],
)
def test_a_driver_that_breaks_while_it_is_read_is_begun_again(nvidia: Reader, error: str, state: str) -> None:
    scenario = cards()
    assert states(nvidia.fresh(scenario)) == ["ok"] * 3
    nvidia.show(scenario.fail(0, "nvmlDeviceGetPowerUsage", error))
    assert nvidia.reading()["state"] == state
    nvidia.show(scenario.mend(0, "nvmlDeviceGetPowerUsage"))
    assert states(nvidia) == ["ok"] * 3


def test_a_call_that_fails_now_and_then_is_asked_again(nvidia: Reader) -> None:
    scenario = cards()
    nvidia.fresh(scenario.fail(0, "nvmlDeviceGetPowerUsage", "UNKNOWN"))
    assert [nvidia.device()["power_mw"] for _ in range(2)] == [None, None]
    nvidia.show(scenario.mend(0, "nvmlDeviceGetPowerUsage"))
    assert nvidia.device()["power_mw"] == 1000


def test_a_call_that_keeps_failing_rests_and_comes_back(nvidia: Reader) -> None:
    scenario = cards()
    nvidia.fresh(scenario.fail(0, "nvmlDeviceGetPowerUsage", "UNKNOWN"))
    assert [nvidia.device()["power_mw"] for _ in range(3)] == [None] * 3
    nvidia.show(scenario.mend(0, "nvmlDeviceGetPowerUsage"))
    later = [nvidia.device()["power_mw"] for _ in range(60)]
    assert later[0] is None
    assert later[-1] == 1000
    assert nvidia.device(collector=INFO)["unsupported"].split().count("PowerUsage") == 0


@pytest.mark.parametrize(
    ("who", "function", "doing"),
    [
        (0, "nvmlDeviceGetUtilizationRates", "UtilizationRates"),
        (0, "nvmlDeviceGetProcessUtilization", "ProcessUtilization"),
        ("nvml", INIT, "nvmlInit"),
        ("nvml", COUNT, "nvmlDeviceGetCount"),
        (0, HANDLE, "nvmlDeviceGetHandleByIndex"),
        ("nvml", "nvmlEventSetWait_v2", "nvmlEventSetWait"),
        (0, "nvmlDeviceGetMigDeviceHandleByIndex", "nvmlDeviceGetMigDeviceHandleByIndex"),
    ],
)
def test_a_reader_says_in_which_call_it_hangs_and_goes_on_after_it(
    nvml_library: Path, tmp_path: Path, who: int | str, function: str, doing: str
) -> None:
    scenario = Scenario()
    scenario.card(mig="1 1", mig_most=7) if "Mig" in function else scenario.card(busy=5, busy_memory=5)
    with Reader(nvml_library, tmp_path, None) as reader:
        reader.fresh(scenario)
        if "Process" in function:
            reader.reading(wall=-1)  # from the second time on
        reader.show(scenario.hang(who, function))
        reader.ask("start", [NOW])
        deadline = time.monotonic() + 10
        while reader.ask("doing", NOW) != doing:
            assert time.monotonic() < deadline
        reader.show(scenario.mend(who, function))
        assert reader.ask("finish")[NOW]["state"] == "ok"
        assert reader.ask("doing", NOW) == ""
