"""Does the wheel hold what it should, and does the installed command run where others' packages have our names?

Built and installed without a network: the environment that runs the tests lends its dependencies.
"""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from nodewright import __version__

ROOT = Path(__file__).resolve().parents[1]
OURS = ("agent", "collectors", "advisor", "tui")
DEPENDENCIES = ("aiohttp", "click", "msgspec", "prometheus_client", "sqlite_utils")

pytestmark = pytest.mark.slow


def run(command: list[str], **options: object) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)  # type: ignore[call-overload]
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return str(answer.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed `nodewright`. A .pth file at the end of the path lends the dependencies of this environment."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = folder / "bin" / "python"
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(lent_dependencies(folder.parent / "lent"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    run([*pip, "--disable-pip-version-check", str(wheel)])
    return folder / "bin" / "nodewright"


def lent_dependencies(folder: Path) -> str:
    """A folder of links to every installed module but ours and those that only tests and builds need."""
    folder.mkdir()
    development = (
        "_pytest",
        "pytest",
        "mypy",
        "hatchling",
        "hypothesis",
        "importlinter",
        "ruff",
        "psutil",
        "syrupy",
        "build",
    )
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        name = entry.name.partition("-")[0].partition(".")[0]
        if name not in (*OURS, *development, "nodewright", "") and not entry.name.endswith(".pth"):
            (folder / entry.name).symlink_to(entry)
    return f"{folder}\n"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder as a serving application may have it: our names, and each of them ends the import."""
    for name in (*OURS, *DEPENDENCIES):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('imported the hostile {name}')")
    for name in ("nodewright", "asyncio_runner", "signal", "importlib_metadata"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('imported the hostile {name}')")
    return tmp_path


def test_the_wheel_holds_four_packages_the_launcher_and_the_command(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    info, data = f"nodewright-{__version__}.dist-info", f"nodewright-{__version__}.data"
    assert {name.partition("/")[0] for name in names} == {*OURS, "nodewright.py", info, data}
    assert [name for name in names if name.startswith(data)] == [f"{data}/scripts/nodewright"]
    assert f"{info}/licenses/LICENSE" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_the_wheel_holds_what_the_packages_read_at_run_time(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = {
        path.relative_to(ROOT).as_posix() for name in OURS for path in (ROOT / name).rglob("*") if path.is_file()
    }
    assert {name for name in tracked if "__pycache__" not in name} <= names


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["explain"], ["explain", "cpu-oversubscribed-openmp"], ["config", "show"], ["top", "--help"]],
)
def test_the_installed_command_survives_a_hostile_path_and_a_hostile_folder(
    command: Path, hostile: Path, arguments: list[str]
) -> None:
    environ = {**os.environ, "PYTHONPATH": str(hostile)}
    assert run([str(command), *arguments], cwd=hostile, env=environ)


def test_doctor_tells_the_state_of_this_host_beside_hostile_packages(command: Path, hostile: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(hostile), "HOME": str(hostile)}
    answer = subprocess.run(
        [str(command), "doctor"], cwd=hostile, env=environ, capture_output=True, text=True, timeout=120
    )
    assert answer.returncode in {0, 1}, answer.stderr  # 1: this host lacks something, which is no fault of the wheel
    assert "Collectors" in answer.stdout
    assert "hostile" not in answer.stderr


def test_the_version_is_that_of_the_launcher(command: Path) -> None:
    assert run([str(command), "--version"]) == f"nodewright {__version__}\n"


def test_children_do_not_inherit_the_hostile_path(command: Path, hostile: Path) -> None:
    """What the launcher starts (the sidecar, a replay) sees no PYTHONPATH."""
    python = command.with_name("python")
    program = "import os, nodewright; nodewright.isolate(); print(os.environ.get('PYTHONPATH'))"
    environ = {**os.environ, "PYTHONPATH": str(hostile)}
    assert run([str(python), "-E", "-P", "-c", program], cwd=hostile, env=environ) == "None\n"
