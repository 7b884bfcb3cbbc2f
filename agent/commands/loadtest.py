"""The command that loads a service on purpose to find out what it can do."""

from pathlib import Path

import click

from agent.commands.options import Seconds, config_option, load

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="What can this service really do? Stepped rates until it falls behind.")
@click.argument("url")
@config_option
@click.option(
    "--seconds", type=Seconds(least=5.0, most=3600.0), default=60.0, show_default=True, help="How long at most."
)
@click.option(
    "--step-seconds", type=Seconds(most=300.0), default=5.0, show_default=True, help="How long one rate, at least."
)
@click.option(
    "--max-rate", type=click.FloatRange(0.01, 100_000), default=2000.0, show_default=True, help="Requests/s at most."
)
@click.option(
    "--max-requests", type=click.IntRange(100, 10_000_000), default=50_000, show_default=True, help="In all at most."
)
@click.option(
    "--max-in-flight",
    type=click.IntRange(1, 10_000),
    default=256,
    show_default=True,
    help="Requests under way at most; one that is due beyond is not sent and counts as failed.",
)
@click.option(
    "--timeout", type=Seconds(least=0.01, most=600.0), default=10.0, show_default=True, help="Of one request."
)
@click.option(
    "--arrivals",
    type=click.Choice(["constant", "poisson"]),
    default="constant",
    show_default=True,
    help="How requests follow each other.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of Poisson arrivals.")
@click.option(
    "--slo",
    type=Seconds(least=1e-6, most=600.0),
    help="The p99 to keep. [default: slo_p99 of the service, else 5 times the unloaded p99]",
)
@click.option("--slo-first-token", type=Seconds(least=1e-6, most=600.0), help="The p99 of the first token to keep.")
@click.option("--body", type=_FILE, help="The body to send.")
@click.option("--corpus", type=_FILE, help="One body a line, sent in turn.")
@click.option("--content-type", help="Of bodies. [default: application/json]")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME: VALUE", help="Sent with each request; not shown or kept."
)
@click.option("--method", type=click.Choice(["GET", "POST", "PUT"]), help="[default: POST with a body, else GET]")
@click.option("--model", help="For completions: the model. [default: the first that the server lists]")
@click.option("--max-tokens", type=click.IntRange(1, 100_000), default=16, show_default=True, help="For completions.")
@click.option("--fresh-connections", is_flag=True, help="Open a connection for each request.")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A host beside this machine that may be loaded.",
)
@click.option("--yes", is_flag=True, help="Load it although it is in use.")
@click.option(
    "--agent", metavar="URL", help="The agent that is told. [default: where the configuration lets it listen]"
)
@click.option("--no-agent", is_flag=True, help="Neither ask the agent nor tell it the result.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def loadtest(
    url: str, config_file: Path | None, seconds: float, step_seconds: float, max_rate: float, max_requests: int,
    max_in_flight: int, timeout: float, arrivals: str, seed: int, slo: float | None, slo_first_token: float | None,
    body: Path | None, corpus: Path | None, content_type: str | None, headers: tuple[str, ...], method: str | None,
    model: str | None, max_tokens: int, fresh_connections: bool, allowed_hosts: tuple[str, ...], yes: bool,
    no_agent: bool, agent: str | None, form: str,
) -> int:  # fmt: skip
    """Offer URL rate after rate, open loop, until it no longer keeps up, and tell a running agent what it can do.

    URL is a V2 model (http://127.0.0.1:8080/v2/models/NAME), completions of the OpenAI API (.../v1/chat/completions), or
    any other path. Exit status: 0, 2 bad usage, 4 nothing could be measured, 130 interrupted (what was learnt is printed).
    """
    if body is not None and corpus is not None:
        raise click.UsageError("--body and --corpus exclude each other")
    if agent is not None and no_agent:
        raise click.UsageError("--agent and --no-agent exclude each other")
    if seconds < 2 * step_seconds:
        raise click.UsageError("--seconds is less than two steps (--step-seconds)")
    from agent.loadtest.command import run_command
    from agent.loadtest.options import LoadTestOptions, parse_headers
    from agent.loadtest.payload import Wanted

    options = LoadTestOptions(
        url=url,
        wanted=Wanted(
            body=body, corpus=corpus, content_type=content_type, method=method, model=model, max_tokens=max_tokens
        ),
        headers=parse_headers(headers),
        allowed_hosts=allowed_hosts,
        seconds=seconds,
        step_seconds=step_seconds,
        max_rate=max_rate,
        max_requests=max_requests,
        max_in_flight=max_in_flight,
        timeout_seconds=timeout,
        pattern=arrivals,  # type: ignore[arg-type]
        seed=seed,
        slo_p99_seconds=slo,
        slo_first_token_seconds=slo_first_token,
        fresh_connections=fresh_connections,
        yes=yes,
        ask_agent=not no_agent,
        agent=agent,
    )
    return run_command(load(config_file), options, form)
