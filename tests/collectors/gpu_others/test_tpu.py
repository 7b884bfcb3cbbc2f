"""TPU chips on a machine made of files, and a gRPC server that answers as libtpu does."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("grpc")

import grpc

from collectors.gpu.states import state_of
from collectors.gpu.tpu import service as service_module
from collectors.gpu.tpu.service import BANDWIDTH, DUTY_CYCLE, MEMORY_TOTAL, MEMORY_USED, METRICS, ports
from collectors.gpu.tpu.wire import decode_gauges, decode_names, request
from collectors.reading import Unsupported
from collectors.sources.tpu import TpuCollector
from collectors.sources.tpu_info import TpuInfoCollector
from tests.collectors.gpu_others.readings import run, samples
from tests.collectors.gpu_others.tpu_chips import GIB, of_four, tpu_machine, v3, v6e
from tests.collectors.gpu_others.tpu_service import TpuService, field, point, response
from tests.hosttree import HostTree

Serve = Callable[..., TpuService]


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    return tpu_machine(tmp_path)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    started: list[TpuService] = []

    def start(metrics: dict[str, Any], **values: Any) -> TpuService:
        started.append(TpuService(metrics, **values))
        monkeypatch.setenv("TPU_RUNTIME_METRICS_PORTS", ",".join(str(one.port) for one in started))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port on which nobody listens."""
    service = TpuService({})
    service.stop()
    monkeypatch.setenv("TPU_RUNTIME_METRICS_PORTS", str(service.port))
    return service.port


@pytest.fixture
def collector() -> Iterator[TpuCollector]:
    found = TpuCollector()
    yield found
    found.close()


@pytest.fixture
def informer() -> Iterator[TpuInfoCollector]:
    found = TpuInfoCollector()
    yield found
    found.close()


def missing(informer: TpuInfoCollector, machine: HostTree) -> list[str]:
    found = {one.unsupported for one in samples(informer, machine)}
    assert len(found) == 1
    return (found.pop() or "").split()


def test_what_each_chip_does(machine: HostTree, serve: Serve, collector: TpuCollector) -> None:
    v6e(machine)
    service = serve(of_four(), listed=(*METRICS, "hlo.queue.size.gauge"))
    found = samples(collector, machine)
    assert [one.entity for one in found] == [f"gpu:tpu-0000:0{slot}:00.0" for slot in (7, 6, 5, 4)]
    assert {one.state for one in found} == {"ok"}
    assert [one.memory_used_bytes for one in found] == [0, GIB, 2 * GIB, 3 * GIB]
    assert {one.memory_total_bytes for one in found} == {31 * GIB}
    assert [one.memory_free_bytes for one in found] == [31 * GIB, 30 * GIB, 29 * GIB, 28 * GIB]
    assert [one.busy_ppm for one in found] == [0, 125_000, 999_900, 1_000_000]
    assert {one.dram_active_ppm for one in found} == {432_500}
    assert found[0].processes is found[0].unknown_memory_bytes is found[0].power_mw is None
    samples(collector, machine)
    assert service.asked == list(METRICS) * 2


def test_devices_of_one_chip_are_added_up(machine: HostTree, serve: Serve, collector: TpuCollector) -> None:
    v3(machine)
    serve(
        {
            MEMORY_TOTAL: dict.fromkeys(range(4), 16 * GIB),
            MEMORY_USED: {0: GIB, 1: 2 * GIB, 2: 0, 3: 0},
            DUTY_CYCLE: {0: 50.0, 1: 0.0},  # of each chip
            BANDWIDTH: {0: 10.0, 1: 20.0, 2: 0.0, 3: 1.0},
        }
    )
    first, second = samples(collector, machine)
    assert (first.memory_total_bytes, first.memory_used_bytes) == (32 * GIB, 3 * GIB)
    assert (first.busy_ppm, second.busy_ppm) == (500_000, 0)
    assert (first.dram_active_ppm, second.dram_active_ppm) == (150_000, 5_000)


def test_chips_are_listed_while_nothing_runs_on_them(
    machine: HostTree, unserved: int, collector: TpuCollector, informer: TpuInfoCollector
) -> None:
    v6e(machine)
    found = samples(collector, machine)
    assert [one.state for one in found] == ["ok"] * 4
    assert {(one.memory_total_bytes, one.memory_used_bytes, one.busy_ppm) for one in found} == {(None, None, None)}
    assert missing(informer, machine) == [*METRICS, f"port-{unserved}:no-workload"]


def test_a_workload_that_begins_is_noticed(machine: HostTree, unserved: int, collector: TpuCollector) -> None:
    v6e(machine)
    assert samples(collector, machine)[0].busy_ppm is None
    service = TpuService(of_four(), port=unserved)
    try:
        until = time.monotonic() + 8
        while (found := samples(collector, machine)[3]).busy_ppm is None and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        service.stop()
    assert found.busy_ppm == 1_000_000
    assert samples(collector, machine)[3].busy_ppm is None


def test_a_metric_that_is_not_served_is_said_to_be(
    machine: HostTree, serve: Serve, collector: TpuCollector, informer: TpuInfoCollector
) -> None:
    v6e(machine)
    serve(of_four(**{BANDWIDTH: grpc.StatusCode.NOT_FOUND}))
    assert {one.dram_active_ppm for one in samples(collector, machine)} == {None}
    assert samples(collector, machine)[1].busy_ppm == 125_000
    assert missing(informer, machine) == [BANDWIDTH]


