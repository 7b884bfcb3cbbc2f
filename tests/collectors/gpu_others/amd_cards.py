"""A node with AMD cards, whose `amdsmi` is the stand-in."""

import sys
from pathlib import Path
from typing import Any

import pytest

from collectors.gpu.amd import library
from tests.collectors.gpu_others.fake_amdsmi import MI300X, FakeSmi
from tests.collectors.gpu_others.pci_tree import pci_device
from tests.collectors.gpu_others.readings import in_outermost_namespace
from tests.hosttree import HostTree

ENTITY = f"gpu:{MI300X['get_gpu_device_uuid']}"


def amd_machine(root: Path) -> HostTree:
    found = HostTree(root)
    pci_device(found, "0000:c1:00.0", "0x1002", "0x74a1", numa_node="1")
    in_outermost_namespace(found)
    return found


def install(monkeypatch: pytest.MonkeyPatch, *cards: dict[str, Any]) -> FakeSmi:
    """The module with these cards, which nobody has begun to use."""
    library.smi.cache_clear()
    found = FakeSmi(*cards)
    monkeypatch.setitem(sys.modules, "amdsmi", found)
    return found


def card(**answers: Any) -> dict[str, Any]:
    return {**MI300X, **answers}
