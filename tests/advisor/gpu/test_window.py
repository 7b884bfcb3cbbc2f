"""Do readings of GPUs become the numbers that rules are told, with unknown kept apart from zero?"""

from typing import Any

import pytest

from advisor.gpu.day import DayMinute
from advisor.gpu.tracks import GpuTracks
from advisor.gpu.view import GpuView, ServiceGpu, link_bytes_per_second
from advisor.gpu.window import gpu_views
from advisor.history import History
from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.gpu.samples import GpuHealthSample, GpuInfoSample, GpuProcessSample, GpuSample, nothing_known
from collectors.reading import Instant, Ok, Reading
from collectors.sample import Sample

CARD = "gpu:GPU-1"
GIB = 1 << 30
SECOND_NS = 1_000_000_000


def device(entity: str = CARD, **known: Any) -> Sample:
    return nothing_known(GpuSample, entity, **{"state": "ok", **known})


def on_card(pid: int, uuid: str = "GPU-1", **known: Any) -> Sample:
    worker = f"worker:{pid}:{1000 + pid}"
    return nothing_known(
        GpuProcessSample, f"gpu-process:{uuid}/{pid}", **{"worker": worker, "context": "compute", **known}
    )


def service(*pids: int, devices: tuple[str, ...] = (), drivers: tuple[str, ...] | None = ("cuda",)) -> Service:
    workers = tuple(
        Worker(
            process=Process(key=WorkerKey(pid, 1000 + pid), ppid=1, uid=0, comm="python", argv=("python",)),
            role=Role.WORKER,
            framework="generic",
            service="app",
            slot=slot,
            drivers=drivers,
            devices=devices,
        )
        for slot, pid in enumerate(pids)
    )
    return Service(
        id="5e12", name="app", framework="generic", application="app", port=80, owner=None, manager="bare",
        workers=workers, started=1,
    )  # fmt: skip


class Node:
    """A history that is told readings second by second."""

    def __init__(self, *services: Service) -> None:
        self.history = History()
        self.services = services
        self.second = 0

    def tick(self, *samples: Sample) -> "Node":
        at = Instant((100 + self.second) * SECOND_NS, 0)
        reading = Reading(collector="nvidia", at=at, duration_ns=0, cpu_ns=0, late_ns=0, outcome=Ok(samples))
        self.history.add(reading)
        self.history.end_tick(self.services, at)
        self.second += 1
        return self

    def own(self) -> tuple[ServiceGpu, ...]:
        """What the first service has over its loaded seconds."""
        return self.history.view(self.services[0]).gpus

    def gpus(self, horizon: int = 60) -> dict[str, GpuView]:
        return {view.uuid: view for view in self.history.gpus(horizon)}


def test_shares_are_means_over_the_window_and_the_95_percent_point_is_of_its_seconds() -> None:
    node = Node()
    for percent in (0, 50, 100, 100):
        node.tick(device(busy_ppm=percent * 10_000, sm_active_ppm=percent * 1000))
    (view,) = node.gpus().values()
    assert (view.samples, view.window_seconds) == (4, 3.0)
    assert view.busy_ratio == pytest.approx(0.625)
    assert view.busy_p95 == pytest.approx(1.0)
    assert view.sm_active_ratio == pytest.approx(0.0625)
    assert node.gpus(horizon=2)["GPU-1"].busy_ratio == pytest.approx(1.0)


def test_the_share_of_a_process_is_of_the_same_seconds_as_the_use_of_its_device() -> None:
    node = Node(service(7))
    for percent in (0, 0, 40, 80):
        node.tick(device(processes=1, busy_ppm=percent * 10_000), on_card(7, sm_ppm=percent * 10_000))
    for horizon, share in ((60, 0.3), (2, 0.6)):
        view = node.gpus(horizon)["GPU-1"]
        assert (view.busy_ratio, view.processes[0].sm_ratio) == (pytest.approx(share), pytest.approx(share))


def test_what_a_device_does_not_give_is_none_and_not_zero() -> None:
    (view,) = Node().tick(device()).tick(device()).gpus().values()
    for name in ("busy_ratio", "sm_active_ratio", "dram_active_ratio", "memory_used_bytes", "power_watts"):
        assert getattr(view, name) is None, name
    assert view.power_cap_ratio is None
    assert view.xid_events is None
    assert view.day_busy_p95 is None
    assert not view.processes_known


def test_held_down_clocks_are_growth_over_time_and_a_reset_counts_for_nothing() -> None:
    node = Node()
    for power, brake in ((0, 7), (250_000_000, 0), (500_000_000, 0), (0, 0), (1_000_000_000, 0)):
        node.tick(device(power_cap_ns=power, power_brake_ns=brake))
    (view,) = node.gpus().values()
    assert view.power_cap_ratio == pytest.approx((0.25 + 0.25 + 1.0) / 3)
    assert view.power_brake_ratio == 0.0
    assert view.hardware_thermal_ratio is None


