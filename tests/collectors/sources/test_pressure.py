"""Is stall time read, and does a kernel without PSI say what to switch on?"""

import errno
from pathlib import Path

import pytest

from collectors.kept import KeptFiles
from collectors.reading import Unreadable
from collectors.sources.pressure import PressureCollector, PressureSample
from tests.hosttree import HostTree

FULL = "some avg10=1.50 avg60=0.00 avg300=0.00 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total={}\n"


def test_totals_of_both_lines_are_read_and_a_missing_line_is_none(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=14353592\n")
    tree.file("proc/pressure/memory", FULL.format(7, 0))
    tree.file("proc/pressure/io", FULL.format(510, 485))
    assert list(PressureCollector().collect(tree.host, ())) == [
        PressureSample(entity="pressure:cpu", some_us=14353592, full_us=None),
        PressureSample(entity="pressure:memory", some_us=7, full_us=0),
        PressureSample(entity="pressure:io", some_us=510, full_us=485),
    ]


def test_a_second_reading_sees_the_new_total(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    collector = PressureCollector()
    tree.file("proc/pressure/io", FULL.format(510, 485))
    list(collector.collect(tree.host, ()))
    tree.file("proc/pressure/io", FULL.format(9999, 490))
    assert list(collector.collect(tree.host, ())) == [
        PressureSample(entity="pressure:io", some_us=9999, full_us=490)
    ]  # fmt: skip


def test_a_kernel_without_psi_says_which_one_has_it(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as state:
        list(PressureCollector().collect(HostTree(tmp_path).host, ()))
    assert (state.value.reason, state.value.hint) == ("no PSI", "boot with psi=1, kernel >= 4.20")


class SwitchedOff(KeptFiles):
    """Files as a kernel shows them that was booted with psi=0."""

    def read(self, path: str) -> bytes:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported", path)


def test_a_kernel_whose_psi_is_switched_off_says_how_to_switch_it_on(tmp_path: Path) -> None:
    collector = PressureCollector(SwitchedOff())
    with pytest.raises(Unreadable) as state:
        list(collector.collect(HostTree(tmp_path).host, ()))
    assert (state.value.reason, state.value.hint) == ("PSI is switched off", "boot with psi=1")
