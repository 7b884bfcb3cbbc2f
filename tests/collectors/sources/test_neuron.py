"""Is it seen from files alone whether there are Neuron devices, and the program that reads them?"""

import os
from pathlib import Path

import pytest

from collectors.sources.neuron import NeuronCollector
from collectors.sources.neuron_health import NeuronHealthCollector
from collectors.sources.neuron_info import NeuronInfoCollector
from tests.collectors.gpu_others.pci_tree import pci_device
from tests.collectors.gpu_others.readings import seen
from tests.hosttree import HostTree

KINDS = [NeuronCollector, NeuronHealthCollector, NeuronInfoCollector]
Kind = type[NeuronCollector] | type[NeuronHealthCollector] | type[NeuronInfoCollector]


@pytest.mark.parametrize("kind", KINDS)
def test_devices_their_driver_and_their_program_are_seen_by_files(tmp_path: Path, kind: Kind) -> None:
    machine = HostTree(tmp_path)
    pci_device(machine, "0000:00:05.0", "0x1d0f", "0xec20", klass="0x020000")  # a network card
    assert seen(kind(), machine)[0] == "no AWS Neuron device"
    pci_device(machine, "0000:00:1e.0", "0x1d0f", "0x7364")
    state, hint = seen(kind(), machine)
    assert state == "no driver"
    assert "aws-neuronx-dkms" in hint
    machine.file("dev/neuron0", "")
    state, hint = seen(kind(), machine)
    assert state == "no driver"
    assert "aws-neuronx-tools" in hint
    program = machine.file("usr/bin/neuron-monitor", "#!/bin/sh\n")
    program.chmod(0o644)
    assert not os.access(program, os.X_OK)
    assert seen(kind(), machine)[0] == "permission"
    program.chmod(0o755)
    assert seen(kind(), machine)[0] == "present"


def test_they_share_a_process() -> None:
    assert {kind.process for kind in KINDS} == {"neuron"}
