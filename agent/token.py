"""Who may write? Whoever can read the token file, which only the agent's user can.

The token is made once, on the first start, and kept: clients read the same file.
"""

import errno
import os
import secrets
import stat
from pathlib import Path

from agent.errors import CliError, reason_of

TOKEN_BYTES = 32
_LIMIT_BYTES = 4096


def ensure_token(path: Path) -> tuple[str, bool]:
    """The token in `path`, made (0600, complete or not at all) if the file is missing.

    The second value is True where the file could be read by others and was tightened: the token may be known and is
    better replaced. Raises CliError where the file belongs to another user, is empty or cannot be read.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        _create(path)
        return _read(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def read_token(path: Path) -> str | None:
    """The token for a client of this machine's agent; None where there is none or it is another user's."""
    try:
        return path.read_text("ascii").strip() or None
    except (OSError, ValueError):
        return None


def _read(path: Path) -> tuple[str, bool]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CliError("token.unusable", f"{path} is not a plain file", "remove it; a new one is made at start")
        if status.st_uid not in {os.geteuid(), 0}:
            raise CliError("token.unusable", f"{path} belongs to another user", "remove it, or set http.token_file")
        token = os.read(descriptor, _LIMIT_BYTES).decode("ascii", "replace").strip()
        if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
            raise CliError("token.unusable", f"{path} holds no token", "remove it; a new one is made at start")
        return token, _tighten(descriptor, status)
    finally:
        os.close(descriptor)


def _tighten(descriptor: int, status: os.stat_result) -> bool:
    if not status.st_mode & 0o077:
        return False
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:  # a read-only mount (a Kubernetes secret): its permissions are set there
        return False
    return True


def _create(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, (secrets.token_urlsafe(TOKEN_BYTES) + "\n").encode())
        os.fsync(descriptor)
        _publish(draft, path)
    finally:
        os.close(descriptor)
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    """Give the draft its name; the token of an agent that was quicker stays."""
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}:
            raise
        os.rename(draft, path)  # no hard links here; it may replace the token of an agent that started with this one


def _unreadable(path: Path, error: OSError) -> CliError:
    hint = "make it readable for this user, or set http.token_file"
    return CliError("token.unusable", f"cannot read or make {path}: {reason_of(error)}", hint)
