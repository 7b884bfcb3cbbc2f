"""What is a TPU chip said to be, and where?"""

from pathlib import Path

import pytest

pytest.importorskip("grpc")

from collectors.sources.tpu_info import TpuInfoCollector
from tests.collectors.gpu_others.readings import samples
from tests.collectors.gpu_others.tpu_chips import of_four, tpu_machine, v6e
from tests.collectors.gpu_others.tpu_service import TpuService


def test_what_each_chip_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = tpu_machine(tmp_path)
    v6e(machine)
    service = TpuService(of_four())
    monkeypatch.setenv("TPU_RUNTIME_METRICS_PORTS", str(service.port))
    collector = TpuInfoCollector()
    try:
        first, *_, last = samples(collector, machine)
    finally:
        collector.close()
        service.stop()
    assert (first.vendor, first.name, first.architecture, first.index) == ("google", "TPU v6e", "v6e", 0)
    assert (first.pci, first.device_file, first.numa_node) == ("0000:07:00.0", "/dev/vfio/0", 1)
    assert (last.pci, last.device_file, last.numa_node, last.index) == ("0000:04:00.0", "/dev/vfio/3", 0, 3)
    assert first.unsupported is None
