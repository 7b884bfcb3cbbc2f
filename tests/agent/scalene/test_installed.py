"""Whether a usable scalene is there is found out without running anything of the target."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import CliError
from agent.scalene.installed import Python, install_command, usable_python

PYTHON = sys.executable


def package(folder: Path, version: str) -> dict[str, str]:
    """A package of that version in a folder of PYTHONPATH; who imports it leaves a trace."""
    (folder / "scalene").mkdir(parents=True)
    (folder / "scalene" / "__init__.py").write_text(f"open({str(folder / 'imported')!r}, 'w')\n")
    if version:
        metadata = folder / f"scalene-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: scalene\nVersion: {version}\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def stand_in(folder: Path, prints: str, status: int = 0) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\necho '{prints}'\necho broken >&2\nexit {status}\n")
    path.chmod(0o755)
    return str(path)


def refusal(path: str, folder: Path, environ: dict[str, str] | None = None) -> CliError:
    with pytest.raises(CliError) as error:
        usable_python(path, os.environ if environ is None else environ, str(folder))
    return error.value


def test_a_usable_version_is_found_and_not_imported(tmp_path: Path) -> None:
    environ = package(tmp_path / "more", "2.4.1")
    found = usable_python(PYTHON, environ, str(tmp_path))
    assert (found.executable, found.python, found.scalene) == (PYTHON, sys.version_info[:3], "2.4.1")
    assert not (tmp_path / "more" / "imported").exists()


def test_a_relative_folder_of_pythonpath_counts_from_where_the_program_starts(tmp_path: Path) -> None:
    environ = {**package(tmp_path / "more", "2.10.0"), "PYTHONPATH": "more"}
    assert usable_python(PYTHON, environ, str(tmp_path)).scalene == "2.10.0"


def test_no_file_of_the_working_folder_is_run(tmp_path: Path) -> None:
    for name in ("json.py", "site.py", "importlib.py", "sitecustomize.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert refusal(PYTHON, tmp_path, environ).key == "scalene.missing"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("version", ["1.5.51", "2.3.0", "3.0.0", ""])
def test_a_version_with_other_options_is_refused(tmp_path: Path, version: str) -> None:
    error = refusal(PYTHON, tmp_path, package(tmp_path / "more", version))
    assert f"scalene {version or 'of unknown version'} is installed" in error.message
    assert error.exit_status == 5


def test_where_it_is_missing_the_command_that_installs_it_is_told(tmp_path: Path) -> None:
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True, timeout=60)
    bare = str(tmp_path / "bare" / "bin" / "python")
    error = refusal(bare, tmp_path)
    assert error.message == f"scalene is not installed for {bare}"
    assert error.hint == f"run: uv pip install --python {bare} 'scalene>=2.4,<3'"
    assert error.exit_status == 5


def test_pip_installs_it_where_there_is_pip() -> None:
    python = Python(executable="/a b/python", python=(3, 11, 7), pip=True)
    assert install_command(python) == "'/a b/python' -m pip install 'scalene>=2.4,<3'"


def test_a_python_in_which_scalene_fails_is_refused(tmp_path: Path) -> None:
    error = refusal(stand_in(tmp_path, '{"executable": "x", "python": [3, 11, 0], "scalene": "2.4.0"}'), tmp_path)
    assert "is Python 3.11.0, in which scalene fails" in error.message


def test_a_python_that_is_too_old_is_refused(tmp_path: Path) -> None:
    error = refusal(stand_in(tmp_path, '{"executable": "x", "python": [3, 7, 16]}'), tmp_path)
    assert "is Python 3.7.16, too old" in error.message


def test_what_is_no_python_3_is_refused_with_what_it_said(tmp_path: Path) -> None:
    error = refusal(stand_in(tmp_path, "Unknown option: -I", 2), tmp_path)
    assert error.message.endswith("is no working Python 3")
    assert error.hint == "broken"


def test_what_cannot_be_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "python"
    shutil.copy(__file__, path)
    assert "cannot be run: Permission denied" in refusal(str(path), tmp_path).message
