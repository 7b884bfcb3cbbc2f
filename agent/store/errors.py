"""What can go wrong with the store that its user has to hear about at once?

A full disk or a damaged file is not among these: the store carries on and says so in `Store.problem`.
"""

from pathlib import Path

from agent.errors import CliError


class AlreadyRunning(CliError):  # noqa: N818 - the state of another process
    """Another process writes this database. `pid` None: it did not say which."""

    def __init__(self, path: Path, pid: int | None) -> None:
        owner = f"pid {pid}" if pid else "another process"
        super().__init__(
            "store.already-running", f"{owner} writes {path} already", "stop it, or name another file with --db F", 3
        )
        self.pid = pid


class BadRecording(CliError):  # noqa: N818 - the state of a file
    """A recording that cannot be read, or cannot be written."""

    def __init__(self, path: Path, what: str, hint: str) -> None:
        super().__init__("recording.bad", f"{path} {what}", hint)
        self.path = path
        self.what = what