def test_what_it_does_not_list_is_not_asked(machine: HostTree, serve: Serve, collector: TpuCollector) -> None:
    v6e(machine)
    service = serve(of_four(), listed=(MEMORY_USED, "tpu.other"))
    assert samples(collector, machine)[1].memory_used_bytes == GIB
    assert service.asked == [MEMORY_USED]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"\xff\xff", "not-understood"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "not-understood"),
        (b"\0" * (2 << 20), "resource-exhausted"),
        (grpc.StatusCode.PERMISSION_DENIED, "permission-denied"),
        (b"", "tells-nothing"),
    ],
    ids=["garbage", "size", "2 MiB", "refused", "empty"],
)
def test_an_answer_that_is_none(
    machine: HostTree, serve: Serve, collector: TpuCollector, informer: TpuInfoCollector, answer: object, why: str
) -> None:
    v6e(machine)
    service = serve(dict.fromkeys(METRICS, answer))
    assert {(one.state, one.busy_ppm) for one in samples(collector, machine)} == {("ok", None)}
    assert missing(informer, machine)[-1] == f"port-{service.port}:{why}"


def test_services_that_hang_are_left(
    machine: HostTree, serve: Serve, informer: TpuInfoCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    v6e(machine)
    first, *_, last = services = [serve(of_four()) for _ in range(5)]
    for service in services:
        service.delay = 0.5
    monkeypatch.setattr(service_module, "DEADLINE_SECONDS", 0.1)
    monkeypatch.setattr(service_module, "PATIENCE_SECONDS", 0.25)
    words = missing(informer, machine)
    assert f"port-{first.port}:no-answer" in words
    assert f"port-{last.port}:not-asked" in words


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 100.5, "text", (1 << 64) - 5])
def test_a_value_that_cannot_be_is_unknown(
    machine: HostTree, serve: Serve, collector: TpuCollector, value: object
) -> None:
    v6e(machine, 1)
    serve({MEMORY_TOTAL: {0: 0}, MEMORY_USED: {0: (1 << 64) - 1}, DUTY_CYCLE: {0: value}, BANDWIDTH: {0: 1.0}})
    (found,) = samples(collector, machine)
    assert found.busy_ppm is found.memory_total_bytes is found.memory_used_bytes is None
    assert found.dram_active_ppm == 10_000


def test_devices_that_are_not_the_chips_belong_to_none(
    machine: HostTree, serve: Serve, collector: TpuCollector, informer: TpuInfoCollector
) -> None:
    v6e(machine)
    serve(of_four(**{MEMORY_USED: {0: GIB, 1: GIB, 2: GIB}}))
    assert {one.memory_used_bytes for one in samples(collector, machine)} == {None}
    assert samples(collector, machine)[1].busy_ppm == 125_000
    assert missing(informer, machine) == [f"{MEMORY_USED}:3-devices"]


def test_several_processes_each_with_a_port(machine: HostTree, serve: Serve, collector: TpuCollector) -> None:
    v6e(machine)
    for device in range(4):
        serve({DUTY_CYCLE: {device: 10.0 * device}})
    serve({DUTY_CYCLE: {0: 77.0, 1: 77.0}})  # the first that answers for a device counts
    assert [one.busy_ppm for one in samples(collector, machine)] == [0, 100_000, 200_000, 300_000]


def test_without_the_grpc_library_the_extra_is_named(
    machine: HostTree, monkeypatch: pytest.MonkeyPatch, collector: TpuCollector
) -> None:
    v6e(machine)
    monkeypatch.setitem(sys.modules, "grpc", None)  # type: ignore[arg-type]  # as import does for what is not there
    outcome = run(collector, machine).outcome
    assert isinstance(outcome, Unsupported)
    assert state_of(outcome) == "no driver"
    assert "pip install 'nodewright[kubernetes]'" in outcome.hint


def test_ports_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_RUNTIME_METRICS_PORTS", raising=False)
    assert ports() == (8431,)
    monkeypatch.setenv("TPU_RUNTIME_METRICS_PORTS", "8431, 8432,8432,0,99999,x,-1,²")
    assert ports() == (8431, 8432)
    monkeypatch.setenv("TPU_RUNTIME_METRICS_PORTS", ",".join(map(str, range(1, 100))))
    assert len(ports()) == 16


def test_what_a_message_says() -> None:
    assert request(MEMORY_USED) == field(1, MEMORY_USED)
    assert decode_gauges(response("x", {0: 5, 3: 2.5})) == {0: 5, 3: 2.5}
    named = field(1, field(1, "device") + field(2, field(1, "17"))) + field(3, field(2, 9))
    assert decode_gauges(field(1, field(3, named))) == {17: 9}
    assert decode_gauges(field(1, field(3, field(3, field(2, 9))))) == {0: 9}
    assert decode_gauges(field(1, field(3, field(1, b"") + field(3, b"")))) == {}
    assert decode_names(field(1, field(1, "a")) + field(1, field(1, "b"))) == {"a", "b"}


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    for message in (
        data,
        field(1, field(3, data)),
        field(1, field(3, point(1, 2.0) + data)),
        field(1, field(3, field(3, data))),
    ):
        try:
            assert all(value >= 0 for value in decode_gauges(message).values())
            decode_names(message)
        except ValueError:
            pass


def test_chips_that_are_gone(machine: HostTree, collector: TpuCollector) -> None:
    outcome = run(collector, machine).outcome
    assert isinstance(outcome, Unsupported)
    assert state_of(outcome) == "no device"
