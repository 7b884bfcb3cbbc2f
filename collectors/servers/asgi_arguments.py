"""What do the arguments that gunicorn, uvicorn, hypercorn and BentoML have in common say: the application and the address?"""

import re
from collections.abc import Sequence
from os.path import basename

from collectors.entities import WorkerKey
from collectors.facts import Facts
from collectors.learned import working_folder

_TCP = re.compile(r"(?:\[[^\]]*\]|[^\[\]:/]*):(\d+)")
_APPLICATION = re.compile(r"[\w.]+:[\w.]+(?:\(.*\))?", re.DOTALL)


def application_item(words: Sequence[str]) -> str:
    """The word that names the application: the first `module:attribute`, else the last word; empty without words."""
    return next((word for word in words if _APPLICATION.fullmatch(word)), words[-1] if words else "")


def application_name(item: str, key: WorkerKey, facts: Facts, otherwise: str) -> str:
    """`module` of `module:attribute`, else the working folder's name, else `otherwise`."""
    folder = basename((working_folder(key, facts) or "").rstrip("/"))
    return item.partition(":")[0] or folder or otherwise


def bound_port(address: str, default: int) -> int | None:
    """The TCP port of one `--bind` value: `host:port`, `[::1]:port`, `:port`, or a host alone with the default port. None
    for a Unix socket, for a descriptor, and for port 0, which lets the kernel choose."""
    if is_elsewhere(address):
        return None
    match = _TCP.fullmatch(address)
    return (int(match[1]) or None) if match else default


def is_elsewhere(address: str) -> bool:
    """Whether an address is no TCP address of its own: `unix:PATH`, `fd://3`."""
    return address.startswith(("unix:", "fd://"))
