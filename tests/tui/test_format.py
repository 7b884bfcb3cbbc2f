"""How are numbers and foreign text written?"""

import pytest

from advisor.finding import Gain
from tui import format as fmt


def test_unreadable_is_a_dash_and_zero_is_zero() -> None:
    writers = (fmt.cores, fmt.percent, fmt.size, fmt.duration, fmt.rate)
    assert {write(None) for write in writers} == {"–"}
    assert [write(0) for write in writers] == ["0.00", "0 %", "0 B", "0 s", "0 /s"]
    writers = (fmt.speed, fmt.watts, fmt.celsius, fmt.frequency)
    assert {write(None) for write in writers} == {"–"}
    assert [write(0) for write in writers] == ["0 B/s", "0 W", "0 °C", "0 MHz"]


def test_memory_that_a_driver_does_not_tell_of_a_process_is_neither_a_dash_nor_zero() -> None:
    assert [fmt.vram(value) for value in (None, 0, 3 << 30)] == ["?", "0 B", "3.0 GiB"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4e-5, "40 µs"),
        (0.99996e-3, "1 ms"),
        (0.0042, "4.2 ms"),
        (0.21, "210 ms"),
        (15, "15 s"),
        (180, "3 min"),
        (7500, "2 h 05 min"),
        (119.7, "2 min"),
        (179, "3 min"),
        (3599, "1 h 00 min"),
        (71 * 3600, "3 d"),
    ],
)
def test_a_duration_is_written_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert fmt.duration(seconds) == text


def test_an_age_has_no_sixty_seconds() -> None:
    assert [fmt.age(seconds) for seconds in (119.4, 250, 299.7, 3599.8)] == [
        "119 s",
        "4 min 10 s",
        "5 min 00 s",
        "1 h 00 min",
    ]


@pytest.mark.parametrize(
    ("count", "text"), [(512, "512 B"), (1536, "1.5 KiB"), (41 << 20, "41 MiB"), (8 << 30, "8.0 GiB"), (10_469_888, "10 MiB"),
     (1_073_504_004, "1.0 GiB")],
)  # fmt: skip
def test_a_size_is_written_in_powers_of_1024(count: int, text: str) -> None:
    assert fmt.size(count) == text


def test_a_small_share_is_not_rounded_to_none() -> None:
    shares = (0.0, 0.0000123, 0.0004, 0.0006, 0.004, 0.0096)
    assert [fmt.percent(share) for share in shares] == ["0 %", "<0.1 %", "<0.1 %", "0.1 %", "0.4 %", "1 %"]
    assert fmt.percent(0.86) == "86 %"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.9, "cores", "1.9 cores"), (0.21, "seconds", "210 ms"), (0.41, "ratio", "41 %"), (12345.6, "count", "12346"),
        (260.4, "1/s", "260 /s"), (2.0, "1/min", "2 /min"), (3 << 30, "bytes_per_second", "3.0 GiB/s"),
        (698.4, "watts", "698 W"), (71.0, "celsius", "71 °C"), (1.98e9, "hertz", "1980 MHz"),
    ],
)  # fmt: skip
def test_evidence_is_written_in_its_unit(value: float, unit: str, text: str) -> None:
    assert fmt.quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0000123, "0.0000123"), (0.25, "0.25"), (999.4, "999"), (999.6, "1000"), (1348.2, "1348"), (2770203.4, "2770203"),
    ],
)  # fmt: skip
def test_no_number_is_written_in_powers_of_ten(value: float, text: str) -> None:
    assert [fmt.number(value), fmt.rate(value), fmt.times(value)] == [text, f"{text} /s", f"×{text}"]
    assert fmt.duration(0.9997) == "1 s"


def test_names_of_processes_cannot_steer_the_terminal() -> None:
    assert fmt.plain("evil\x1b[2J\nname\udcff[bold]") == "evil�[2J name�[bold]"


@pytest.mark.parametrize(
    ("metric", "p10", "p90", "direction"),
    [
        ("throughput_ratio", 2.1, 9.0, "better"),
        ("throughput_ratio", 0.5, 0.9, "worse"),
        ("throughput_ratio", 0.9, 1.1, "unsure"),
        ("latency_p99_ratio", 0.03, 0.4, "better"),
        ("memory_ratio", 1.2, 2.0, "worse"),
        ("cost_ratio", 0.8, 1.0, "unsure"),
    ],
)
def test_a_gain_is_better_only_where_its_whole_interval_is(metric: str, p10: float, p90: float, direction: str) -> None:
    assert fmt.gain_direction(Gain(metric=metric, p10=p10, p50=p10, p90=p90)) == direction  # type: ignore[arg-type]


def test_a_clock_time_names_its_zone() -> None:
    assert fmt.clock("2026-11-20T10:00:00Z") == "10:00:00 UTC"
    assert fmt.clock("2026-11-20T10:00:00.123+02:00") == "10:00:00"


def test_many_pids_are_counted() -> None:
    assert fmt.pids(range(1, 4)) == "1, 2, 3"
    assert fmt.pids(range(1, 10)) == "1, 2, 3, 4, 5, 6 and 3 more"


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("/opt/venv/bin/python /opt/venv/bin/gunicorn -w 2 app:app", "python gunicorn -w 2 app:app"),
        ("/usr/bin/mlserver start /srv/models", "mlserver start /srv/models"),
        ("gunicorn: worker [app]", "gunicorn: worker [app]"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_a_command_line_starts_with_what_tells_programs_apart(full: str, short: str) -> None:
    assert fmt.command_line(full) == short
