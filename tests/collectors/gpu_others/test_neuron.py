"""Neuron devices, by shell scripts that write what neuron-monitor is documented to write."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collectors.gpu.neuron import monitor
from collectors.gpu.neuron.lines import NewestLine
from collectors.gpu.neuron.monitor import CONFIG, FRESH_NS, SILENT_NS, Monitor, monitor_of
from collectors.gpu.states import state_of
from collectors.reading import Ok, Unreadable
from collectors.sources.neuron import NeuronCollector
from collectors.sources.neuron_health import NeuronHealthCollector
from collectors.sources.neuron_info import NeuronInfoCollector
from tests.collectors.gpu_others.neuron_reports import (
    GIB,
    install,
    neuron_machine,
    printing,
    report,
    runtime,
    samples,
    starts,
    why,
)
from tests.collectors.gpu_others.readings import run
from tests.hosttree import HostTree

MIB = 1 << 20
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[HostTree]:
    with neuron_machine(tmp_path) as found:
        yield found


def test_what_each_device_does(machine: HostTree) -> None:
    machine.process(500, started=9)
    first = runtime(500, {0: 42.01, 1: 42.03, 4: 100.0}, {0: 10 * GIB, 1: GIB, 4: 2 * GIB, 5: 0})
    second = runtime(501, {5: 0.0}, {5: GIB})
    printing(machine, report(first, second))
    one, of_one, two, of_two, of_other = samples(NeuronCollector(), machine)
    assert (one.entity, one.state) == ("gpu:neuron0", "ok")
    assert (one.memory_total_bytes, one.memory_used_bytes, one.memory_free_bytes) == (96 * GIB, 11 * GIB, 85 * GIB)
    assert one.busy_ppm == 210_100  # (42.01 + 42.03) / 4 cores
    assert (one.processes, one.unknown_processes, one.unknown_memory_bytes) == (1, 0, 0)
    assert one.power_mw is one.sm_clock_mhz is one.temperature_celsius is None
    assert of_one.entity == "gpu-process:neuron0/500"
    assert (of_one.worker, of_one.context) == ("worker:500:9", "compute")
    assert (of_one.memory_bytes, of_one.sm_ppm) == (11 * GIB, 420_200)  # of the two cores that it has
    assert (two.entity, two.busy_ppm, two.memory_used_bytes) == ("gpu:neuron1", 250_000, 3 * GIB)
    assert (two.processes, two.unknown_processes) == (2, 1)
    assert (of_two.memory_bytes, of_two.sm_ppm) == (2 * GIB, 1_000_000)
    assert (of_other.worker, of_other.memory_bytes, of_other.sm_ppm) == (None, GIB, 0)


def test_who_asks_seldom_waits_for_the_first_report(machine: HostTree) -> None:
    path = machine.file("opt/aws/neuron/later", json.dumps(report()) + "\n")
    install(machine, f"sleep 0.15; cat {path}; exec sleep 60")
    assert state_of(run(NeuronCollector(), machine).outcome) == "starting"
    assert isinstance(run(NeuronInfoCollector(), machine).outcome, Ok)


@pytest.mark.parametrize("nothing", [[], None])
def test_devices_that_nobody_uses_are_idle(machine: HostTree, nothing: object) -> None:
    printing(machine, report(neuron_runtime_data=nothing))
    for device in samples(NeuronCollector(), machine):
        assert (device.busy_ppm, device.memory_used_bytes, device.processes) == (0, 0, 0)
        assert device.memory_free_bytes == 96 * GIB


def test_a_runtime_that_cannot_be_read_is_unknown_on_every_device(machine: HostTree) -> None:
    printing(machine, report(runtime(500, {0: 10.0}, {0: GIB}), runtime(501, {4: 5.0}, {4: GIB}, error="it is gone")))
    one, known, two = samples(NeuronCollector(), machine)
    assert (known.memory_bytes, known.sm_ppm) == (GIB, 100_000)
    for device in (one, two):
        assert device.busy_ppm is device.memory_used_bytes is device.processes is device.unknown_memory_bytes is None
        assert (device.state, device.memory_total_bytes) == ("ok", 96 * GIB)
    assert samples(NeuronInfoCollector(), machine)[0].unsupported == "runtime:501"


def test_a_group_that_cannot_be_read_is_unknown_on_its_device(machine: HostTree) -> None:
    broken = runtime(501, {4: 50.0}, {}, memory_used={"error": "no such process"})
    printing(machine, report(runtime(500, {0: 10.0}, {0: GIB}), broken))
    one, _, two, process = samples(NeuronCollector(), machine)
    assert (one.busy_ppm, one.memory_used_bytes) == (25_000, GIB)
    assert (two.busy_ppm, two.memory_used_bytes, two.unknown_memory_bytes) == (125_000, None, None)
    assert (process.memory_bytes, process.sm_ppm) == (None, 500_000)
    assert samples(NeuronInfoCollector(), machine)[0].unsupported == "memory_used:501"


def test_counters_that_cannot_be_read_leave_the_memory(machine: HostTree) -> None:
    counters = {"neuroncores_in_use": {}, "error": "timeout"}
    printing(machine, report(runtime(501, {}, {4: GIB, 0: 0}, neuroncore_counters=counters)))
    one, two, process = samples(NeuronCollector(), machine)
    assert (one.busy_ppm, one.processes) == (0, 0)
    assert (two.busy_ppm, two.memory_used_bytes) == (None, GIB)
    assert (process.sm_ppm, process.memory_bytes) == (None, GIB)


def test_one_device_has_every_process(machine: HostTree) -> None:
    (machine.root / "dev/neuron1").unlink()
    hardware = {"neuron_device_type": "inferentia2", "neuron_device_count": 1, "error": ""}
    lost = runtime(501, {}, {}, error="it is gone")
    printing(machine, report(runtime(500, {0: 10.0}, {0: GIB}), lost, neuron_hardware_info=hardware))
    device, first, second = samples(NeuronCollector(), machine)
    assert (device.busy_ppm, device.memory_used_bytes, device.processes) == (None, None, 2)
    assert device.memory_total_bytes is None
    assert (first.memory_bytes, first.sm_ppm) == (GIB, 100_000)
    assert (second.memory_bytes, second.sm_ppm) == (None, None)


def test_cores_of_devices_that_are_not_here_make_these_unknown_and_not_idle(machine: HostTree) -> None:
    printing(machine, report(runtime(500, {8: 10.0}, {8: GIB})))
    assert [one.busy_ppm for one in samples(NeuronCollector(), machine)] == [None, None]


@pytest.mark.parametrize(
    ("hardware", "state", "hint"),
    [
        ({"error": "Neuron driver is not running"}, "no driver", "Neuron driver is not running"),
        ({"error": "open /dev/neuron0: permission denied"}, "permission", "permission denied"),
        ({"neuron_device_count": 0, "error": ""}, "no device", "names no device"),
    ],
)
def test_a_driver_that_does_not_tell(machine: HostTree, hardware: dict[str, Any], state: str, hint: str) -> None:
    printing(machine, report(neuron_hardware_info=hardware))
    assert hint in why(NeuronCollector(), machine, state)


@pytest.mark.parametrize(
    "changed",
    [
        {"neuron_runtime_data": [7, None, {"pid": "x"}, {"pid": 5, "report": None}], "system_data": None},
        {"neuron_runtime_data": {"pid": 5}, "system_data": {"neuron_hw_counters": {"neuron_devices": [1, {}]}}},
        {"neuron_runtime_data": [runtime(5, {0: -3.0, 1: 5000.0}, {0: 1 << 60})], "neuron_hardware_info": 9},
        {"neuron_runtime_data": [runtime(5, {}, {}, neuroncore_counters={"neuroncores_in_use": {"x": {}, "9": 7}})]},
        {"neuron_runtime_data": [runtime(1 << 70, {0: 1.0}, {})], "neuron_hardware_info": {"neuron_device_count": "2"}},
    ],
)
def test_parts_that_are_not_as_documented_are_not_told(machine: HostTree, changed: dict[str, Any]) -> None:
    printing(machine, report(**changed))
    found = [one for one in samples(NeuronCollector(), machine) if one.kind == "gpu"]
    assert [one.state for one in found] == ["ok", "ok"]
    assert len(samples(NeuronInfoCollector(), machine)) == 2
    assert isinstance(run(NeuronHealthCollector(), machine).outcome, Ok)


def test_a_core_counts_to_100_percent(machine: HostTree) -> None:
    printing(machine, report(runtime(500, {0: 101.3, 1: 100.0, 2: 100.0, 3: 100.0}, {0: GIB})))
    assert samples(NeuronCollector(), machine)[0].busy_ppm == 1_000_000


def test_how_it_is_started(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURON_SECRET", "ours")
    path = machine.file("opt/aws/neuron/lines", json.dumps(report()) + "\n")
    install(
        machine, f'cp "$2" {path}.config; echo "$#" "$1" > {path}.args; env > {path}.env; cat {path}; exec sleep 60'
    )
    samples(NeuronCollector(), machine)
    assert json.loads(Path(f"{path}.config").read_text()) == CONFIG
    assert Path(f"{path}.args").read_text() == "2 -c\n"
    environment = Path(f"{path}.env").read_text()
    assert "NEURON_SECRET" not in environment
    assert "PATH=/opt/aws/neuron/bin:" in environment


def test_the_newest_of_many_reports_counts(machine: HostTree) -> None:
    reports = [report(runtime(500, {0: float(share)}, {0: GIB})) for share in range(50)]
    printing(machine, *reports)
    collector = NeuronCollector()
    samples(collector, machine)
    until = time.monotonic() + 3
    while (busy := samples(collector, machine)[0].busy_ppm) != 122_500 and time.monotonic() < until:
        time.sleep(0.01)
    assert busy == 122_500  # 49 % of one of four cores


def test_one_that_ends_is_started_again(machine: HostTree) -> None:
    end = machine.root / "end"
    wait = f"while [ ! -e {end} ]; do sleep 0.01; done"
    printing(machine, report(), then=f"{wait}; echo 'cannot open device' >&2; exit 3")
    collector = NeuronCollector()
    samples(collector, machine)
    machine.clock.advance(FRESH_NS * 1e-9 + 0.1)
    end.write_text("")
    assert why(collector, machine, "failed") == "neuron-monitor ended with status 3: cannot open device"
    machine.clock.advance(1.1)
    samples(collector, machine)
    assert starts(machine) == 2


def test_one_that_ends_at_once_is_started_less_and_less_often(machine: HostTree) -> None:
    printing(machine, then="echo 'cannot open device' >&2; exit 3")
    collector = NeuronCollector()
    for times, delay in enumerate((1, 2, 4, 8, 16, 32, 60, 60), start=1):
        why(collector, machine, "failed")
        machine.clock.advance(delay - 0.01)
        assert state_of(run(collector, machine).outcome) == "failed"
        assert starts(machine) == times
        machine.clock.advance(0.02)
        run(collector, machine)


def test_one_that_says_nothing_is_ended_and_started_again(machine: HostTree) -> None:
    printing(machine, report())
    collector = NeuronCollector()
    samples(collector, machine)
    machine.clock.advance(FRESH_NS * 1e-9 + 0.1)
    assert "has not reported" in why(collector, machine, "unresponsive")
    assert starts(machine) == 1
    machine.clock.advance(SILENT_NS * 1e-9)
    assert "started again" in why(collector, machine, "unresponsive")
    machine.clock.advance(1.1)
    samples(collector, machine)
    assert starts(machine) == 2


@pytest.mark.parametrize("garbage", ["what", "[1, 2]", "", "[" * 100_000, "\x00\xff"], ids=str.__len__)
def test_a_line_that_is_no_report_is_left_out(machine: HostTree, garbage: str) -> None:
    printing(machine, garbage, report(), garbage)
    assert len(samples(NeuronCollector(), machine)) == 2


@pytest.mark.parametrize("garbage", ["{}", '{"pid": ', '{"a":' * 100_000], ids=str.__len__)
def test_one_that_writes_other_things_than_reports(machine: HostTree, garbage: str) -> None:
    printing(machine, garbage)
    assert "no report" in why(NeuronCollector(), machine, "failed")


def test_a_line_of_50_mb_is_left_out(machine: HostTree) -> None:
    path = machine.file("opt/aws/neuron/lines", json.dumps(report()) + "\n")
    install(machine, f"head -c 50000000 /dev/zero | tr '\\0' x; echo; cat {path}; exec sleep 60")
    assert len(samples(NeuronCollector(), machine)) == 2


def test_a_line_without_end_takes_bounded_memory_and_time(machine: HostTree) -> None:
    install(machine, "exec tr '\\0' x < /dev/zero")
    collector = NeuronCollector()
    run(collector, machine)
    known = monitor_of(str(machine.root / "opt/aws/neuron/bin/neuron-monitor"))
    for _ in range(8):
        time.sleep(0.01)
        assert state_of(run(collector, machine).outcome) == "starting"
        assert len(known._lines._begun) <= monitor.LINE_LIMIT_BYTES


def test_lines_of_a_stream() -> None:
    ours, theirs = os.pipe()
    try:
        lines = NewestLine(ours, 10)
        for written, found in (
            (b"", None), (b"one\ntwo\nthr", b"two"), (b"ee", None), (b"\n", b"three"), (b"\n", None),
            (b"0123456789", None), (b"x", None), (b"yz", None), (b"\nfour\n", b"four"), (b"a" * 30 + b"\nb", None),
            (b"\n", b"b"), (b"0123456789\n", b"0123456789"),
        ):  # fmt: skip
            os.write(theirs, written)
            assert lines.read() == found, written
    finally:
        os.close(ours)
        os.close(theirs)


def alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def pid_in(path: Path) -> int:
    until = time.monotonic() + 10
    while not (path.exists() and path.read_text().strip()) and time.monotonic() < until:
        time.sleep(0.01)
    return int(path.read_text())


def test_it_ends_when_it_is_closed(machine: HostTree) -> None:
    path = machine.root / "pid"
    printing(machine, report(), then=f"sleep 60 & echo $! > {path}; exec sleep 60")
    collector = NeuronCollector()
    samples(collector, machine)
    child = pid_in(path)
    assert alive(child)
    collector.close()
    until = time.monotonic() + 2
    while alive(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(child)
    samples(collector, machine)  # who asks again starts another one
    assert starts(machine) == 2


@pytest.mark.skipif(not os.path.exists("/usr/bin/setpriv"), reason="needs setpriv of util-linux")
def test_it_ends_when_its_reader_is_killed(machine: HostTree) -> None:
    path = machine.root / "pid"
    program = install(machine, f"echo $$ > {path}; exec sleep 60")
    code = f"import time; from collectors.gpu.neuron.monitor import Monitor; m = Monitor({str(program)!r})\n"
    code += "try: m.report(time.monotonic_ns())\nexcept Exception: time.sleep(60)"
    reader = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        child = pid_in(path)
        assert alive(child)
    finally:
        reader.send_signal(signal.SIGKILL)
        reader.wait()
    until = time.monotonic() + 2
    while alive(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(child)


def test_a_program_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "dies_with_us", tuple)
    gone = Monitor(str(tmp_path / "neuron-monitor"))
    with pytest.raises(Unreadable) as seen:
        gone.report(0)
    assert (seen.value.reason, seen.value.hint) == (
        "failed",
        "neuron-monitor cannot be started: No such file or directory",
    )
    (tmp_path / "neuron-monitor").write_text("#!/bin/sh\n")
    with pytest.raises(Unreadable) as seen:
        gone.report(1_000_000_000)
    assert seen.value.reason == "permission"
