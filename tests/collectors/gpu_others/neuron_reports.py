"""Reports of neuron-monitor as its user guide shows them, a node with programs that stand in for it, and its readings."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collectors.collector import Collector
from collectors.gpu.neuron.monitor import monitor_of
from collectors.gpu.states import state_of
from collectors.reading import Ok, Unsupported
from tests.collectors.gpu_others.readings import in_outermost_namespace, run
from tests.hosttree import HostTree

GIB = 1 << 30


@contextmanager
def neuron_machine(root: Path) -> Iterator[HostTree]:
    """A node with two devices. What is started there is ended."""
    found = HostTree(root)
    for index in (0, 1):
        found.file(f"dev/neuron{index}", "")
    in_outermost_namespace(found)
    yield found
    monitor_of(str(root / "opt/aws/neuron/bin/neuron-monitor")).close()
    monitor_of.cache_clear()


def samples(collector: Collector, machine: HostTree) -> list[Any]:
    """Of the first reading that is not about the start."""
    until = time.monotonic() + 10
    while True:
        outcome = run(collector, machine).outcome
        if isinstance(outcome, Ok):
            return list(outcome.samples)
        assert state_of(outcome) == "starting", outcome
        assert time.monotonic() < until
        time.sleep(0.01)


def why(collector: Collector, machine: HostTree, state: str) -> str:
    """The hint, once it is in that state."""
    until = time.monotonic() + 10
    while True:
        outcome = run(collector, machine).outcome
        if isinstance(outcome, Unsupported) and state_of(outcome) == state:
            return outcome.hint
        assert time.monotonic() < until, outcome
        time.sleep(0.01)


def runtime(
    pid: int, busy: dict[int, float], memory: dict[int, int], *, error: str = "", **groups: Any
) -> dict[str, Any]:
    """An entry of `neuron_runtime_data`. `busy`: core -> percent; `memory`: core -> bytes."""
    breakdown = {
        str(core): {
            "constants": size // 2, "model_code": 0, "model_shared_scratchpad": 0, "runtime_memory": 0,
            "tensors": size - size // 2,
        }
        for core, size in memory.items()
    }  # fmt: skip
    report = {
        "neuroncore_counters": {
            "period": 1.000113182,
            "neuroncores_in_use": {
                str(core): {"neuroncore_utilization": share, "flops": 1234567891011} for core, share in busy.items()
            },
            "error": "",
        },
        "memory_used": {
            "period": 1.00001,
            "neuron_runtime_used_bytes": {
                "host": 6997643264,
                "neuron_device": sum(memory.values()),
                "usage_breakdown": {"host": {"constants": 0}, "neuroncore_memory_usage": breakdown},
            },
            "loaded_models": [],
            "error": "",
        },
        **groups,
    }
    return {"pid": pid, "address": "", "neuron_runtime_tag": str(pid), "error": error, "report": report}


def report(*runtimes: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A report of two Trainium2 devices of four cores each."""
    return {
        "neuron_runtime_data": list(runtimes),
        "system_data": {
            "neuron_hw_counters": {
                "period": 1.03,
                "neuron_devices": [
                    {
                        "neuron_device_index": index, "mem_ecc_corrected": 2 * index, "mem_ecc_uncorrected": 0,
                        "sram_ecc_uncorrected": index, "sram_ecc_corrected": 1,
                    }
                    for index in (0, 1)
                ],
                "error": "",
            },
        },
        "instance_info": {"instance_type": "trn2.3xlarge", "error": ""},
        "neuron_hardware_info": {
            "neuron_device_type": "trainium2", "neuron_device_version": "v4", "neuroncore_version": "v3d",
            "neuron_device_count": 2, "neuron_device_memory_size": 96 * GIB, "neuroncore_per_device_count": 4,
            "logical_neuroncore_config": 2, "error": "",
        },
        **parts,
    }  # fmt: skip


def install(machine: HostTree, script: str) -> Path:
    """Put a shell script where neuron-monitor is."""
    path = machine.file("opt/aws/neuron/bin/neuron-monitor", f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def printing(machine: HostTree, *lines: dict[str, Any] | str, then: str = "exec sleep 60") -> Path:
    """A program that prints these lines at once, and then does as `then` says."""
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path = machine.file("opt/aws/neuron/lines", text)
    return install(machine, f"echo started >> {path}.starts\ncat {path}\n{then}")


def starts(machine: HostTree) -> int:
    """How often it was started."""
    try:
        return len((machine.root / "opt/aws/neuron/lines.starts").read_text().splitlines())
    except OSError:
        return 0
