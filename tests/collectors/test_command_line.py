"""Command lines as they are met: interpreter flags, modules, console scripts, helpers of multiprocessing."""

import pytest

from collectors.command_line import helper_role, may_serve, option, options, parse_command, positionals
from collectors.entities import Role
from tests.captures import process

SPAWN = "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=7, pipe_handle=9)"


@pytest.mark.parametrize(
    ("argv", "program", "arguments"),
    [
        (("/opt/venv/bin/python3.11", "/opt/venv/bin/mlserver", "start", "."), "mlserver", ("start", ".")),
        (("python", "-m", "uvicorn", "app:app"), "uvicorn", ("app:app",)),
        (("python3", "-Bum", "uvicorn", "app:app"), "uvicorn", ("app:app",)),
        (("python3", "-B", "-X", "dev", "-W", "ignore", "-muvicorn", "a:b"), "uvicorn", ("a:b",)),
        (("python3", "-Xfrozen_modules=off", "-I", "/x/gunicorn", "a:b"), "gunicorn", ("a:b",)),
        (("python3", "--check-hash-based-pycs", "never", "serve.py", "-m"), "serve.py", ("-m",)),
        (("/usr/bin/gunicorn", "a:b"), "gunicorn", ("a:b",)),
        (("gunicorn: master [app:app]",), "gunicorn: master [app:app]", ()),
        (("python3.13t", "-c", "print()", "--x"), "", ("--x",)),
        (("python3",), "", ()),
        ((), "", ()),
    ],
)
def test_the_program_is_found_behind_the_interpreter(
    argv: tuple[str, ...], program: str, arguments: tuple[str, ...]
) -> None:
    command = parse_command(argv)
    assert (command.program, command.arguments) == (program, arguments)


def test_an_option_is_found_in_every_spelling_and_the_last_one_counts() -> None:
    assert option(["-w", "2"], "--workers", "-w") == "2"
    assert option(["-w3"], "--workers", "-w") == "3"
    assert option(["--workers=4"], "--workers", "-w") == "4"
    assert option(["--workers", "5", "-w", "6"], "--workers", "-w") == "6"
    assert option(["--worker-class", "gthread"], "--workers", "-w") is None
    assert option(["-w"], "-w") is None
    assert options(["-b", "a:1", "--bind=b:2"], "-b", "--bind") == ["a:1", "b:2"]


def test_positionals_leave_out_options_and_their_values() -> None:
    arguments = [
        "--preload",
        "-w",
        "2",
        "-b",
        "0.0.0.0:80",
        "-k",
        "uvicorn.workers.UvicornWorker",
        "-w4",
        "shop.wsgi:app",
    ]
    assert positionals(arguments, {"--preload"}) == ["shop.wsgi:app"]
    assert positionals(["app:app", "--workers", "2", "--log=x"], set()) == ["app:app"]


def test_helpers_of_multiprocessing_inherit_or_support() -> None:
    spawned = parse_command(("python", "-B", "-c", SPAWN, "--multiprocessing-fork"))
    tracker = parse_command(("python", "-c", "from multiprocessing.resource_tracker import main;main(16)"))
    server = parse_command(("python", "-c", "from multiprocessing.forkserver import main; main(8, 9)"))
    loky = parse_command(("python", "-m", "joblib.externals.loky.backend.popen_loky_posix", "--process-name", "x"))
    assert helper_role(spawned, None) is None
    assert helper_role(spawned, Role.FRONT_END) is Role.WORKER
    assert helper_role(tracker, Role.FRONT_END) is Role.SUPPORT
    assert helper_role(server, Role.FRONT_END) is Role.SUPPORT
    assert helper_role(server, Role.SUPPORT) is Role.WORKER
    assert helper_role(loky, Role.WORKER) is Role.WORKER
    assert helper_role(parse_command(("git", "status")), Role.WORKER) is None


def test_only_python_programs_that_are_no_tools_are_worth_a_look() -> None:
    assert may_serve(process(1, "python", "serve.py"))
    assert may_serve(process(1, "serve: ready", comm="python3"))
    assert not may_serve(process(1, "nginx", comm="nginx"))
    assert not may_serve(process(1, "python", "-m", "ipykernel_launcher", "-f", "x.json"))
    assert not may_serve(process(1, "python", "-c", SPAWN))
