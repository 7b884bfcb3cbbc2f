"""Is it seen from files alone whether there is an AMD driver to ask?"""

from pathlib import Path

import pytest

from collectors.sources.amd import AmdCollector
from collectors.sources.amd_health import AmdHealthCollector
from collectors.sources.amd_info import AmdInfoCollector
from tests.collectors.gpu_others.pci_tree import pci_device
from tests.collectors.gpu_others.readings import seen
from tests.hosttree import HostTree

KINDS = [AmdCollector, AmdHealthCollector, AmdInfoCollector]
Kind = type[AmdCollector] | type[AmdHealthCollector] | type[AmdInfoCollector]


@pytest.mark.parametrize("kind", KINDS)
def test_a_driver_is_seen_by_its_files(tmp_path: Path, kind: Kind) -> None:
    assert seen(kind(), HostTree(tmp_path / "none"))[0] == "no AMD GPU"
    container = HostTree(tmp_path / "container")
    container.file("dev/kfd", "")
    assert seen(kind(), container)[0] == "present"


@pytest.mark.parametrize("what", ["0x120000", "0x030000", "0x038000"])
def test_a_card_without_a_driver_is_no_absent_card(tmp_path: Path, what: str) -> None:
    machine = HostTree(tmp_path)
    pci_device(machine, "0000:c1:00.0", "0x1002", "0x74a1", klass=what)
    assert seen(AmdCollector(), machine)[0] == "no driver"
    machine.file("sys/module/amdgpu/version", "6.10.5\n")
    assert seen(AmdCollector(), machine)[0] == "present"


@pytest.mark.parametrize(("vendor", "what"), [("0x1002", "0x060000"), ("0x10de", "0x030200")])
def test_a_bridge_or_a_card_of_another_vendor_is_none(tmp_path: Path, vendor: str, what: str) -> None:
    machine = HostTree(tmp_path)
    pci_device(machine, "0000:00:00.0", vendor, "0x1480", klass=what)
    assert seen(AmdCollector(), machine)[0] == "no AMD GPU"


def test_what_waits_for_nothing_says_so() -> None:
    assert {kind().doing for kind in KINDS} == {""}
    assert {kind.process for kind in KINDS} == {"amd"}
