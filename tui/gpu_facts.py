"""What is known of a device beside its meters, as rows of a label and its facts?"""

from typing import NamedTuple

from textual.content import Content

from advisor.documents import GpuStatus
from advisor.gpu.view import link_bytes_per_second
from tui import format as fmt
from tui.palette import BAD

_YES_NO = {True: "yes", False: "no", None: fmt.UNKNOWN}
_ON_OFF = {True: "on", False: "off", None: fmt.UNKNOWN}


class Row(NamedTuple):
    """`known`: whether any of its facts is."""

    label: str
    facts: tuple[Content | str, ...]
    known: bool = True


def rows_of(gpu: GpuStatus, device: str, instances: int) -> list[Row]:
    """`device`: how the device is called that is meant, or of which an instance is one; `instances`: into how many it is
    divided. Of an instance, what only its whole device tells is left out."""
    chip = [_link(gpu), _clock(gpu), _power(gpu), _held_down(gpu), _errors(gpu)]
    rows = chip if gpu.parent is None else [row for row in chip if row.known]
    if len(rows) < len(chip):
        unread = ", ".join(row.label for row in chip if not row.known)
        rows.append(Row("see also", (f"{device}: {unread}",)))
    rows += [_sharing(gpu, device, instances), _place(gpu), _software(gpu)]
    if gpu.other_readers:
        rows.append(Row("read too", (f"by {fmt.plain(', '.join(gpu.other_readers))}",)))
    return rows


def _link(gpu: GpuStatus) -> Row:
    """Traffic and the link that carries it."""
    limit = link_bytes_per_second(gpu.pcie_generation, gpu.pcie_width)
    numbers = (gpu.pcie_tx_bytes_per_second, gpu.pcie_rx_bytes_per_second, gpu.pcie_generation, gpu.pcie_width)
    facts = (
        f"sent {_of_link(gpu.pcie_tx_bytes_per_second, limit)}",
        f"received {_of_link(gpu.pcie_rx_bytes_per_second, limit)}",
        "in samples of 20 ms" if gpu.pcie_sampled else "",
        "" if limit is None else f"link about {fmt.speed(limit)} each way",
        f"generation {_now_of(gpu.pcie_generation, gpu.pcie_generation_max)}",
        f"{_now_of(gpu.pcie_width, gpu.pcie_width_max)} lanes",
    )
    return Row("PCIe", facts, any(number is not None for number in numbers))


def _of_link(traffic: float | None, limit: float | None) -> str:
    share = f" ({fmt.percent(traffic / limit)})" if traffic is not None and limit else ""
    return f"{fmt.speed(traffic)}{share}"


def _now_of(now: int | None, most: int | None) -> str:
    return f"{_whole(now)} of {_whole(most)}"


def _clock(gpu: GpuStatus) -> Row:
    facts = (fmt.frequency(gpu.sm_clock_hertz), f"at most {fmt.frequency(gpu.sm_clock_max_hertz)}")
    return Row("clock", facts, gpu.sm_clock_hertz is not None)


def _power(gpu: GpuStatus) -> Row:
    facts = (
        fmt.watts(gpu.power_watts),
        f"limit {fmt.watts(gpu.power_limit_watts)}",
        fmt.celsius(gpu.temperature_celsius),
    )
    return Row("power", facts, gpu.power_watts is not None or gpu.temperature_celsius is not None)


def _held_down(gpu: GpuStatus) -> Row:
    """Shares of time in which something kept the clocks below what they could be."""
    shares = (
        ("power limit", gpu.power_cap_ratio),
        ("heat, by the driver", gpu.software_thermal_ratio),
        ("heat, by the hardware", gpu.hardware_thermal_ratio),
        ("power supply", gpu.power_brake_ratio),
    )
    facts = tuple(f"{name} {fmt.percent(share)}" for name, share in shares)
    return _or_unknown(Row("held down", facts, any(share is not None for _, share in shares)))


def _errors(gpu: GpuStatus) -> Row:
    numbers = (gpu.ecc_uncorrected, gpu.remap_pending, gpu.remap_failed, gpu.xid_events)
    facts = (
        _bad_if(bool(gpu.ecc_uncorrected), f"ECC {_whole(gpu.ecc_uncorrected)} uncorrected"),
        _bad_if(gpu.remap_pending, f"row remap pending {_YES_NO[gpu.remap_pending]}"),
        _bad_if(gpu.remap_failed, f"failed {_YES_NO[gpu.remap_failed]}"),
        _bad_if(bool(gpu.xid_events), f"XID {_whole(gpu.xid_events)} in 5 min"),
        "" if gpu.last_xid is None else f"newest XID {gpu.last_xid}",
    )
    return _or_unknown(Row("errors", facts, any(number is not None for number in numbers)))


def _sharing(gpu: GpuStatus, device: str, instances: int) -> Row:
    mig = "MIG off"
    if gpu.parent is not None:
        mig = f"MIG instance of {device}"
    elif gpu.mig:
        mig = f"MIG: {fmt.count(instances, 'instance')}"
    mode = fmt.UNKNOWN if gpu.compute_mode is None else fmt.plain(gpu.compute_mode)
    return Row("sharing", (mig, f"MPS {_ON_OFF[gpu.mps]}", f"compute mode {mode}"))


def _place(gpu: GpuStatus) -> Row:
    facts = (f"NUMA node {_whole(gpu.numa_node)}", f"near cpu {_text(gpu.cpus)}", f"PCI {_text(gpu.pci)}")
    return Row("place", facts)


def _software(gpu: GpuStatus) -> Row:
    facts = (
        f"driver {_text(gpu.driver)}",
        f"CUDA {_text(gpu.cuda)}",
        _text(gpu.architecture),
        "" if gpu.compute_capability is None else f"compute capability {fmt.plain(gpu.compute_capability)}",
    )
    return Row("software", facts)


def _or_unknown(row: Row) -> Row:
    """One dash is enough where nothing of a row is known."""
    return row if row.known else row._replace(facts=(fmt.UNKNOWN,))


def _bad_if(bad: bool | None, text: str) -> Content:
    return Content.styled(text, BAD) if bad else Content(text)


def _whole(number: int | None) -> str:
    return fmt.UNKNOWN if number is None else str(number)


def _text(text: str | None) -> str:
    return fmt.UNKNOWN if text is None else fmt.plain(text)
