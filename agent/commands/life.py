"""Commands for the life of a finding: ack, snooze, reopen, history."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
import msgspec

from agent.commands.options import config_option, load

F = TypeVar("F", bound=Callable[..., Any])


def agent_options(command: F) -> F:
    text = "The agent: http://HOST:PORT or unix:PATH. [default: where the configuration lets it listen]"
    return config_option(click.option("--url", help=text)(command))


def _owner_option(command: F) -> F:
    return click.option("--owner", help="Who says so. [default: your login name]")(command)


@click.command(short_help="Take note of a finding, so that it no longer counts as open.")
@click.argument("finding")
@click.option("--reason", required=True, help="Why it is left as it is.")
@_owner_option
@click.option("--for", "lasts", help="How long, such as 7d; then it opens by itself. [default: for good]")
@agent_options
def ack(
    finding: str, reason: str, owner: str | None, lasts: str | None, url: str | None, config_file: Path | None
) -> None:
    """Acknowledge FINDING, named by its id or a unique beginning of it: known, and left as it is.

    Exit status: 0, 2 no such open finding or bad usage, 4 no agent answers, 5 no permission.
    """
    _act(finding, "acknowledged", reason, owner, lasts, url, config_file)


@click.command(short_help="Put a finding off for a while.")
@click.argument("finding")
@click.option("--for", "lasts", required=True, help="How long, such as 2d; then it opens by itself.")
@click.option("--reason", required=True, help="Why later.")
@_owner_option
@agent_options
def snooze(finding: str, reason: str, owner: str | None, lasts: str, url: str | None, config_file: Path | None) -> None:
    """Snooze FINDING, named by its id or a unique beginning of it.

    Exit status: 0, 2 no such open finding or bad usage, 4 no agent answers, 5 no permission.
    """
    _act(finding, "snoozed", reason, owner, lasts, url, config_file)


@click.command(short_help="Take an acknowledgement or a snooze back.")
@click.argument("finding")
@click.option("--reason", default="", help="Why it matters after all.")
@_owner_option
@agent_options
def reopen(finding: str, reason: str, owner: str | None, url: str | None, config_file: Path | None) -> None:
    """Open FINDING again, named by its id or a unique beginning of it.

    Exit status: 0, 2 no such finding, 4 no agent answers, 5 no permission.
    """
    _act(finding, "open", reason, owner, None, url, config_file)


@click.command(short_help="What became of findings.")
@click.argument("which", required=False, metavar="[FINDING|SERVICE]")
@click.option("--since", help="From when on: how long ago (7d), or a time (2026-11-20T10:00:00Z).")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many, the newest."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@agent_options
def history(
    which: str | None, since: str | None, limit: int, form: str, url: str | None, config_file: Path | None
) -> None:
    """When findings opened, who took note of them and why, and how they ended: of one finding (a unique beginning of its id
    is enough), of one service, or of all. The newest comes first.

    Exit status: 0, 2 no such finding or service, 4 no agent answers, 5 no permission.
    """
    from agent import life
    from agent.client import open_client
    from agent.http.encoded import data_body

    events = life.history(open_client(load(config_file), url), which, since, limit)
    text = life.history_text(events) if form == "text" else msgspec.json.format(data_body(events), indent=2).decode()
    click.echo(text)


def _act(
    finding: str, state: Literal["acknowledged", "snoozed", "open"], reason: str, owner: str | None, lasts: str | None,
    url: str | None, config_file: Path | None,
) -> None:  # fmt: skip
    from agent import life
    from agent.client import open_client

    client = open_client(load(config_file), url)
    click.echo(life.act(client, finding, state, reason, owner or life.login_name(), lasts))