def test_a_gap_between_readings_is_no_time_of_the_counters() -> None:
    node = Node().tick(device(power_cap_ns=0))
    for _ in range(20):
        node.tick()
    node.tick(device(power_cap_ns=5_000_000_000)).tick(device(power_cap_ns=5_500_000_000))
    assert node.gpus()["GPU-1"].power_cap_ratio == pytest.approx(0.5)


def test_processes_are_those_of_the_last_reading_and_unknown_memory_stays_unknown() -> None:
    node = Node(service(7, 8))
    node.tick(
        device(processes=3), on_card(7, memory_bytes=2 * GIB, sm_ppm=400_000), on_card(8), on_card(9, memory_bytes=GIB)
    )
    node.tick(device(processes=2), on_card(7, memory_bytes=3 * GIB, sm_ppm=600_000), on_card(8))
    node.tick(device(processes=2), on_card(7, memory_bytes=3 * GIB, sm_ppm=500_000), on_card(8))
    node.tick(device(processes=2), on_card(7, memory_bytes=3 * GIB, sm_ppm=500_000), on_card(8))
    (view,) = node.gpus().values()
    assert [p.pid for p in view.processes] == [7, 8]
    (own,) = node.own()
    assert [p.pid for p in own.own] == [7, 8]
    assert own.own[0].memory_bytes == 3 * GIB
    assert own.own[0].sm_ratio == pytest.approx((0.6 + 0.5 + 0.5) / 3), "the first second has no length"
    assert own.memory_bytes is None, "of one of the two it is not known"
    assert own.sm_ratio is None
    assert own.alone


def test_a_process_of_another_namespace_is_nobodys() -> None:
    node = Node(service(7)).tick(device(processes=1), on_card(7, worker=None))
    (view,) = node.gpus().values()
    assert view.processes[0].worker is None
    assert node.own() == ()


@pytest.mark.parametrize(
    ("doubtful", "drivers", "joined"),
    [
        (None, (), True),
        (None, None, True),
        (1, (), False),
        (1, ("rocm",), False),
        (1, ("cuda",), True),
        (1, None, False),
    ],
)
def test_a_number_that_may_be_of_another_namespace_counts_only_for_a_worker_with_a_driver(
    doubtful: int | None, drivers: tuple[str, ...] | None, joined: bool
) -> None:
    node = Node(service(7, drivers=drivers)).tick(device(processes=1), on_card(7, memory_bytes=GIB, doubtful=doubtful))
    assert bool(node.own()) is joined


def test_who_has_a_tpu_open_is_on_it_with_what_it_has_unknown() -> None:
    node = Node(service(7, devices=("/dev/accel1",)))
    node.tick(device(), nothing_known(GpuInfoSample, CARD, vendor="google", device_file="/dev/accel1"))
    (own,) = node.own()
    assert [(p.pid, p.contexts, p.memory_bytes) for p in own.own] == [(7, ("open",), None)]
    assert own.memory_bytes is None


def test_who_has_a_cuda_device_open_may_use_another_one() -> None:
    node = Node(service(7, devices=("/dev/nvidia0", "/dev/nvidia1")))
    node.tick(device(processes=0), nothing_known(GpuInfoSample, CARD, vendor="nvidia", device_file="/dev/nvidia1"))
    assert node.own() == ()


def test_a_device_that_is_divided_belongs_to_nobody_and_its_instances_do() -> None:
    node = Node(service(7))
    part = device("gpu:MIG-1", processes=1, parent=CARD)
    node.tick(device(divided=1), part, on_card(7, uuid="MIG-1", memory_bytes=GIB))
    (own,) = node.own()
    assert own.gpu.uuid == "MIG-1"
    assert own.gpu.parent == CARD
    assert node.gpus()["GPU-1"].mig


def test_a_process_that_is_named_for_a_divided_device_too_counts_once() -> None:
    node = Node(service(7))
    part = device("gpu:MIG-1", processes=1, parent=CARD)
    twice = (on_card(7, memory_bytes=GIB), on_card(7, uuid="MIG-1", memory_bytes=GIB))
    node.tick(device(divided=1, processes=1), part, *twice)
    assert [one.gpu.uuid for one in node.own()] == ["MIG-1"]


def test_an_old_drivers_name_of_an_instance_holds_slashes() -> None:
    node = Node(service(7))
    name = "MIG-GPU-1/1/5"
    node.tick(device(f"gpu:{name}", processes=1, parent=CARD), on_card(7, uuid=name, memory_bytes=GIB))
    assert list(node.gpus()) == [name]
    assert node.own()[0].memory_bytes == GIB


def test_a_service_whose_kernels_run_is_loaded_although_its_cpus_idle() -> None:
    node = Node(service(7))
    for _ in range(16):
        node.tick(device(processes=1, busy_ppm=900_000), on_card(7, sm_ppm=900_000))
    view = node.history.view(node.services[0])
    assert view.samples == 15
    assert view.loaded_now
    assert view.gpus[0].gpu.busy_ratio == pytest.approx(0.9)


