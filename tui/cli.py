"""What does `nodewright top` accept, and where does it connect?"""

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tui.source import Source

DEFAULT_URL = "http://127.0.0.1:9753"
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
@click.option("--url", default=DEFAULT_URL, show_default=True, help="The agent: http://HOST:PORT or unix:PATH.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the agent's token.  [default: NODEWRIGHT_TOKEN, else the state folder's]",
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Show a file written by `nodewright record` instead of a running agent.",
)
def top(url: str, token_file: Path | None, recording: Path | None) -> None:
    """Look at the model servers of a node: what they use, what they wait for, and what to change."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):  # Textual draws on standard error
        raise click.ClickException("top: needs a terminal (without one: nodewright advise)")
    try:
        from tui.app import TopApp
    except ModuleNotFoundError as error:
        raise click.ClickException(f"top: {error.name} is not installed (pip install 'nodewright[tui]')") from error
    source = open_source(url, token_file, recording)
    try:
        TopApp(source, owner=login_name(os.environ)).run()
    finally:
        source.close()


def open_source(url: str, token_file: Path | None, recording: Path | None) -> "Source":
    """What the screens look at. Raises ClickException for a bad address or an unreadable token."""
    from tui.http_source import HttpSource, is_local
    from tui.recording import RecordingSource

    if recording is not None:
        return RecordingSource(recording)
    try:
        return HttpSource(url, find_token(os.environ, token_file, is_local(url)))
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
