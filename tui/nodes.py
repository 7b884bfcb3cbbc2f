"""Which nodes can be looked at, by which name, and how is each reached?

Their names stand in the agent's configuration files, `[nodes."NAME"]`; the later file wins, key by key.
"""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.http_source import open_connection
from tui.source import Source

SYSTEM_FILE = Path("/etc/nodewright/nodewright.toml")
_KEYS = ("url", "token_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedNode:
    """One section: where the agent of a node is."""

    name: str
    url: str
    token_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that can be switched to. `open` raises ValueError, in one clause, where its address or token is no good."""

    name: str
    address: str
    open: Callable[[], Source]


class Nodes:
    """All of them, in their order, each opened when it is first looked at."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.all = {node.name: node for node in nodes}
        self._open: dict[str, Source] = {}

    def source(self, name: str) -> Source:
        """The source of a node. Raises ValueError as its `open` does."""
        if name not in self._open:
            self._open[name] = self.all[name].open()
        return self._open[name]

    def close(self) -> None:
        for source in self._open.values():
            source.close()


def configured_nodes(
    environ: Mapping[str, str], config_file: Path | None, system_file: Path = SYSTEM_FILE
) -> tuple[NamedNode, ...]:
    """In order of their names. Raises ValueError naming file and key."""
    merged: dict[str, dict[str, str]] = {}
    for file, required in _files(environ, config_file, system_file):
        for name, table in _section(file, required).items():
            merged.setdefault(name, {}).update(_checked(file, name, table))
    for name, entry in merged.items():
        if "url" not in entry:
            raise ValueError(f'nodes."{name}" has no url (url = "http://HOST:PORT" or "unix:PATH")')
    return tuple(
        NamedNode(
            name=name,
            url=entry["url"],
            token_file=Path(entry["token_file"]).expanduser() if "token_file" in entry else None,
        )
        for name, entry in sorted(merged.items())
    )


def _files(environ: Mapping[str, str], config_file: Path | None, system_file: Path) -> list[tuple[Path, bool]]:
    """As the agent reads them, and whether it has to be there."""
    files = [(system_file, False)]
    base, home = environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME", "")
    if os.path.isabs(base):
        files.append((Path(base, "nodewright", "nodewright.toml"), False))
    elif os.path.isabs(home):
        files.append((Path(home, ".config", "nodewright", "nodewright.toml"), False))
    return files + ([(config_file, True)] if config_file is not None else [])


def _section(file: Path, required: bool) -> Mapping[str, Any]:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if required:
            raise ValueError(f"{file}: {error.strerror}") from error
        return {}
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: not valid TOML: {error}") from error
    section = document.get("nodes", {})
    if not isinstance(section, dict):
        raise ValueError(f'{file}: nodes is not a table (write [nodes."NAME"])')
    return section


def _checked(file: Path, name: str, table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ValueError(f'{file}: nodes.{name} is not a table (write [nodes."NAME"])')
    for key, value in table.items():
        if key not in _KEYS:
            raise ValueError(f'{file}: unknown key nodes."{name}".{key} (keys: {", ".join(_KEYS)})')
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f'{file}: nodes."{name}".{key} is not text')
        if key == "url":
            try:
                open_connection(value)
            except ValueError as error:
                raise ValueError(f'{file}: nodes."{name}".url: {error}') from error
    return table
