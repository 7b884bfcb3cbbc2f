"""How are the screens shown in a browser? textual-serve draws them; in front of it stands the agent's token.

It listens on loopback only. Nothing is served, no process is started and no websocket opened before the token was given: in a
form, which answers with a cookie, or as a bearer token. A page of another site cannot use that cookie, and a name that is made
to point here is refused.
"""

import hmac
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from aiohttp import web
from textual_serve.server import Server

HOST = "127.0.0.1"
MOST_SCREENS = 8
"""At a time: each is a process."""
_LAUNCHER = Path(__file__).resolve().parent.parent / "nodewright.py"
_COOKIE = "nodewright"
_LOGIN = "/login"
_OURS = frozenset({"localhost", "127.0.0.1", "::1"})
_POLICY = (
    "default-src 'self' 'unsafe-inline' data: blob:; connect-src 'self' ws://localhost:* ws://127.0.0.1:* ws://[::1]:*; "
    "frame-ancestors 'none'; form-action 'self'"
)
"""The page of textual-serve would fetch a font from elsewhere."""
_FORM = """<!DOCTYPE html><html lang="en"><title>nodewright</title>
<style>body{font:16px ui-monospace,monospace;background:#12161c;color:#e3e8ef;margin:20vh auto;width:32em}
input{font:inherit;width:100%%;background:#232b36;color:inherit;border:1px solid #4a5462;padding:.4em;margin:.6em 0}</style>
<form method="post" action="/login"><b>nodewright</b><p>The agent's token (the file <code>token</code> in its state folder):
<input type="password" name="token" autofocus autocomplete="current-password"><p>%s</form></html>"""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(arguments: Sequence[str], token: str, port: int) -> None:
    """Serve `nodewright top ARGUMENTS` until a signal. Raises ClickException where the port is taken."""
    print(f"serving the screens on http://{HOST}:{port} (it asks for the agent's token)", flush=True)
    try:
        web.run_app(make_app(arguments, token, port), host=HOST, port=port, print=None, shutdown_timeout=2)
    except OSError as error:
        raise click.ClickException(f"web: cannot listen on {HOST}:{port} ({error.strerror})") from error


async def make_app(arguments: Sequence[str], token: str, port: int) -> web.Application:
    """textual-serve's application behind the token."""
    command = shlex.join([sys.executable, "-I", str(_LAUNCHER), "top", *arguments])
    server: Any = Server(command, host=HOST, port=port, title="nodewright")
    server.on_startup = _quiet
    guard = _Guard(server, token)
    app: web.Application = await server._make_app()
    app.add_routes([web.get(_LOGIN, guard.form), web.post(_LOGIN, guard.login)])
    app.middlewares.append(guard.check)
    return app


class _Guard:
    def __init__(self, server: Any, token: str) -> None:
        self._server, self._token = server, token
        self._session = secrets.token_urlsafe(32)
        self._screens = 0

    async def form(self, request: web.Request) -> web.Response:
        return _page("")

    async def login(self, request: web.Request) -> web.Response:
        given = (await request.post()).get("token", "")
        if not isinstance(given, str) or not _same(given.strip(), self._token):
            return _page("That is not the agent's token.", 401)
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(_COOKIE, self._session, httponly=True, samesite="Strict", path="/")
        return answer

    @property
    def check(self) -> Any:
        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if urlsplit(f"//{request.host}").hostname not in _OURS:
                return web.Response(status=403, text="the Host header is not ours\n")
            origin = request.headers.get("Origin")
            if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
                return web.Response(status=403, text="a page of another origin may not do this\n")
            if request.path != _LOGIN and not self._is_known(request):
                return _turned_away(request)
            answer = await self._counted(request, handler)
            if not answer.prepared:
                answer.headers["Content-Security-Policy"] = _POLICY
                answer.headers["Referrer-Policy"] = "no-referrer"
                answer.headers["Cache-Control"] = "no-store"
            return answer

        return check

    async def _counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != "/ws":
            self._server.public_url = f"http://{request.host}"  # as the browser knows it, also through a tunnel
            return await handler(request)
        if self._screens >= MOST_SCREENS:
            return web.Response(status=503, text=f"{MOST_SCREENS} screens are open\n")
        self._screens += 1
        try:
            return await handler(request)
        finally:
            self._screens -= 1

    def _is_known(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip(), self._token):
            return True
        return _same(request.cookies.get(_COOKIE, ""), self._session)


def _turned_away(request: web.Request) -> web.Response:
    if request.path == "/":
        return web.Response(status=303, headers={"Location": _LOGIN})
    return web.Response(status=401, text="this needs the agent's token\n", headers={"WWW-Authenticate": "Bearer"})


def _page(problem: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=_FORM % problem, content_type="text/html")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


async def _quiet(app: web.Application) -> None:
    """textual-serve would print its own name here."""
