"""Which program in which Python a command runs."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from agent.errors import CliError
from agent.scalene.program import Program, find_program
from agent.scalene.relaunch import code_folder

PYTHON = sys.executable


def script(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def find(argv: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> Program:
    return find_program(argv, {"PATH": str(folder / "bin"), **(environ or {})}, str(folder))


def test_a_script_of_an_interpreter_keeps_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text("")
    program = find([PYTHON, "serve.py", "-u", "--", "-m", ""], tmp_path)
    assert program == Program(python=PYTHON, script="serve.py", arguments=("-u", "--", "-m", ""))
    assert program.name == "serve.py"


def test_flags_become_variables(tmp_path: Path) -> None:
    argv = [
        PYTHON,
        "-OOu",
        "-X",
        "dev",
        "-Xpycache_prefix=/c",
        "-W",
        "ignore",
        "-Wonce",
        "-m",
        "app.serve",
        "--port",
        "1",
    ]
    assert find(argv, tmp_path) == Program(
        python=PYTHON, module="app.serve", arguments=("--port", "1"),
        environment={
            "PYTHONOPTIMIZE": "2", "PYTHONUNBUFFERED": "1", "PYTHONDEVMODE": "1", "PYTHONPYCACHEPREFIX": "/c",
            "PYTHONWARNINGS": "ignore,once",
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first_lines", "python"),
    [
        (f"#!{PYTHON}\n", PYTHON),
        ("#!/usr/bin/env python3\n", "{}/bin/python3"),
        ("#!/usr/bin/env -S A=1 python3 -u\n", "{}/bin/python3"),
        (f"#!/bin/sh\n'''exec' \"{PYTHON}\" \"$0\" \"$@\"\n' '''\n", PYTHON),
        (f"#!/bin/sh\n'''exec' {PYTHON} \"$0\" \"$@\"\n' '''\n", PYTHON),
        (
            "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python3' \"$0\" \"$@\"\n' '''\n",
            "{}/bin/python3",
        ),
    ],
    ids=["path", "env", "env-split", "pip-long", "pip-bare", "uv-relocatable"],
)
def test_a_command_of_a_package_names_its_interpreter(tmp_path: Path, first_lines: str, python: str) -> None:
    os.makedirs(tmp_path / "bin")
    os.symlink(PYTHON, tmp_path / "bin" / "python3")
    path = script(tmp_path / "bin" / "uvicorn", first_lines + "import sys\n")
    program = find(["uvicorn", "app:app"], tmp_path)
    assert (program.python, program.script) == (python.format(tmp_path), path)
    assert (program.name, program.arguments) == ("uvicorn", ("app:app",))
    assert program.environment == ({"PYTHONUNBUFFERED": "1"} if "-u" in first_lines else {})


def test_variables_before_the_program_are_kept(tmp_path: Path) -> None:
    script(tmp_path / "bin" / "env", "")
    program = find(["env", "A=1", "B=x=y", PYTHON, "-m", "uvicorn"], tmp_path)
    assert (program.module, program.environment) == ("uvicorn", {"A": "1", "B": "x=y"})


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "no command was given"),
        ([""], "no command was given"),
        (["absent"], "absent: there is no such program in PATH"),
        (["./absent"], "./absent: there is no such program"),
        ([PYTHON], "was given no program"),
        ([PYTHON, "-"], "was given no program"),
        ([PYTHON, "-m"], "no module follows -m"),
        ([PYTHON, "absent.py"], "absent.py: there is no such file"),
        ([PYTHON, "-c", "pass"], "no code of -c"),
        ([PYTHON, "-I", "-m", "x"], "-I would be lost"),
        ([PYTHON, "-X", "frozen_modules=off", "-m", "x"], "-X frozen_modules=off would be lost"),
        (["env", "-i", PYTHON], "env -i is not followed"),
        (["./native"], "./native is no Python script"),
        (["./shell"], "./shell is a program of bash"),
        (["./plain.py"], "start it as python ./plain.py"),
        (["nice", "-n", "5", PYTHON], "nice starts another program"),
    ],
)
def test_what_is_no_python_program_is_refused_with_the_reason(tmp_path: Path, argv: list[str], says: str) -> None:
    script(tmp_path / "native", "\x7fELF")
    script(tmp_path / "shell", "#!/bin/bash\nexec python3 x.py\n")
    script(tmp_path / "bin" / "nice", "")
    script(tmp_path / "bin" / "env", "")
    (tmp_path / "plain.py").write_text("#!/usr/bin/python3\n")
    with pytest.raises(CliError) as error:
        find(argv, tmp_path)
    assert says in str(error.value)
    assert error.value.key == "scalene.program"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (Program(python="p", script="serve.py"), "work"),
        (Program(python="p", script="sub/serve.py"), "work"),
        (Program(python="p", script="../other/serve.py"), "other"),
        (Program(python="p", script="/x/bin/uvicorn", arguments=("a:app",)), "work"),
        (Program(python="p", script="/x/bin/uvicorn", arguments=("a:app", "--app-dir", "../other")), "other"),
        (Program(python="p", script="/x/bin/mlserver", arguments=("start", "../models")), "models"),
        (Program(python="p", script="/x/bin/fastapi", arguments=("run", "../other/main.py")), "other"),
        (Program(python="p", script="/x/bin/fastapi", arguments=("run", "main.py")), "work"),
        (Program(python="p", module="uvicorn"), "work"),
    ],
)
def test_the_source_is_looked_for_where_the_command_says(tmp_path: Path, program: Program, expected: str) -> None:
    for name in ("work", "other", "models"):
        (tmp_path / name).mkdir()
    assert code_folder(program, str(tmp_path / "work")) == str((tmp_path / expected).resolve())
