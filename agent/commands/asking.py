"""Commands that answer at once: explain, doctor, config, and the screens' own: top."""

import json
from pathlib import Path
from typing import NoReturn

import click

from agent.commands.options import config_option, load
from agent.errors import CliError

_ANY = {"ignore_unknown_options": True, "allow_extra_args": True}


@click.command(short_help="Print a rule's page, or the list of rules.")
@click.argument("rule", required=False)
def explain(rule: str | None) -> None:
    """Print a rule's page: what it looks for, why it matters, what to do, when it is wrong. Without a name: the list."""
    from advisor.catalogue import pages
    from agent.explain import explain as page_of

    click.echo(page_of(pages(), rule))


@click.command(short_help="What can be read on this host, and how to enable the rest.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(form: str) -> int:
    """Say what can and cannot be read on this host and how to enable it.

    Exit status: 0, 1 something that advice depends on is unreadable.
    """
    from agent.doctor import as_json, as_text, examine
    from agent.doctor_services import configured_discovery, service_checks
    from collectors.collector import all_collectors
    from collectors.host import Host

    host = Host.real()
    report = examine(host, all_collectors(), services=service_checks(host, configured_discovery()))
    click.echo(as_json(report) if form == "json" else as_text(report))
    return 0 if report.ready else 1


@click.group()
def config() -> None:
    """Show, describe and check the configuration."""


@config.command()
@config_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(config_file: Path | None, form: str) -> None:
    """Print each setting with its value and where it comes from."""
    from agent.config_report import as_text, shown_settings

    rows = shown_settings(load(config_file))
    click.echo(json.dumps({"data": rows}, ensure_ascii=False) if form == "json" else as_text(rows))


@config.command()
def schema() -> None:
    """Print the JSON Schema of a configuration file."""
    from agent.config_report import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@config.command()
@config_option
def check(config_file: Path | None) -> None:
    """Read the configuration and say whether it is valid. Exit status: 0, 2 it is not."""
    loaded = load(config_file)
    read = ", ".join(map(str, loaded.files)) or "no file, defaults only"
    click.echo(f"valid: {read}")


@click.command(context_settings=_ANY)
def top() -> NoReturn:
    """Look at the node in the terminal. See `nodewright top --help`."""
    raise CliError(
        "top.order", "`top` must be the first word of the command", "nodewright top [--url U] [--recording F]"
    )
