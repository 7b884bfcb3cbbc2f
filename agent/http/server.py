"""Where does the interface listen, and how does it stop?"""

import asyncio
import errno
import os
import socket
import stat

from aiohttp import web

from agent.errors import CliError, reason_of
from agent.listen import Listen, parse_listen

SHUTDOWN_SECONDS = 1.0
"""What is left to running answers: the agent ends within 2 s."""
_KEEPALIVE_SECONDS = 60.0
_BACKLOG = 128
_ATTEMPT_SECONDS = 1.0


class Runner:
    """A listening interface. `address` is where, with the port that the kernel chose where 0 was asked for."""

    def __init__(self, runner: web.AppRunner, address: Listen) -> None:
        self._runner = runner
        self.address = address

    @property
    def url(self) -> str:
        return str(self.address) if self.address.path else f"http://{self.address}"

    async def close(self) -> None:
        """Stop listening, end the streams, give running answers a second; then remove the socket file."""
        await self._runner.cleanup()
        if self.address.path is not None:
            try:
                os.unlink(self.address.path)
            except OSError:  # removed already, or the folder is gone with the runtime folder
                pass


async def serve(app: web.Application, listen: str) -> Runner:
    """Listen on HOST:PORT or unix:PATH. Raises CliError (exit status 2, one line) where that is not possible."""
    try:
        address = parse_listen(listen)
    except ValueError as error:
        raise CliError("listen.invalid", str(error), "give --listen HOST:PORT or unix:PATH") from error
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_SECONDS,
        keepalive_timeout=_KEEPALIVE_SECONDS,
    )
    await runner.setup()
    try:
        site = await _site(runner, address)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise _problem(address, error) from error
    except CliError:
        await runner.cleanup()
        raise
    return Runner(runner, _bound(runner, address))


async def _site(runner: web.AppRunner, address: Listen) -> web.BaseSite:
    if address.path is None:
        return web.TCPSite(runner, address.host, address.port, backlog=_BACKLOG)
    await _free_path(address.path)
    return web.SockSite(runner, await asyncio.to_thread(_bind, address.path), backlog=_BACKLOG)


def _bind(path: str) -> socket.socket:
    """A Unix socket that user and group may open; the umask is not touched, as other threads make files."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # the file's mode from its first moment, which no umask widens
        listener.bind(path)
        os.chmod(path, 0o660)
    except OSError:
        listener.close()
        raise
    return listener


async def _free_path(path: str) -> None:
    """Remove the socket that an agent left behind; a socket that answers, or any other file, stays."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise CliError("listen.not-a-socket", f"{path} exists and is no socket", "name another path")
    try:
        async with asyncio.timeout(_ATTEMPT_SECONDS):
            _, writer = await asyncio.open_unix_connection(path)
        writer.close()
    except ConnectionRefusedError:
        os.unlink(path)
        return
    except (OSError, TimeoutError):
        pass
    raise CliError("listen.in-use", f"unix:{path} is in use", "stop what listens there, or choose another --listen")


def _problem(address: Listen, error: OSError) -> CliError:
    another = "stop what listens there, or choose another --listen"
    match error:
        case OSError(errno=errno.EADDRINUSE):
            return CliError("listen.in-use", f"{address} is in use", another)
        case OSError(errno=errno.EACCES | errno.EPERM):
            return CliError("listen.denied", f"no permission to listen on {address}", "choose a port above 1023")
        case socket.gaierror():
            return CliError(
                "listen.unknown-host", f"the host of {address} is not known", "give an address of this node"
            )
        case _:
            return CliError("listen.failed", f"cannot listen on {address}: {reason_of(error)}", another)


def _bound(runner: web.AppRunner, address: Listen) -> Listen:
    if address.path is not None:
        return address
    port = runner.addresses[0][1] if runner.addresses else address.port
    return Listen(host=address.host, port=port)
