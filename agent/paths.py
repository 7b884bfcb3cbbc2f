"""Where do the agent's files and sockets lie?"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import CliError, reason_of

if TYPE_CHECKING:
    from agent.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Every file and socket of one agent. `runtime` holds sockets and may not exist yet."""

    state: Path
    db: Path
    token: Path
    runtime: Path
    sidecar_socket: Path


def find_paths(config: "Config", environ: Mapping[str, str]) -> Paths:
    """Reads nothing but its arguments; raises CliError where no folder can be named at all."""
    state = state_folder(environ)
    runtime = runtime_folder(environ)
    return Paths(
        state=state,
        db=config.agent.db or state / "state.db",
        token=config.http.token_file or state / "token",
        runtime=runtime,
        sidecar_socket=config.agent.sidecar_socket or runtime / "sidecar.sock",
    )


def state_folder(environ: Mapping[str, str]) -> Path:
    """`$STATE_DIRECTORY` (of several the first), else `$XDG_STATE_HOME/nodewright`, else in the home folder."""
    if folder := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(folder)
    if (base := environ.get("XDG_STATE_HOME", "")) and os.path.isabs(base):
        return Path(base, "nodewright")
    home = home_folder(environ)
    if home is None:
        raise CliError(
            "state.no-folder", "this user has no home folder to keep state in", "set STATE_DIRECTORY or XDG_STATE_HOME"
        )
    return home / ".local" / "state" / "nodewright"


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """`$RUNTIME_DIRECTORY`, else `$XDG_RUNTIME_DIR/nodewright`, else `run` in the state folder."""
    if folder := environ.get("RUNTIME_DIRECTORY", "").split(":")[0]:
        return Path(folder)
    if (base := environ.get("XDG_RUNTIME_DIR", "")) and os.path.isabs(base):
        return Path(base, "nodewright")
    return state_folder(environ) / "run"


def home_folder(environ: Mapping[str, str]) -> Path | None:
    """The home folder; None for a user that has none (a container's bare uid)."""
    if (home := environ.get("HOME", "")) and os.path.isabs(home):
        return Path(home)
    try:
        return Path("~").expanduser()
    except RuntimeError:
        return None


def make_folder(folder: Path, purpose: str, hint: str) -> None:
    """Create `folder` (0700) if it is missing and prove that files can be made in it; CliError with one line if not."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        raise CliError("state.unwritable", f"cannot create {purpose} {folder}: {reason_of(error)}", hint) from error
    if not stat.S_ISDIR(mode):
        raise CliError("state.unwritable", f"{purpose} {folder} is not a folder", hint)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CliError("state.unwritable", f"cannot write into {purpose} {folder}", hint)


def make_state_folders(paths: Paths) -> None:
    """Create the folders of state and database; CliError with exit status 2 where one cannot be written."""
    make_folder(paths.db.parent, "the database's folder", "name another one with --db F")
    if paths.token.parent != paths.db.parent:
        make_folder(paths.token.parent, "the token's folder", "set STATE_DIRECTORY or http.token_file")
    if paths.db.is_dir():
        raise CliError("state.unwritable", f"{paths.db} is a folder", "--db names a file")
