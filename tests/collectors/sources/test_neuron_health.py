"""Which errors are counted on each Neuron device?"""

from pathlib import Path

from collectors.sources.neuron_health import NeuronHealthCollector
from tests.collectors.gpu_others.neuron_reports import neuron_machine, printing, report, samples


def test_errors_of_each_device(tmp_path: Path) -> None:
    with neuron_machine(tmp_path) as machine:
        printing(machine, report())
        found = samples(NeuronHealthCollector(), machine)
    assert [(one.entity, one.ecc_corrected, one.ecc_uncorrected) for one in found] == [
        ("gpu:neuron0", 1, 0), ("gpu:neuron1", 3, 1),
    ]  # fmt: skip


def test_counters_that_cannot_be_read_are_not_told(tmp_path: Path) -> None:
    counters = {"neuron_hw_counters": {"neuron_devices": None, "error": "not supported"}}
    with neuron_machine(tmp_path) as machine:
        printing(machine, report(system_data=counters))
        assert samples(NeuronHealthCollector(), machine) == []
