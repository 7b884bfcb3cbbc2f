"""What scalene's JSON becomes: numbers with units, None where nothing was measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.scalene.report import (
    allocated_bytes,
    leaking_lines,
    lines_of,
    main_thread_samples,
    read_report,
)

MIB = 1 << 20


def line(number: int, text: str, **values: Any) -> dict[str, Any]:
    names = {"python": "n_cpu_percent_python", "native": "n_cpu_percent_c", "system": "n_sys_percent", "peak": "n_peak_mb",
             "allocated": "n_malloc_mb", "copied": "n_copy_mb_s", "gpu": "n_gpu_percent"}  # fmt: skip
    row = dict.fromkeys(names.values(), 0) | {names[key]: value for key, value in values.items() if key in names}
    return {"lineno": number, "line": text, "cpu_samples_list": values.get("looks", []), "n_growth_mb": row["n_peak_mb"],
            "start_region_line": number, **row}  # fmt: skip


def document(**top: Any) -> dict[str, Any]:
    lines = [
        line(1, "import x\n"),
        line(2, "    y = parse()\n", python=30.0, native=20.0, system=1.5, peak=2.0, copied=0.5, looks=[1.0, 2.0, 3.0]),
        line(3, "    keep(y \\u003c 3 \\u0026 z)\n", native=4.0, peak=1.25, allocated=300.0, gpu=40.0, looks=[4.0]),
        line(4, 'PASSWORD = "hunter2hunter2"\n', peak=0.5),
    ]
    files = {"/app/a.py": {"lines": lines, "leaks": {"3": {"likelihood": 0.98, "velocity_mb_s": 0.1}}, "imports": []},
             "/vendor/b.py": {"lines": [line(9, "z", python=50.0)], "leaks": {}}}  # fmt: skip
    samples = [[3e9, 60.0], [1e9, 10.0], [2e9, 20.0]]
    return {"elapsed_time_sec": 4.0, "start_time_absolute": 1000.0, "memory": True, "gpu": True, "files": files,
            "samples": samples, **top}  # fmt: skip


def written(folder: Path, text: str) -> str:
    path = folder / "profile.json"
    path.write_text(text)
    return str(path)


def test_a_line_has_ratios_and_bytes(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, json.dumps(document())))
    assert report is not None
    parse, keep, secret = lines_of(report, "/app")
    assert (parse.file, parse.line, parse.text) == ("/app/a.py", 2, "y = parse()")
    assert (parse.python_ratio, parse.native_ratio, parse.system_ratio) == (0.30, 0.20, 0.015)
    assert (parse.memory_peak_bytes, parse.copy_bytes_per_second, parse.gpu_ratio) == (2 * MIB, MIB / 2, 0.0)
    assert (keep.line, keep.gpu_ratio, keep.text) == (3, 0.4, "keep(y < 3 & z)")
    assert "hunter2" not in secret.text
    assert main_thread_samples(report, "/app") == 4


def test_growth_is_that_of_lines_that_leak_and_not_the_copy_of_the_peak(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, json.dumps(document())))
    assert report is not None
    assert [use.memory_growth_bytes for use in lines_of(report, "/app")] == [None, 300 * MIB, None]
    assert leaking_lines(report, "/app") == ("/app/a.py:3",)
    assert allocated_bytes(report, 2.5) == (20 * MIB, 60 * MIB)
    assert allocated_bytes(report, 0.0) == (10 * MIB, 60 * MIB)


def test_what_was_not_measured_is_none(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, json.dumps(document(memory=False, gpu=False, samples=[]))))
    assert report is not None
    for use in lines_of(report, "/app"):
        assert (use.memory_growth_bytes, use.memory_peak_bytes) == (None, None)
        assert (use.copy_bytes_per_second, use.gpu_ratio) == (None, None)
    assert [use.line for use in lines_of(report, "/app")] == [2, 3]
    assert allocated_bytes(report, 1.0) is None


def test_only_files_below_the_folder_count(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, json.dumps(document())))
    assert report is not None
    assert [use.line for use in lines_of(report, "/vendor")] == [9]
    assert lines_of(report, "/vend") == ()
    assert [use.line for use in lines_of(report, "/")] == [2, 9, 3, 4]


@pytest.mark.parametrize("text", ["{}", "", json.dumps(document())[:-40], "[]", '{"files": 3}', "null"])
def test_an_empty_or_cut_report_is_none(tmp_path: Path, text: str) -> None:
    assert read_report(written(tmp_path, text)) is None


def test_a_mean_of_nothing_is_none(tmp_path: Path) -> None:
    text = json.dumps(document()).replace('"n_gpu_percent": 40.0', '"n_gpu_percent": NaN')
    report = read_report(written(tmp_path, text))
    assert report is not None
    assert [use.gpu_ratio for use in lines_of(report, "/app")] == [0.0, None, 0.0]


def test_a_missing_report_is_none(tmp_path: Path) -> None:
    assert read_report(str(tmp_path / "absent")) is None
