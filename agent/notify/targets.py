"""Whom do findings go to, and is what the owner wrote of them right?"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from agent.config import NotifySettings
from agent.config_draft import dotted
from agent.errors import CliError, reason_of

MOST_FILE_BYTES = 64 << 10


def check_notify(targets: Mapping[str, NotifySettings], origins: Mapping[str, str]) -> None:
    """Raises CliError, one line that names source and key, where a target cannot be told anything."""
    for name, one in targets.items():
        try:
            _check(one)
        except ValueError as error:
            prefix = dotted(("notify", name))
            where = next(
                (o for key, o in origins.items() if key.startswith(f"{prefix}.") and o != "default"), "default"
            )
            message = f"{where.removeprefix('file ')}: {prefix}: {error}"
            hint = (
                'url = "https://HOST/PATH"; http:// to this machine only' if one.kind == "webhook" else "leave them out"
            )
            raise CliError("config.bad-value", message, hint) from error


def _check(one: NotifySettings) -> None:
    """Raises ValueError with one clause."""
    if one.kind == "kubernetes":
        unused = {"url": one.url, "url_file": one.url_file, "secret_file": one.secret_file, "ca_file": one.ca_file}
        if given := [key for key, value in unused.items() if value is not None]:
            raise ValueError(f"{' and '.join(given)}: of webhooks only; an Event goes to the pod's own API server")
        return
    if one.url is None and one.url_file is None:
        raise ValueError("url is missing")
    if one.url is not None and one.url_file is not None:
        raise ValueError("url and url_file are both set")
    if one.url is not None:
        check_address(one.url)


def is_encrypted(targets: Mapping[str, NotifySettings]) -> bool:
    """Whether some target may want TLS."""
    return any(
        one.kind == "kubernetes" or one.url_file is not None or (one.url or "").startswith("https:")
        for one in targets.values()
    )


def check_address(url: str) -> str:
    """The address, if what is sent there can be read by its host alone. Raises ValueError, without the address in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("the address is none") from None
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise ValueError("the address is not https://HOST/PATH")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address has a password in it")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(
            "the address is http:// and not on this machine: what is sent could be read and changed on its way"
        )
    return url


def read_line(file: Path) -> bytes:
    """What a file of one line holds. Raises ValueError with one clause."""
    try:
        with file.open("rb") as stream:
            held = stream.read(MOST_FILE_BYTES).strip()
    except OSError as error:
        raise ValueError(f"{file}: {reason_of(error)}") from error
    if not held or b"\n" in held:
        raise ValueError(f"{file}: empty, or more than one line")
    return held


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