def test_a_device_that_is_not_read_any_more_is_not_there() -> None:
    node = Node().tick(device(busy_ppm=1))
    for _ in range(7):
        node.tick()
    assert node.gpus() == {}


def test_links_are_the_best_of_the_last_minutes_and_sampled_traffic_is_marked() -> None:
    node = Node()
    for generation, sent in ((1, None), (4, 2_000_000), (1, 4_000_000)):
        known = {"pcie_generation": generation, "pcie_width": 16, "pcie_sampled_tx_bytes_per_second": sent}
        node.tick(device(), nothing_known(GpuHealthSample, CARD, **known))
    view = node.gpus()["GPU-1"]
    assert view.pcie_generation == 4
    assert view.pcie_tx_bytes_per_second == pytest.approx(3_000_000)
    assert view.pcie_sampled
    assert view.pcie_link_bytes_per_second == pytest.approx(1.969e9 * 16 * 0.9)
    assert link_bytes_per_second(None, 16) is None
    assert link_bytes_per_second(5, 16) == pytest.approx(56.7e9, rel=0.01)


def test_errors_of_the_driver_outlive_the_reader_process_that_counted_them() -> None:
    node = Node().tick(device(xid_events=0)).tick(device(xid_events=2, last_xid=79))
    node.tick(device(xid_events=0))  # a new process counts from nothing
    assert (node.gpus()["GPU-1"].xid_events, node.gpus()["GPU-1"].last_xid) == (2, 79)
    node.tick(device(xid_events=1, last_xid=48))
    assert (node.gpus()["GPU-1"].xid_events, node.gpus()["GPU-1"].last_xid) == (3, 48)
    for _ in range(300):
        node.tick(device(xid_events=1))
    assert node.gpus()["GPU-1"].xid_events == 0, "of the last five minutes"


def test_memory_is_seen_every_ten_seconds_back_from_now() -> None:
    node = Node()
    for second in range(31):
        node.tick(device(memory_used_bytes=second))
    assert node.gpus()["GPU-1"].memory_seen == ((30.0, 0), (20.0, 10), (10.0, 20), (0.0, 30))


@pytest.mark.parametrize(("busy", "expected"), [(None, None), (250_000, 0.25)])
def test_a_minute_of_unknown_is_no_minute_of_idling(busy: int | None, expected: float | None) -> None:
    node = Node()
    for _ in range(60):
        node.tick(device(busy_ppm=busy, memory_total_bytes=4 * GIB, memory_used_bytes=GIB))
    view = node.gpus()["GPU-1"]
    assert view.hours == pytest.approx(1 / 60)
    assert view.day_busy_p95 == expected
    assert view.day_memory_p95 == pytest.approx(0.25)


def test_the_day_before_a_restart_counts_once_the_device_is_read() -> None:
    node = Node().tick(device(busy_ppm=500_000))
    tracks: GpuTracks = node.history.tracks.gpus
    tracks.restored.append((CARD, (DayMinute(0.5, 0.1),) * 119))
    tracks.restored.append(("gpu:GPU-gone", (DayMinute(0.5, 0.1),)))
    for _ in range(61):
        node.tick(device(busy_ppm=500_000))
    assert list(tracks.devices) == [CARD]
    assert node.gpus()["GPU-1"].hours == pytest.approx(2.0)


def test_a_driver_that_hangs_for_a_while_takes_no_day_away() -> None:
    node = Node()
    info = nothing_known(GpuInfoSample, CARD, vendor="nvidia", name="H100", index=3)
    for _ in range(130):
        node.tick(device(busy_ppm=500_000), info)
    for _ in range(60):
        node.tick()
    node.tick(device(busy_ppm=500_000))
    view = node.gpus()["GPU-1"]
    assert (view.name, view.index, view.samples) == ("H100", 3, 1)
    assert view.hours == pytest.approx(3 / 60), "and minutes in which it was not read are none"


@pytest.mark.parametrize("every", [0.25, 1.0, 5.0])
def test_how_often_the_agent_beats_changes_no_number(every: float) -> None:
    tracks = GpuTracks()
    readings = [(second / 4 * 1.0, second * GIB // 400) for second in range(400)]
    for at, used in readings[::4]:
        tick = int(at // every)
        process = on_card(7, memory_bytes=used)
        assert isinstance(process, GpuProcessSample)
        one = device(memory_used_bytes=used, busy_ppm=500_000)
        assert isinstance(one, GpuSample)
        tracks.add_device(one, tick, at)
        tracks.add_process(process, tick, at)
    (view,) = gpu_views(tracks, 99.5).values()
    assert (view.samples, view.window_seconds) == (60, 59.0)
    (first_at, first), (last_at, last) = view.processes[0].memory_seen[0], view.processes[0].memory_seen[-1]
    assert (last - first) / (first_at - last_at) == pytest.approx(GIB / 100, rel=0.01)
