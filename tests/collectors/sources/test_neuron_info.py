"""What is each Neuron device said to be?"""

from pathlib import Path

from collectors.sources.neuron import NeuronCollector
from collectors.sources.neuron_info import NeuronInfoCollector
from tests.collectors.gpu_others.neuron_reports import neuron_machine, printing, report, samples, starts


def test_kind_and_place_of_each_device(tmp_path: Path) -> None:
    with neuron_machine(tmp_path) as machine:
        machine.file("sys/module/neuron/version", "2.21.37.0\n")
        printing(machine, report())
        _, info = samples(NeuronInfoCollector(), machine)
        samples(NeuronCollector(), machine)
        assert starts(machine) == 1  # all read what one program says
    assert (info.entity, info.vendor, info.index) == ("gpu:neuron1", "aws", 1)
    assert (info.name, info.architecture, info.multiprocessors) == ("trainium2", "v3d", 4)
    assert (info.device_file, info.driver, info.unsupported) == ("/dev/neuron1", "2.21.37.0", None)
