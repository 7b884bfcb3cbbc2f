"""What does reading GPUs cost: the reader process before a stand-in for NVML with eight devices and 64 processes?

The library answers at once, as a driver does not: the figure is what nodewright itself spends, with the real binding. On a
H100 the driver adds 3.5 ms of CPU a second for each device (tests/fixtures/gpu). Needs a C compiler.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.readers.readers import Readers
from bench.cost import tree_memory
from bench.stats import estimate_of_sums
from collectors.collector import all_collectors
from collectors.host import Host
from collectors.reading import Ok
from tests.nvml import COMPILER, VARIABLE, Scenario, build, clock

DEVICES = 8
EACH = 8
WINDOWS = 12


def scenario(pids: list[int]) -> Scenario:
    """As a H100 under load answers, eight times, each with its processes."""
    told = Scenario()
    for device in range(DEVICES):
        card = told.card(f"GPU-{device}", memory_total=85_520_809_984, memory_reserved=503_316_480)
        told.set(card, "memory.used", EACH << 30).set(card, "memory.free", (70 << 30))
        told.set(card, "busy", 97).set(card, "busy.memory", 34).set(card, "power", 512_000).set(
            card, "temperature", 61
        ).set(card, "reasons", 4)
        told.set(card, clock("sm"), 1440).set(card, clock("memory"), 2619).set(card, "energy", 2_431_356, "+512000")
        for number, value in ((2, 95.2), (3, 14.8), (5, 91.6), (10, 25.1), (20, 12.8), (21, 12.3), (60, 0), (61, 0)):
            told.set(card, f"gpm.{number}", value)
        told.set(card, "gpm.support", 1)
        for place in range(EACH):
            told.process(card, pids[device * EACH + place], 1 << 30, "compute", sm=12, mem=4)
    return told


@contextmanager
def sleepers(count: int) -> Iterator[list[int]]:
    """Processes that only are there, to be named by the driver."""
    started = [subprocess.Popen(["/bin/sleep", "600"]) for _ in range(count)]
    try:
        yield [one.pid for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()


def measure(folder: Path, seconds: float) -> None:
    """Print CPU and memory of the reader over `seconds`, in twelve windows."""
    if COMPILER is None:
        print("gpu-reader: not available here (no C compiler for the stand-in)")
        return
    library = build(folder)
    told = folder / "scenario"
    os.environ |= {"LD_LIBRARY_PATH": str(library), VARIABLE: str(told)}
    with sleepers(DEVICES * EACH) as pids:
        scenario(pids).write(told)
        collectors = [c for c in all_collectors() if c.process == "nvidia"]
        readers = Readers(collectors, Host.real(), always=["nvidia"])
        readers.start()
        try:
            _report(readers, seconds)
        finally:
            readers.stop(2.0)


def _report(readers: Readers, seconds: float) -> None:
    until = time.monotonic() + 20
    while readers.status()[0].state != "ok":
        if time.monotonic() > until:
            sys.exit(f"gpu-reader: the reader is {readers.status()[0].state}: {readers.status()[0].detail}")
        time.sleep(0.1)
    time.sleep(3.0)
    readers.readings()
    windows, read, values = [], 0, 0
    for _ in range(WINDOWS):
        before, began = readers.status()[0].cpu_seconds or 0.0, time.monotonic()
        time.sleep(seconds / WINDOWS)
        windows.append(((readers.status()[0].cpu_seconds or 0.0) - before, time.monotonic() - began))
        for reading in readers.readings():
            if isinstance(reading.outcome, Ok):
                read += reading.collector == "nvidia"
                values += len(reading.samples)
    status = readers.status()[0]
    share = estimate_of_sums(windows)
    print(f"devices, processes            {DEVICES}, {DEVICES * EACH}")
    print(f"readings in {seconds:.0f} s              {read} ({values} samples)")
    print(f"CPU of the reader             {share.ratio:.2%} of a core (95 % {share.low:.2%} to {share.high:.2%})")
    print(f"resident memory               {(status.resident_bytes or 0) / 1e6:.1f} MB")
    for row in tree_memory(os.getpid()):
        if "agent.readers.child" in row.command and row.proportional_bytes:
            print(f"of it proportional            {row.proportional_bytes / 1e6:.1f} MB")
