"""What does `nodewright top` accept, and where does it connect?"""

import gc
import getpass
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tui.nodes import NamedNode, Nodes
    from tui.source import Source

DEFAULT_URL = "http://127.0.0.1:9753"
THEME_NAMES = ("default", "contrast", "light")
"""As tui/themes.py has them, which loads Textual."""
UNIT_TOKEN = Path("/var/lib/nodewright/token")
"""Of the agent that systemd runs; root can read it."""


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where the agent of this user keeps its token; systemd names its own folder."""
    if folder := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(folder)
    base = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME", "/"), ".local", "state")
    return Path(base) / "nodewright"


def find_token(environ: Mapping[str, str], file: Path | None, local: bool) -> str | None:
    """The token to send: that of `file`, else NODEWRIGHT_TOKEN, else, to an agent on this machine, the one in its state
    folder, of this user or of the unit. None where there is none: reading over loopback needs none. Raises
    ClickException for an unreadable `file`.
    """
    if file is not None:
        try:
            return file.read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise click.ClickException(f"token: cannot read {file} ({error})") from error
    if token := environ.get("NODEWRIGHT_TOKEN"):
        return token.strip()
    if not local:
        return None
    return _read(state_folder(environ) / "token") or _read(UNIT_TOKEN)


def _read(file: Path) -> str | None:
    try:
        return file.read_text("ascii").strip() or None
    except (OSError, ValueError):
        return None


def login_name(environ: Mapping[str, str]) -> str:
    """Who acknowledges: the person, behind sudo too; the number of a user that has no name."""
    try:
        return environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@click.command(name="nodewright top", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--url",
    "urls",
    multiple=True,
    help=f"An agent: http://HOST:PORT or unix:PATH; several times.  [default: {DEFAULT_URL}]",
)
@click.option("--node", help='A node by its name in the configuration: [nodes."NAME"] url = "…", token_file = "…".')
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the token of the agents at --url.  [default: NODEWRIGHT_TOKEN, else the state folder's]",
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Show a file written by `nodewright record` instead of a running agent.",
)
@click.option("--theme", type=click.Choice(THEME_NAMES), default=THEME_NAMES[0], show_default=True, help="Colours.")
@click.option(
    "--ascii/--no-ascii",
    "ascii_only",
    default=None,
    help="Draw with ASCII only.  [default: where TERM or the locale have nothing else]",
)
@click.option("--web", is_flag=True, help="Serve the screens to a browser on this machine, behind the agent's token.")
@click.option("--port", type=click.IntRange(1, 65535), default=9755, show_default=True, help="Of --web.")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="A configuration file that names more nodes."
)
def top(
    urls: tuple[str, ...],
    node: str | None,
    token_file: Path | None,
    recording: Path | None,
    theme: str,
    ascii_only: bool | None,
    web: bool,
    port: int,
    config: Path | None,
) -> None:
    """Look at the model servers of a node: what they use, what they wait for, and what to change."""
    if web:
        serve_web(urls, node, token_file, recording, config, theme, port)
        return
    if not in_browser(os.environ) and not (
        sys.stdin.isatty() and sys.stderr.isatty()
    ):  # Textual draws on standard error
        raise click.ClickException("top: needs a terminal (without one: nodewright advise)")
    try:
        from tui.app import TopApp
        from tui.ascii import wants_ascii
    except ModuleNotFoundError as error:
        raise click.ClickException(f"top: {error.name} is not installed (pip install 'nodewright[tui]')") from error
    nodes = find_nodes(urls, node, token_file, recording, config)
    first = next(iter(nodes.all))
    try:
        source, owner = nodes.source(first), login_name(os.environ)
        plain = wants_ascii() if ascii_only is None else ascii_only
        collect_rarely()
        TopApp(source, owner=owner, nodes=nodes, node=first, theme=theme, ascii_only=plain).run()
    except ValueError as error:
        raise click.ClickException(f"node: {error}") from error
    finally:
        nodes.close()


def collect_rarely() -> None:
    """What is loaded by now stays. A walk through all of it would take as long as drawing a screen, between a key and that."""
    gc.freeze()
    gc.set_threshold(700, 10, 30)


def in_browser(environ: Mapping[str, str]) -> bool:
    """Whether this process draws for a browser instead of a terminal."""
    return environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def serve_web(
    urls: tuple[str, ...],
    node: str | None,
    token_file: Path | None,
    recording: Path | None,
    config: Path | None,
    theme: str,
    port: int,
) -> None:
    """The same in a browser. Raises ClickException where something is missing or wrong, before anything is served."""
    try:
        from tui.web import serve
    except ModuleNotFoundError as error:
        raise click.ClickException(f"top: {error.name} is not installed (pip install 'nodewright[web]')") from error
    find_nodes(urls, node, token_file, recording, config)
    token = find_token(os.environ, token_file, local=True)
    if not token:
        raise click.ClickException("web: no token to ask for (run it as the agent's user, or give --token-file)")
    given = [("--node", node), ("--token-file", token_file), ("--recording", recording), ("--config", config)]
    named = [part for name, value in given if value is not None for part in (name, str(value))]
    serve([*(part for url in urls for part in ("--url", url)), *named, "--theme", theme, "--no-ascii"], token, port)


def find_nodes(
    urls: tuple[str, ...], node: str | None, token_file: Path | None, recording: Path | None, config: Path | None
) -> "Nodes":
    """What can be looked at, what was asked for first. Raises ClickException for what contradicts itself or is not there."""
    from tui.nodes import Node, Nodes, configured_nodes

    if recording is not None:
        if urls or node is not None:
            raise click.UsageError("--recording excludes --url and --node")
        return Nodes([Node(name=str(recording), address="", open=lambda: open_source("", None, recording))])
    try:
        named = configured_nodes(os.environ, config)
    except ValueError as error:
        raise click.ClickException(f"config: {error}") from error
    if node is not None and node not in [one.name for one in named]:
        known = ", ".join(one.name for one in named) or "none"
        raise click.UsageError(f"there is no node {node!r} in the configuration (known: {known})")
    given = urls or (() if node is not None else (DEFAULT_URL,))
    found = [Node(name=url, address=url, open=partial(open_source, url, token_file, None)) for url in given]
    found += [
        Node(name=one.name, address=one.url, open=partial(_open_named, one))
        for one in sorted(named, key=lambda one: one.name != node)
        if urls or one.url not in given
    ]
    if node is not None:
        found.sort(key=lambda one: one.name != node)
    for one in found[: len(urls)]:
        _check(one.address)
    return Nodes(found)


def _open_named(node: "NamedNode") -> "Source":
    """Raises ValueError. A token that was meant for another agent never goes there."""
    environ = {name: value for name, value in os.environ.items() if name != "NODEWRIGHT_TOKEN"}
    return _open(node.url, environ, node.token_file)


def open_source(url: str, token_file: Path | None, recording: Path | None) -> "Source":
    """What the screens look at. Raises ClickException for a bad address or an unreadable token."""
    from tui.recording import RecordingSource

    if recording is not None:
        return RecordingSource(recording)
    _check(url)
    return _open(url, os.environ, token_file)


def _open(url: str, environ: Mapping[str, str], token_file: Path | None) -> "Source":
    from tui.http_source import HttpSource, is_local

    return HttpSource(url, find_token(environ, token_file, is_local(url)))


def _check(url: str) -> None:
    from tui.http_source import open_connection

    try:
        open_connection(url)
    except ValueError as error:
        raise click.ClickException(f"url: {error}") from error


def main() -> None:
    """Entry of the launcher; errors go to standard error as one line."""
    try:
        top.main(sys.argv[2:], prog_name="nodewright top", standalone_mode=False)
    except click.UsageError as error:
        print(f"nodewright: usage: {error.format_message()} (nodewright top --help)", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        print(f"nodewright: {error.format_message()}", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
