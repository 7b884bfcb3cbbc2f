"""What do the screens say of a GPU, and what where something of it cannot be read?"""

import msgspec
import pytest

from advisor.documents import CollectorStatus, GpuStatus
from tests.snapshots import GIB, example_gpus, example_snapshot, gpu_snapshot, gpuless_snapshot, unreadable_gpu_snapshot
from tui.gpu_facts import rows_of
from tui.gpus import activity_text, is_told_by_reader, memory_share, memory_text, pids_on, short_name, troubles
from tui.screens.gpus import no_gpu_text, unreadable_text
from tui.widgets.gpu_fact_list import not_given
from tui.widgets.gpu_lines import gpu_lines
from tui.widgets.gpu_process_table import row
from tui.widgets.unreadable_list import is_absent

FULL, PLAIN, DIVIDED, SMALL, LARGE, LOST = example_gpus()


def changed(gpu: GpuStatus, **fields: object) -> GpuStatus:
    return msgspec.structs.replace(gpu, **fields)


def facts(gpu: GpuStatus, instances: int = 0) -> dict[str, str]:
    """The rows of `gpu` as text."""
    rows = rows_of(gpu, "GPU 2", instances)
    return {row.label: " · ".join(str(fact) for fact in row.facts if str(fact)) for row in rows}


def collector(name: str, status: str, reason: str, hint: str | None) -> CollectorStatus:
    return CollectorStatus(
        name=name, status=status, reason=reason, hint=hint, duration_seconds=0.0, late_seconds=0.0, runs=1
    )


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA H100 80GB HBM3", "H100 80GB HBM3"),
        ("Tesla T4", "T4"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("AMD Instinct MI300X", "MI300X"),
        ("NVIDIA", "NVIDIA"),
        ("evil\x1b[2J", "evil\N{REPLACEMENT CHARACTER}[2J"),
    ],
)
def test_a_short_name_leaves_out_what_tells_no_two_devices_apart(name: str, short: str) -> None:
    assert short_name(changed(FULL, name=name)) == short


def test_an_instance_is_called_by_its_profile() -> None:
    assert short_name(SMALL) == "MIG 1g.18gb"


def test_busy_time_is_never_shown_as_how_much_was_used() -> None:
    assert [activity_text(gpu) for gpu in (FULL, PLAIN, DIVIDED, SMALL, LARGE)] == [
        "SM 63 %",
        "busy-time 98 %",
        "divided",
        "SM 0 %",
        "SM –",
    ]


def test_memory_that_is_not_told_is_a_dash_and_no_share() -> None:
    assert (memory_text(PLAIN), memory_share(PLAIN)) == ("5.0 GiB of 45 GiB", 5 / 45)
    assert (memory_text(LARGE), memory_share(LARGE)) == ("–", None)
    shared = changed(LARGE, memory_total_bytes=120 * GIB, unified_memory=True)
    assert (memory_text(shared), memory_share(shared)) == ("– of 120 GiB", None)


@pytest.mark.parametrize("width", [78, 158])
def test_the_lines_of_devices_hold_their_numbers_and_fit(width: int) -> None:
    told = [line.plain for line in gpu_lines(example_gpus(), width)]
    assert max(len(line) for line in told) <= width
    assert told[0].startswith("  0 H100 80GB HBM3  █")
    assert " ".join(told[0].split("░  ")[1].split()) == "24 GiB of 80 GiB SM 63 % 698 W 71 °C"
    assert "busy-time 98 %   88 W  39 °C" in told[1]
    assert told[3].startswith("      MIG 1g.18gb")
    assert told[3].endswith("1.0 GiB of 16 GiB  SM 0 %")
    assert told[5] == "  3 H100 80GB HBM3  lost"


def test_a_narrow_screen_shortens_the_name_first() -> None:
    told = gpu_lines((FULL,), 62)[0].plain
    assert "…" in told
    assert told.endswith("24 GiB of 80 GiB  SM 63 %  698 W  71 °C")


def test_traffic_stands_against_what_the_link_carries() -> None:
    assert facts(FULL)["PCIe"] == (
        "sent 1.0 GiB/s (4 %) · received 3.5 GiB/s (13 %) · link about 26 GiB/s each way · generation 5 of 5 · 8 of 16 lanes"
    )
    assert "in samples of 20 ms" in facts(PLAIN)["PCIe"]


