"""Durations, sizes and rates carry their unit."""

import pytest

from collectors.units import format_duration, format_rate, format_size, parse_duration, parse_rate, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("500ms", 0.5), ("5min", 300), ("7d", 604800), ("1.5h", 5400), (" 2 w ", 1209600), ("3y", 94608000)],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(("text", "size"), [("64MiB", 67108864), ("2GiB", 2147483648), ("10kB", 10000), ("1B", 1)])
def test_a_size_is_read_in_bytes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10", "no unit"),
        ("5m", "unknown unit 'm'"),
        ("-1s", "not a duration"),
        ("", "not a duration"),
        ("1e9s", "not a duration"),
        ("٣s", "not a duration"),
        ("9" * 40 + "s", "not a duration"),
    ],
)
def test_a_duration_that_is_none_says_why(text, said):
    with pytest.raises(ValueError, match=said):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1s", "1500ms", "2min", "36h", "7d", "250us"])
def test_a_duration_is_written_as_it_is_read(text):
    assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["64MiB", "2GiB", "1000B", "0B"])
def test_a_size_is_written_as_it_is_read(text):
    assert format_size(parse_size(text)) == text


@pytest.mark.parametrize(("text", "rate"), [("40GiB/s", 40 << 30), ("204.8GB/s", 204_800_000_000), ("1 MB / s", 10**6)])
def test_a_rate_is_read_in_bytes_a_second_and_written_so_that_it_reads_back(text, rate):
    assert parse_rate(text) == rate
    assert parse_rate(format_rate(rate)) == rate


@pytest.mark.parametrize(("text", "said"), [("40GiB", "not a rate"), ("40/s", "no unit"), ("40GiB/min", "not a rate")])
def test_a_rate_that_is_none_says_what_to_write(text, said):
    with pytest.raises(ValueError, match=said):
        parse_rate(text)
