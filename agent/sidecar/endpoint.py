"""Where does the sidecar get its socket from: its parent, systemd, or a path that it binds itself?"""

import os
import pwd
import socket
import stat
from collections.abc import MutableMapping

from agent.errors import CliError, reason_of

FAILED = 5
_FIRST_PASSED = 3  # sd_listen_fds(3)
_BACKLOG = 8


def inherited(descriptor: int) -> socket.socket:
    """The connected socket that the parent left at `descriptor`. Raises CliError if it is none."""
    try:
        stream = socket.socket(fileno=descriptor)
    except OSError as error:
        message = f"descriptor {descriptor} is no socket: {reason_of(error)}"
        raise CliError("sidecar.no-socket", message, "--fd is for the agent that starts a sidecar", FAILED) from error
    stream.set_inheritable(False)
    return stream


def passed_by_systemd(environ: MutableMapping[str, str]) -> socket.socket | None:
    """The listening socket of socket activation, and its variables removed; None if there is none for this process."""
    for_us = environ.pop("LISTEN_PID", "") == str(os.getpid())
    count = environ.pop("LISTEN_FDS", "0")
    environ.pop("LISTEN_FDNAMES", None)
    if not for_us or not count.isdecimal() or int(count) < 1:
        return None
    return inherited(_FIRST_PASSED)


def bind(path: str, allow_uid: int | None) -> socket.socket:
    """Listen at `path`. Its folder is made 0700, the socket 0600; with `allow_uid` both open to that user's group.

    A socket that a dead sidecar left is replaced. Raises CliError if the path cannot be used safely.
    """
    folder = os.path.dirname(os.path.abspath(path))
    gid = _group_of(allow_uid)
    _prepare_folder(folder, gid)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError as error:
        listener.close()
        raise _unusable(
            f"cannot bind {path}: {reason_of(error)}", "name a path that can be made with --socket"
        ) from error
    finally:
        os.umask(before)
    if gid is not None:
        _open_to(path, gid, 0o660)
    listener.listen(_BACKLOG)
    return listener


def _unusable(message: str, hint: str) -> CliError:
    return CliError("sidecar.socket-unusable", message, hint, FAILED)


def _group_of(uid: int | None) -> int | None:
    if uid is None or uid == os.geteuid():
        return None
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


def _prepare_folder(folder: str, gid: int | None) -> None:
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, mode=0o700)
            if gid is not None:
                _open_to(folder, gid, 0o750)
        mode = os.stat(folder).st_mode
    except OSError as error:
        hint = "name a path in another folder with --socket"
        raise _unusable(f"cannot make {folder}: {reason_of(error)}", hint) from error
    if mode & stat.S_IWOTH:
        raise _unusable(f"every user may write into {folder}", "name a path in a folder of its own with --socket")


def _open_to(path: str, gid: int, mode: int) -> None:
    """Give `path` to a group. Without CAP_CHOWN this works for the groups that we are in."""
    try:
        os.chown(path, -1, gid)
    except PermissionError:
        return
    os.chmod(path, mode)


def _remove_stale(path: str) -> None:
    """Take away a socket on which nobody listens. Raises CliError for a living one, and for what is no socket."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise _unusable(f"{path} is there and no socket", "name another path with --socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError as error:
            raise _unusable(f"cannot probe {path}: {reason_of(error)}", "name another path with --socket") from error
        else:
            raise CliError("sidecar.already-running", f"a sidecar listens at {path}", "stop it first", FAILED)
