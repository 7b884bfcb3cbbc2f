"""Do instances of MIG come and go, and what is said of the device that is divided into them?"""

from tests.collectors.gpu.reader import HEALTH, INFO, Reader, of
from tests.nvml import Scenario

MIB = 1 << 20
LOOK_AGAIN = 61.0
DIVIDED = {"mig": "1 1", "mig_most": 7, "power": 1000, "busy": 99, "busy_memory": 50, "memory_used": 500 * MIB}


def divided(*places: int) -> Scenario:
    """A device with an instance in each of these places, whose memory and GPU instance id say in which."""
    scenario = Scenario()
    scenario.card(**DIVIDED)
    for place in places:
        add(scenario, place)
    return scenario


def add(scenario: Scenario, place: int) -> None:
    instance = scenario.instance(0, place, f"MIG-{place}", gpu_instance=10 + place)
    scenario.set(instance, "memory.total", (place + 1) * 1000 * MIB).set(instance, "memory.used", 100 * MIB)


def entities(nvidia: Reader, **shifts: float) -> list[str]:
    return [one["entity"] for one in nvidia.reading(**shifts)["samples"] if one["kind"] == "gpu"]


def test_a_divided_device_is_said_to_be_and_is_not_busy_as_a_whole(nvidia: Reader) -> None:
    whole = nvidia.fresh(divided(0, 1)).device()
    assert (whole["busy_ppm"], whole["memory_busy_ppm"], whole["power_mw"]) == (None, None, 1000)
    info = nvidia.reading(INFO)
    assert [(one["mig"], one["parent"]) for one in info["samples"]] == [(1, None), (0, "gpu:GPU-0"), (0, "gpu:GPU-0")]


def test_an_instance_has_the_bus_of_its_device_and_none_of_its_cores(nvidia: Reader) -> None:
    info = nvidia.fresh(divided(0).set(0, "cores", 16896).set(0, "memory.bus", 5120)).reading(INFO)
    assert [(one["cuda_cores"], one["memory_bus_bits"]) for one in info["samples"]] == [(16896, 5120), (None, 5120)]


def test_cores_and_bus_are_asked_once(nvidia: Reader) -> None:
    scenario = Scenario()
    scenario.card(cores=8192, memory_bus=384)
    nvidia.fresh(scenario).reading(INFO)
    for function in ("nvmlDeviceGetNumGpuCores", "nvmlDeviceGetMemoryBusWidth"):
        scenario.fail(0, function, "NOT_SUPPORTED")
    nvidia.show(scenario)
    info = nvidia.device(collector=INFO)
    assert (info["cuda_cores"], info["memory_bus_bits"], "NumGpuCores" in info["unsupported"]) == (8192, 384, False)


def test_each_instance_has_its_own_memory_and_processes(nvidia: Reader) -> None:
    scenario = divided(0, 1)
    scenario.process(0, 450, 60 * MIB, gi=10, ci=0, sm=50).process(0, 453, 90 * MIB, gi=11, ci=0, sm=50)
    nvidia.fresh(scenario).reading(wall=-1)
    reading = nvidia.reading()
    found = {place: of(reading, f"MIG-{place}") for place in (0, 1)}
    assert [one["memory_total_bytes"] for one in found.values()] == [1000 * MIB, 2000 * MIB]
    assert [one["unknown_memory_bytes"] for one in found.values()] == [40 * MIB, 10 * MIB]
    listed = {one["entity"]: one["sm_ppm"] for one in reading["samples"] if one["kind"] == "gpu_process"}
    assert listed == {
        "gpu-process:MIG-0/450": None,
        "gpu-process:MIG-1/453": None,
    }


def test_an_instance_that_is_taken_away_is_not_lost_but_gone(nvidia: Reader) -> None:
    scenario = divided(0, 1)
    assert entities(nvidia.fresh(scenario)) == ["gpu:GPU-0", "gpu:MIG-0", "gpu:MIG-1"]
    scenario.instance(0, 0, None)
    nvidia.show(scenario)
    for _ in range(2):
        assert entities(nvidia) == ["gpu:GPU-0", "gpu:MIG-1"]


def test_one_that_is_made_in_its_place_is_asked_everything_anew(nvidia: Reader) -> None:
    """It has the UUID of the one before it."""
    scenario = divided(0)
    scenario.set("0/0", "bar1.total", MIB)
    nvidia.fresh(scenario).collect()
    scenario.instance(0, 0, None)
    nvidia.show(scenario)
    nvidia.collect()
    add(scenario, 0)
    nvidia.show(scenario)
    assert entities(nvidia, mono=LOOK_AGAIN) == ["gpu:GPU-0", "gpu:MIG-0"]
    assert nvidia.device("MIG-0", mono=LOOK_AGAIN)["memory_total_bytes"] == 1000 * MIB
    assert nvidia.device("MIG-0", HEALTH, mono=LOOK_AGAIN)["bar1_total_bytes"] == MIB


def test_an_instance_that_comes_is_seen_within_a_minute(nvidia: Reader) -> None:
    scenario = divided(0)
    nvidia.fresh(scenario).reading()
    add(scenario, 3)
    nvidia.show(scenario)
    assert entities(nvidia) == ["gpu:GPU-0", "gpu:MIG-0"]
    assert entities(nvidia, mono=LOOK_AGAIN) == ["gpu:GPU-0", "gpu:MIG-0", "gpu:MIG-3"]


def test_a_device_that_is_divided_later_and_made_whole_again(nvidia: Reader) -> None:
    scenario = divided()
    nvidia.fresh(scenario.set(0, "mig", 0, 0))
    assert (nvidia.device()["busy_ppm"], nvidia.device(collector=INFO)["mig"]) == (990_000, 0)
    add(scenario, 0)
    nvidia.show(scenario.set(0, "mig", 1, 1))
    assert entities(nvidia, mono=LOOK_AGAIN) == ["gpu:GPU-0", "gpu:MIG-0"]
    assert nvidia.device(mono=LOOK_AGAIN)["busy_ppm"] is None
    assert nvidia.device(collector=INFO, mono=LOOK_AGAIN)["mig"] == 1
    scenario.instance(0, 0, None)
    nvidia.show(scenario.set(0, "mig", 0, 0))
    assert entities(nvidia, mono=2 * LOOK_AGAIN) == ["gpu:GPU-0"]
    assert nvidia.device(mono=2 * LOOK_AGAIN)["busy_ppm"] == 990_000


def test_instances_of_a_lost_device_are_lost_with_it(nvidia: Reader) -> None:
    scenario = divided(0)
    scenario.card()
    nvidia.fresh(scenario).reading()
    nvidia.show(scenario.fail(0, "*", "GPU_IS_LOST"))
    reading = nvidia.reading()
    assert [of(reading, uuid)["state"] for uuid in ("GPU-0", "MIG-0", "GPU-1")] == ["lost", "lost", "ok"]
    nvidia.show(scenario.mend(0, "*"))
    reading = nvidia.reading(mono=LOOK_AGAIN)
    assert [of(reading, uuid)["state"] for uuid in ("GPU-0", "MIG-0", "GPU-1")] == ["ok"] * 3


def test_an_instance_that_is_not_told_of_its_memory_stays(nvidia: Reader) -> None:
    scenario = divided(0)
    for function in ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"):
        scenario.fail("0/0", function, "NO_PERMISSION")
    nvidia.fresh(scenario)
    for _ in range(2):
        instance = nvidia.device("MIG-0")
        assert (instance["state"], instance["memory_total_bytes"]) == ("ok", None)
