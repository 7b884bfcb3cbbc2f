"""A run as a table and as a kept profile."""

import msgspec

from advisor.profiling.stored import LineUse, StoredProfile
from agent.scalene.run import ScaleneRun, as_stored
from agent.scalene.table import as_text

MIB = 1 << 20
LINES = (
    LineUse(file="/app/a.py", line=14, text="y = json.loads(t)", python_ratio=0.3, native_ratio=0.205, system_ratio=0.0,
            memory_peak_bytes=2 * MIB, copy_bytes_per_second=MIB / 2),
    LineUse(file="/app/sub/b.py", line=7, text="keep(\x1b[2J)", python_ratio=0.0, native_ratio=0.04, system_ratio=0.0,
            memory_growth_bytes=300 * MIB, memory_peak_bytes=MIB, copy_bytes_per_second=0.0),
)  # fmt: skip
RUN = ScaleneRun(
    program="uvicorn", pid=42, started=99, at_unix_seconds=1000.0, seconds=10.0, folder="/app", scalene="2.4.0",
    lines=LINES, samples=210, memory=True, memory_start_bytes=20 * MIB, memory_end_bytes=320 * MIB, notes=("bent",),
)  # fmt: skip


def test_a_table_with_memory() -> None:
    assert as_text(RUN).splitlines() == [
        "uvicorn (pid 42) for 10.0 s under scalene 2.4.0; files below /app",
        "allocated at the end 320.0 MiB, +300.0 MiB while it served (+30.00 MiB/s)",
        "",
        "PYTHON  NATIVE  SYSTEM     GROWTH     PEAK       COPY  LINE        SOURCE",
        "30.0 %  20.5 %   0.0 %          -  2.0 MiB  0.5 MiB/s  a.py:14     y = json.loads(t)",
        " 0.0 %   4.0 %   0.0 %  300.0 MiB  1.0 MiB  0.0 MiB/s  sub/b.py:7  keep( [2J)",
        "",
        "- bent",
    ]


def test_what_was_not_measured_has_no_column_and_what_is_left_out_is_counted() -> None:
    bare = [msgspec.structs.replace(line, memory_peak_bytes=None, copy_bytes_per_second=None) for line in LINES]
    run = msgspec.structs.replace(RUN, lines=tuple(bare), memory=False, memory_start_bytes=None, memory_end_bytes=None)
    assert as_text(run, most=1).splitlines()[1:] == [
        "",
        "PYTHON  NATIVE  SYSTEM  LINE     SOURCE",
        "30.0 %  20.5 %   0.0 %  a.py:14  y = json.loads(t)",
        "and 1 more",
        "",
        "- bent",
    ]


def test_a_device_has_a_column() -> None:
    lines = (msgspec.structs.replace(LINES[0], gpu_ratio=0.55), LINES[1])
    heads, first, second = as_text(msgspec.structs.replace(RUN, lines=lines)).splitlines()[3:6]
    assert "GPU" in heads
    assert "55.0 %  a.py:14" in first
    assert "-  sub/b.py:7" in second


def test_it_is_kept_with_its_lines_and_notes() -> None:
    kept = as_stored(RUN, name="x")
    assert (kept.id, kept.kind, kept.service, kept.pid, kept.started) == ("x", "scalene", "uvicorn", 42, 99)
    assert (kept.seconds, kept.samples, kept.hertz, kept.at_unix_seconds) == (10.0, 210, 100.0, 1000.0)
    assert (kept.lines, kept.notes, kept.stacks) == (LINES, ("bent",), ())
    assert msgspec.json.decode(msgspec.json.encode(kept), type=StoredProfile) == kept
    assert as_stored(RUN).id != as_stored(RUN).id
