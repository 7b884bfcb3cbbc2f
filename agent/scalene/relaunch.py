"""How is a program run under scalene for some seconds of load, and read?

scalene starts it in a process group of its own, rewrites its JSON at intervals, and writes it a last time on SIGINT to the
group. The seconds count from when the program listens, so that its start takes nothing of them.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os.path import basename, dirname, join, realpath
from pathlib import Path

from agent.errors import CliError, reason_of
from agent.scalene.installed import Python, usable_python
from agent.scalene.leftovers import Watcher, clear_up
from agent.scalene.notes import notes_of
from agent.scalene.program import Program, find_program
from agent.scalene.report import Report, allocated_bytes, leaking_lines, lines_of, main_thread_samples, read_report
from agent.scalene.run import ScaleneRun
from agent.scalene.session import Asked, Session, signals_asked
from agent.scalene.unseen import is_server, refuse_unseen
from agent.scalene.window import Window, watch_window
from collectors.command_line import option, positionals

END_SECONDS = 20.0
"""After SIGINT; then it is killed, and what scalene wrote last counts."""
INTERVAL_SECONDS = 5
_READS = 5
_NOTHING_STATUS = 4
_STARTER = Path(__file__).with_name("start_target.py")


def run_under_scalene(
    argv: Sequence[str], *, seconds: float, cpu_only: bool, tell: Callable[[str], None]
) -> ScaleneRun:
    """Run `argv` under scalene, and end it `seconds` after it began to listen, or after its start if it listens nowhere.

    SIGINT, SIGTERM or SIGHUP to this process end it earlier, and what was measured counts. Its output goes to standard
    error. CliError if scalene does not see into such a program, is missing in its Python, or measured nothing. No process
    and no file is left, also if this process is killed.
    """
    folder = os.getcwd()
    program = find_program(argv, os.environ, folder)
    environ = {**os.environ, **program.environment}
    refuse_unseen(program, environ, folder)
    python = usable_python(program.python, environ, folder)
    code = code_folder(program, folder)
    with signals_asked() as asked, _workplace() as (place, watcher, pids):
        command = _command(python, program, code, place, cpu_only, environ.get("TMPDIR"))
        try:
            # what scalene makes for itself comes into our folder; start_target.py sets TMPDIR back for the program
            session = Session(command, {**environ, "TMPDIR": place}, folder)
        except OSError as error:
            raise CliError("scalene.start", f"{python.executable} cannot be run: {reason_of(error)}") from error
        try:
            watcher.tell(session.pid, session.started)
            tell(f"{program.name} starts under scalene {python.scalene}")
            window = watch_window(session, seconds, place, asked, tell, server=is_server(program))
            report = _ended(session, window, join(place, "profile.json"), asked)
        finally:
            pids |= session.kill()
    lines = lines_of(report, code) if report is not None else ()
    if report is None or not lines or (is_server(program) and not window.addresses and not window.interrupted):
        raise _failure(program, window, code)
    since = window.listening_unix_seconds
    memory = allocated_bytes(report, since - report.start_time_absolute if since is not None else 0.0)
    return ScaleneRun(
        program=program.name,
        pid=window.pid or session.pid,
        started=window.started,
        at_unix_seconds=report.start_time_absolute,
        seconds=report.elapsed_time_sec,
        folder=code,
        scalene=python.scalene or "",
        lines=lines,
        samples=main_thread_samples(report, code),
        memory=report.memory,
        memory_start_bytes=memory[0] if memory else None,
        memory_end_bytes=memory[1] if memory else None,
        notes=notes_of(window, report, leaking_lines(report, code)),
    )


def code_folder(program: Program, folder: str) -> str:
    """Where the program's own source lies: the working folder, or where the command says if that is elsewhere."""
    words = positionals(program.arguments, ())
    if program.name == "uvicorn" and (given := option(program.arguments, "--app-dir")):
        named = given
    elif program.name == "mlserver":
        named = words[1] if len(words) > 1 else "."
    elif program.name == "fastapi":
        named = dirname(words[1]) if len(words) > 1 else "."
    elif program.script is not None and not _is_installed(program.script):
        named = program.script if os.path.isdir(join(folder, program.script)) else dirname(program.script)
    else:
        named = "."
    own, working = realpath(join(folder, named)), realpath(folder)
    return working if own == working or own.startswith(working.rstrip("/") + "/") else own


def _is_installed(script: str) -> bool:
    """Whether it is the command of a package, whose folder holds no source."""
    return not script.endswith(".py") and basename(dirname(script)) == "bin"


def _command(
    python: Python, program: Program, code: str, place: str, cpu_only: bool, temporary: str | None
) -> list[str]:
    target = join(place, "target.json")
    with open(target, "w", encoding="utf-8") as stream:
        # not msgspec: an argument may be no Unicode text
        json.dump(
            {
                "script": program.script,
                "module": program.module,
                "arguments": program.arguments,
                "temporary": temporary,
            },
            stream,
        )
    return [
        python.executable, "-m", "scalene", "run", *(["--cpu-only"] if cpu_only else []), "--no-stacks", "--no-async",
        "--profile-interval", str(INTERVAL_SECONDS), "--program-path", code, "-o", join(place, "profile.json"),
        str(_STARTER), "---", target,
    ]  # fmt: skip


@contextmanager
def _workplace() -> Iterator[tuple[str, Watcher, set[int]]]:
    """A folder of our own (0700), whoever watches over it, and the pids whose files are removed with it at the end."""
    began = time.time()
    place = realpath(tempfile.mkdtemp(prefix="nodewright-scalene-"))
    pids: set[int] = set()
    try:
        watcher = Watcher(place)
    except BaseException:
        os.rmdir(place)
        raise
    try:
        yield place, watcher, pids
    finally:
        clear_up(place, pids, began)
        watcher.done()


def _ended(session: Session, window: Window, path: str, asked: Asked) -> Report | None:
    """End the program in order, so that scalene writes its last report, and read that one or the last that is whole."""
    before = asked.times
    session.interrupt()  # also where only its first process ended
    until = time.monotonic() + END_SECONDS
    while session.processes() and time.monotonic() < until and asked.times == before:
        asked.sleep(0.1)
    window.killed = bool(session.processes())
    earlier = _read_while_written(path) if window.killed else None
    session.kill()
    return read_report(path) or earlier


def _read_while_written(path: str) -> Report | None:
    for _ in range(_READS):
        report = read_report(path)
        if report is not None:
            return report
        time.sleep(0.1)
    return None


def _failure(program: Program, window: Window, code: str) -> CliError:
    """Why there is nothing to show."""
    above, name = "its output is above", program.name
    if window.interrupted and window.pid is None:
        return CliError("scalene.start", f"interrupted before {name} started", exit_status=_NOTHING_STATUS)
    if window.pid is None:
        return CliError("scalene.start", f"scalene did not get to start {name}", above, exit_status=_NOTHING_STATUS)
    if window.status is not None:
        what = f"{name} ended by itself after {window.seconds:.1f} s with status {window.status}"
        return CliError("scalene.start", f"{what}, before there was anything to show", above, _NOTHING_STATUS)
    if is_server(program) and not window.addresses and not window.interrupted:
        what = f"{name} did not listen within {window.seconds:.0f} s"
        return CliError("scalene.start", what, above, exit_status=_NOTHING_STATUS)
    return CliError(
        "scalene.empty",
        f"scalene saw no line below {code} at work in {window.seconds:.1f} s",
        "put load on it meanwhile, and start it from the folder with its source",
        exit_status=_NOTHING_STATUS,
    )
