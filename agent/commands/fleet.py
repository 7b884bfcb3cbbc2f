"""The command for advice across nodes: fleet."""

from pathlib import Path

import click
import msgspec

from agent.commands.options import Seconds


@click.command(short_help="Advice across nodes, from an existing Prometheus.")
@click.option("--prometheus", "url", required=True, metavar="URL", help="Prometheus, Thanos, Mimir or VictoriaMetrics.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the bearer token, or with --user the password.",
)
@click.option("--user", help="For basic authentication.")
@click.option("--tenant", help="The tenant: sent as X-Scope-OrgID.")
@click.option(
    "--since", type=Seconds(least=300.0, most=30 * 86400.0), default="1h", show_default=True, help="How far back."
)
@click.option("--by", "node_label", default="instance", show_default=True, help="The label that names a node.")
@click.option("--match", "matchers", metavar="MATCHERS", help='Only such series: \'job="nodewright",zone="a"\'.')
@click.option("--timeout", type=Seconds(most=600.0), default=30.0, show_default=True, help="Of one query.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def fleet(
    url: str, token_file: Path | None, user: str | None, tenant: str | None, since: float, node_label: str,
    matchers: str | None, timeout: float, form: str,
) -> None:  # fmt: skip
    """What many nodes say together: findings that stand on several, nodes unlike their peers, headroom and cost of each service
    over all its nodes, work that may move to GPUs, and services that would fit on fewer nodes. Each with its numbers and the
    queries that they came from; what cannot be told says what is missing.

    Exit status: 0, 2 bad usage, 4 no answer or none of a Prometheus with our series, 5 not allowed.
    """
    from agent.fleet.command import advice_of_fleet, asking, secret_of
    from agent.fleet.prometheus import Access
    from agent.fleet.text import render
    from agent.http.encoded import data_body

    secret = secret_of(token_file)
    if user is not None and (secret is None or ":" in user or not user.isprintable()):
        raise click.UsageError("--user is a name without a colon, and its password is in --token-file")
    if tenant is not None and (not tenant.isascii() or not tenant.isprintable()):
        raise click.UsageError("--tenant is one line of ASCII")
    access = Access(secret=secret, user=user, tenant=tenant)
    found = advice_of_fleet(url, access, asking(since, node_label, matchers), timeout)
    click.echo(render(found) if form == "text" else msgspec.json.format(data_body(found), indent=2))
