"""Commands for what came of changes: verify, outcomes."""

from pathlib import Path

import click
import msgspec

from agent.commands.life import agent_options
from agent.commands.options import load


@click.command(short_help="Measure what came of a change.")
@click.argument("finding")
@click.option("--since", help="How long ago the change was made, such as 5min. [default: now]")
@click.option(
    "--wait", type=click.FloatRange(0, 3600), default=120.0, show_default=True, help="Seconds to wait for it."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@agent_options
def verify(finding: str, since: str | None, wait: float, form: str, url: str | None, config_file: Path | None) -> None:
    """Say that what FINDING asks for was done, and measure what came of it. FINDING: its id, or a unique beginning.

    A change of a setting, a mask, a quota or a model is noticed by itself: this is for what nobody can see from outside,
    as a change of code or of what the clients send. The service has to be under load as before.

    Exit status: 0 verified, 1 refuted or unclear, 2 no such finding, 4 no agent answers, 5 no permission.
    """
    from agent import verifying
    from agent.client import open_client
    from agent.http.encoded import data_body

    outcome = verifying.verify(open_client(load(config_file), url), finding, since, wait)
    click.echo(verifying.outcome_text(outcome) if form == "text" else msgspec.json.format(data_body(outcome), indent=2))
    click.get_current_context().exit(0 if outcome.state == "verified" else 1)


@click.command(short_help="What came of changes, and how good the promises were.")
@click.option("--service", help="Only of this service.")
@click.option("--rule", help="Only what this rule promised.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@agent_options
def outcomes(service: str | None, rule: str | None, form: str, url: str | None, config_file: Path | None) -> None:
    """Changes of services that were noticed, what was promised of them, and what was measured; then how many of the promised
    intervals held the truth, how wide they were, and how they compare with constants of a table.

    Exit status: 0, 4 no agent answers, 5 no permission.
    """
    from agent import verifying
    from agent.client import open_client
    from agent.http.encoded import data_body

    found = verifying.outcomes(open_client(load(config_file), url), service, rule)
    click.echo(verifying.outcomes_text(found) if form == "text" else msgspec.json.format(data_body(found), indent=2))