def test_everything_else_that_is_known_has_a_row() -> None:
    told = facts(FULL)
    assert told["clock"] == "1755 MHz · at most 1980 MHz"
    assert told["power"] == "698 W · limit 700 W · 71 °C"
    assert told["held down"].startswith("power limit 12 % · heat, by the driver 0 %")
    assert told["errors"] == (
        "ECC 0 uncorrected · row remap pending no · failed no · XID 1 in 5 min · newest XID 43"
    )  # fmt: skip
    assert told["sharing"] == "MIG off · MPS on · compute mode exclusive-process"
    assert told["place"] == "NUMA node 0 · near cpu 0-23 · PCI 0000:83:00.0"
    assert told["software"] == "driver 590.48.01 · CUDA 13.1 · hopper · compute capability 9.0"
    assert told["read too"] == "by nv-hostengine"


def test_what_is_unknown_is_a_dash_and_never_zero() -> None:
    told = facts(LOST)
    assert told["clock"] == "– · at most –"
    assert told["power"] == "– · limit – · –"
    assert told["held down"] == told["errors"] == "–"
    assert told["place"] == "NUMA node – · near cpu – · PCI –"
    assert not any(
        character in "".join(told[name] for name in ("PCIe", "clock", "power")) for character in "0123456789"
    )


def test_of_an_instance_what_only_its_device_tells_is_looked_up_there() -> None:
    told = facts(SMALL)
    assert told["see also"] == "GPU 2: PCIe, clock, power, held down, errors"
    assert "clock" not in told
    assert told["sharing"].startswith("MIG instance of GPU 2")
    assert facts(DIVIDED, instances=2)["sharing"].startswith("MIG: 2 instances")


def test_what_a_device_does_not_give_is_named() -> None:
    told = " ".join(not_given(PLAIN.unsupported, 60).plain.split())
    assert told == "not given by this device: GpmSupport, ClocksEventReasonCounters, ProcessUtilization"


def test_a_process_says_whose_it_is_and_unknown_memory_is_a_question_mark() -> None:
    own, _, hidden, stranger = FULL.processes
    assert [str(cell) for cell in row(own)] == ["101", "gunicorn/app:8000", "1", "compute", "12 GiB", "35 %"]
    assert [str(cell) for cell in row(hidden)] == [
        "31337", "not of this PID namespace", "", "compute", "2.0 GiB", "–",
    ]  # fmt: skip
    assert [str(cell) for cell in row(stranger)] == ["777", "no known service", "", "compute", "?", "0 %"]


def test_numbers_of_another_pid_namespace_are_no_processes_of_this_node() -> None:
    assert pids_on(example_gpus()) == {101, 102, 777, 201}


def test_readers_are_in_trouble_unless_they_read_or_find_nothing() -> None:
    assert troubles(gpuless_snapshot().node) == ()
    assert [(one.name, one.state) for one in troubles(gpu_snapshot().node)] == [("amd", "permission")]


def test_in_a_recording_the_collectors_say_in_which_state_their_reader_was() -> None:
    node = example_snapshot().node
    hint = "modprobe nvidia, or install the driver"
    silent = tuple(collector(name, "unsupported", "no driver", hint) for name in ("nvidia", "nvidia-health"))
    recorded = msgspec.structs.replace(node, collectors=(*node.collectors, *silent))
    assert [(one.name, one.state, one.detail) for one in troubles(recorded)] == [("nvidia", "no driver", hint)]
    assert troubles(node) == ()


def test_what_the_reader_says_already_and_what_nobody_misses_is_not_said_to_be_unreadable() -> None:
    node = unreadable_gpu_snapshot().node
    assert is_told_by_reader(collector("nvidia-health", "unsupported", "driver mismatch", "reboot"), node)
    assert not is_told_by_reader(collector("amd", "unsupported", "no AMD GPU", ""), node)
    assert is_absent(collector("amd", "unsupported", "no AMD GPU", ""))
    assert not is_absent(collector("pressure", "unsupported", "no PSI", "boot with psi=1"))
    assert not is_absent(collector("serving", "failed", "ConnectionRefusedError", None))


def test_without_devices_it_is_said_what_was_looked_for() -> None:
    assert no_gpu_text(gpuless_snapshot().node)[:2] == ("No GPU on node-1", "Looked for: NVIDIA GPUs, AMD GPUs.")
    assert no_gpu_text(example_snapshot().node)[1] == "No reader of GPUs ran."


def test_a_reader_in_trouble_tells_its_state_its_hint_and_that_it_tries_again() -> None:
    node = unreadable_gpu_snapshot().node
    assert unreadable_text(node, troubles(node)) == (
        "No GPU can be read on node-1",
        "NVIDIA GPUs: driver mismatch, for 3 min; started again 4 times; last answer 400 ms ago.",
        "Hint: the driver's libraries were updated but the old kernel module is loaded: reboot, or reload it.",
        "The reader tries again by itself, about twice a minute.",
    )
    starting = unreadable_gpu_snapshot("starting").node
    assert unreadable_text(starting, troubles(starting))[0] == "The GPUs of node-1 are about to be read"
