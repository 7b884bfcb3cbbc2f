"""Launcher: which side runs, and on whose import path?

The four packages have common names, and hosts that serve models often export PYTHONPATH or are entered from an
application's folder that holds its own `agent/`. So this module first drops from `sys.path` everything that
PYTHONPATH and the current folder put there, and only then imports one side: `top` loads `tui.cli`, every other
command loads `agent.cli`.
"""

import os
import signal
import sys

__version__ = "0.1.0"


def own_path(path: list[str], pythonpath: str | None, cwd: str) -> list[str]:
    """`path` without the entries of `pythonpath` and without `cwd`, unless this launcher itself lives there."""
    home = os.path.dirname(os.path.realpath(__file__))
    foreign = (
        {os.path.realpath(entry or cwd) for entry in (pythonpath or "").split(os.pathsep)} if pythonpath else set()
    )
    foreign |= {os.path.realpath(cwd)}
    foreign.discard(home)
    return [entry for entry in path if os.path.realpath(entry or cwd) not in foreign]


def isolate() -> None:
    """Apply `own_path` to this process and to the children it starts."""
    try:
        cwd = os.getcwd()
    except OSError:  # the current folder was deleted; nothing can be imported from it
        cwd = "/nonexistent"
    home = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = own_path(sys.path, os.environ.pop("PYTHONPATH", None), cwd)
    if home in sys.path:
        sys.path.remove(home)
    sys.path.insert(0, home)


def end_on_sigterm() -> None:
    """The kernel drops signals that the first process of a container has no handler for; commands that run on set their own."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def main() -> None:
    isolate()
    end_on_sigterm()
    if sys.argv[1:2] == ["top"]:
        from tui.cli import main as run
    else:
        from agent.cli import main as run
    run()


if __name__ == "__main__":
    main()
