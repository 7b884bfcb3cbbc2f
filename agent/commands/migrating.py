"""The command for moving work to a device: migrate."""

from pathlib import Path

import click
import msgspec

from agent.commands.life import agent_options
from agent.config_sources import load_config


@click.command(short_help="Which work should move to a GPU: faster, does it fit, what does it cost.")
@click.argument("service", required=False)
@click.option(
    "--device", "devices", multiple=True, help="Another device, such as L4, H100, inf2; several times for several."
)
@click.option(
    "--price",
    "price_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help='A file with [devices."NAME"] tables, and [prices] of the node.',
)
@click.option(
    "--what-if",
    "what_if",
    multiple=True,
    metavar="KEY=VALUE",
    help="Suppose: load=200 (requests a second), slo=100ms, part=0.9 (of CPU time that could move), cores=8, batch=16, "
    "precision=int8.",
)
@click.option(
    "--probe",
    is_flag=True,
    help="Measure what this node's memory gives instead: its CPUs read it for two seconds, behind everybody else.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@agent_options
def migrate(
    service: str | None,
    devices: tuple[str, ...],
    price_file: Path | None,
    what_if: tuple[str, ...],
    probe: bool,
    form: str,
    url: str | None,
    config_file: Path | None,
) -> None:
    """What moving the work of SERVICE, or of each service, to a device would bring: latency and throughput as intervals against
    these CPUs set right, what binds, whether the model fits, the cost at the load that there is, the load from which on it
    pays, and a verdict with its reason. Nothing is measured for it: it rests on what the running agent has seen. With --probe
    alone it measures the memory of this node and says what to write into the configuration.

    Exit status: 0, 2 no such service, bad usage or too little memory for the probe, 4 no agent answers, 5 no permission.
    """
    if probe:
        if service or devices or what_if or price_file or url or config_file:
            raise click.UsageError("--probe measures this node: nothing else goes with it but --format")
        _probe(form)
        return
    from agent import migrate as asked
    from agent.client import open_client
    from agent.http.encoded import data_body

    loaded = load_config(config_file, flags={"prices.file": None if price_file is None else str(price_file.absolute())})
    client = open_client(loaded, url)
    found = asked.migrate(client, loaded.config, service, devices, what_if, priced=price_file is not None)
    click.echo(asked.text(found) if form == "text" else msgspec.json.format(data_body(found), indent=2))


def _probe(form: str) -> None:
    from agent.http.encoded import data_body
    from agent.memory_probe import measured_bandwidth, text
    from agent.memory_room import room_of
    from collectors.host import Host

    found = measured_bandwidth(room_of(Host.real()))
    click.echo(text(found) if form == "text" else msgspec.json.format(data_body(found), indent=2))
