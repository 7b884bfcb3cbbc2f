"""How does `nodewright loadtest` run and print?"""

import sys

import click
import msgspec

from agent.client import open_client
from agent.config import LoadedConfig
from agent.errors import CliError
from agent.limits import raise_descriptor_limit
from agent.loadtest.options import LoadTestOptions
from agent.loadtest.report import HEAD, LoadTestReport, conclusion, row
from agent.loadtest.start import start
from agent.loadtest.step import Step

INTERRUPTED_STATUS = 130


def run_command(loaded: LoadedConfig, options: LoadTestOptions, form: str) -> int:
    """0, 130 interrupted. CliError: 2 bad usage, 4 nothing could be measured."""
    raise_descriptor_limit()
    client = open_client(loaded, options.agent) if options.ask_agent else None

    def begun(remark: str) -> None:
        if remark:
            print(f"nodewright loadtest: {remark}", file=sys.stderr)
        if form == "text":
            click.echo(HEAD)

    def say(step: Step) -> None:
        if form == "text":
            click.echo(row(step))
            sys.stdout.flush()

    report = start(options, client, lambda name: loaded.config.for_service(name).slo_p99_seconds, begun, say)
    if form == "json":
        click.echo(msgspec.json.encode({"data": report}).decode())
    else:
        click.echo("\n".join(conclusion(report)))
    return _status(report)


def _status(report: LoadTestReport) -> int:
    if report.ended == "interrupted":
        return INTERRUPTED_STATUS
    if report.kept_up_per_second is None:
        why = "no rate was offered" if not report.steps else report.steps[-1].because
        raise CliError("loadtest.no-rate", f"it kept up with none of the rates: {why}", "see the table", exit_status=4)
    return 0
