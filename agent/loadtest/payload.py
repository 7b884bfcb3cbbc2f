"""What is sent: the user's bodies, or some that the endpoint is asked for?"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
from yarl import URL

from agent.errors import CliError, reason_of
from agent.loadtest.v2 import infer_body

JSON = "application/json"
PROMPT = "Describe in a few sentences how the tide changes a beach."
LIMIT_BYTES = 64 << 20
Bodies = tuple[bytes | None, ...]
_V2 = re.compile(r"/v2/models/[^/]+(/versions/[^/]+)?(/infer)?/?$")
_CHAT, _COMPLETIONS = "/v1/chat/completions", "/v1/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Requests to send; bodies in turn, None = none. `notes`: what to know of them when the result is read."""

    method: str
    url: URL
    bodies: Bodies
    headers: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says of requests."""

    body: Path | None = None
    corpus: Path | None = None
    content_type: str | None = None
    method: str | None = None
    model: str | None = None
    max_tokens: int = 16


async def find_payload(url: URL, wanted: Wanted, session: aiohttp.ClientSession) -> Payload:
    """CliError: 2 for files that cannot be used, 4 where the endpoint does not say what it takes."""
    if _V2.search(url.path) and not url.path.rstrip("/").endswith("/infer"):
        url = url.with_path(f"{url.path.rstrip('/')}/infer", keep_query=True)
    own = await asyncio.to_thread(_own, wanted)
    bodies, notes = (own, ()) if own is not None else await _made(url, wanted, session)
    sends = bodies != (None,)
    kind = wanted.content_type or (JSON if sends else None)
    return Payload(
        method=wanted.method or ("POST" if sends else "GET"),
        url=url,
        bodies=bodies,
        headers={} if kind is None else {"Content-Type": kind},
        notes=notes,
    )


def _own(wanted: Wanted) -> Bodies | None:
    """The bodies of the user's file; None where no file was named."""
    path = wanted.body or wanted.corpus
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            text = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise CliError("loadtest.unreadable", f"{path}: {reason_of(error)}", "give a file that exists") from error
    if len(text) > LIMIT_BYTES:
        raise CliError("loadtest.too-large", f"{path} is larger than 64 MiB", "give a smaller one")
    if wanted.body is not None:
        return (text,)
    lines = tuple(line for line in text.splitlines() if line.strip())
    if not lines:
        raise CliError("loadtest.empty", f"{path} holds no line", "write one body a line")
    return lines


async def _made(url: URL, wanted: Wanted, session: aiohttp.ClientSession) -> tuple[Bodies, tuple[str, ...]]:
    if _V2.search(url.path):
        metadata = await _get(session, url.with_path(url.path.removesuffix("/infer")))
        try:
            body = infer_body(metadata)
        except ValueError as error:
            raise CliError("loadtest.no-payload", f"{url}: {error}", "give --body FILE", exit_status=4) from error
        return (body,), ("inputs are made from the model's metadata, each open dimension 1: real ones may cost more",)
    for end, content in (
        (_CHAT, {"messages": [{"role": "user", "content": PROMPT}]}),
        (_COMPLETIONS, {"prompt": PROMPT}),
    ):
        if url.path.rstrip("/").endswith(end):
            base = url.path.rstrip("/").removesuffix(end)
            model = wanted.model or _model(url, await _get(session, url.with_path(f"{base}/v1/models")))
            made = {"model": model, **content, "max_tokens": wanted.max_tokens, "stream": True}
            note = f"one prompt again and again, {wanted.max_tokens} tokens: a server that keeps prefixes answers it faster"
            return (msgspec.json.encode(made),), (note,)
    return (None,), ()


async def _get(session: aiohttp.ClientSession, url: URL) -> bytes:
    """What the endpoint says of itself. CliError 4."""
    try:
        async with session.get(url, allow_redirects=False) as answer:
            body = await answer.read()
            if answer.status == 200:
                return body
            reason = f"HTTP {answer.status}"
    except (aiohttp.ClientError, OSError) as error:
        reason = str(error) or type(error).__name__
    raise CliError(
        "loadtest.no-payload", f"{url} does not say what it takes: {reason}", "give --body FILE", exit_status=4
    )


def _model(url: URL, listed: bytes) -> str:
    class Named(msgspec.Struct):
        id: str

    class Models(msgspec.Struct):
        data: list[Named] = []

    try:
        models = msgspec.json.decode(listed, type=Models).data
    except msgspec.DecodeError:
        models = []
    if not models:
        raise CliError(
            "loadtest.no-payload", f"{url} lists no model", "give --model NAME or --body FILE", exit_status=4
        )
    return models[0].id
