"""Are CPU lists read and written as the kernel does?"""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cpulist import format_cpulist, parse_cpulist


def test_ranges_and_single_cpus_are_read() -> None:
    assert parse_cpulist("0-3,8\n") == {0, 1, 2, 3, 8}
    assert parse_cpulist("") == parse_cpulist("\n") == frozenset()


@pytest.mark.parametrize("text", ["a", "1-", "-3", "3-1", "0-99999999999", "1 2", "0-3:2/4", "²"])
def test_what_is_no_list_is_a_value_error_that_shows_it(text: str) -> None:
    with pytest.raises(ValueError, match="not a CPU list"):
        parse_cpulist(text)


def test_neighbours_are_written_as_a_range() -> None:
    assert format_cpulist({8, 0, 2, 1, 10, 11}) == "0-2,8,10-11"
    assert format_cpulist([]) == ""


@given(st.frozensets(st.integers(0, 300)))
def test_what_is_written_is_read_back(cpus: frozenset[int]) -> None:
    assert parse_cpulist(format_cpulist(cpus)) == cpus


def test_the_allowed_cpus_of_this_process_are_those_of_the_system_call() -> None:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("Cpus_allowed_list:"))
    assert parse_cpulist(line.split(":")[1]) == os.sched_getaffinity(0)
