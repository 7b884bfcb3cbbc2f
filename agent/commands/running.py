"""Commands that watch: run, advise, record, replay, sidecar, demo."""

from pathlib import Path

import click

from agent.commands.options import Seconds, User, config_option, load, load_and_log, setting_option

SEVERITIES = ("low", "medium", "high", "critical")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@config_option
@setting_option("agent.db")
@setting_option("agent.listen")
@setting_option("agent.sidecar")
@setting_option("agent.interval")
def run(config_file: Path | None, db: str | None, listen: str | None, sidecar: str | None, interval: str | None) -> int:
    """Watch this node until a signal ends it. SIGHUP re-reads the configuration, where no terminal sends it.

    Exit status: 0 ended by a signal, 2 bad configuration, 3 already running on that database.
    """
    flags = {"db": db, "listen": listen, "sidecar": sidecar, "interval": interval}
    loaded = load_and_log(config_file, **flags)
    from agent.light import without_openssl
    from agent.notify.targets import is_encrypted

    profiles = (loaded.config.profiling.pyroscope_url or "").startswith("https:")
    if not profiles and not is_encrypted(loaded.config.notify):
        without_openssl()
    from agent.daemon import run as run_daemon

    return run_daemon(loaded, no_sidecar=not loaded.config.agent.sidecar, reread=lambda: load(config_file, **flags))


@click.command()
@config_option
@click.option("--seconds", type=Seconds(), default=20.0, show_default=True, help="How long to sample.")
@click.option("--service", help="Only this service, by its name.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown", "github"]), default="text", show_default=True
)
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit with 1 if a finding is at least this severe.")
@click.option("--recording", type=_FILE, help="Judge a recording instead of this node.")
@click.option("--history", is_flag=True, help="Of a recording: when each finding began, changed and ended.")
@click.option(
    "--baseline",
    type=_FILE,
    help='Findings in this file are accepted: what --format json printed, or {"accepted": [{rule, subject, until, reason}]}.',
)
@click.option("--url", help="Ask the agent that runs there: http://HOST:PORT or unix:PATH.")
def advise(
    config_file: Path | None,
    seconds: float,
    service: str | None,
    form: str,
    fail_on: str | None,
    recording: Path | None,
    history: bool,
    baseline: Path | None,
    url: str | None,
) -> int:
    """Sample for a while, judge, and print what to change.

    Exit status: 0, 1 a finding at or above --fail-on that the baseline does not accept, 2 bad usage, 4 nothing could be
    read.
    """
    if url is not None and recording is not None:
        raise click.UsageError("--url and --recording exclude each other")
    if history and (recording is None or form not in ("text", "json")):
        raise click.UsageError("--history takes --recording, and text or json as --format")
    if history and (service, fail_on, baseline) != (None, None, None):
        raise click.UsageError("--history excludes --service, --fail-on and --baseline")
    loaded = load(config_file)
    from advisor.finding import Severity
    from agent.advise import AdviseOptions
    from agent.advise import advise as run_advise

    options = AdviseOptions(
        seconds=seconds,
        service=service,
        format=form,  # type: ignore[arg-type]
        fail_on=None if fail_on is None else Severity(fail_on),
        recording=recording,
        history=history,
        baseline=baseline,
        url=url,
    )
    return run_advise(loaded, options)


@click.command(short_help="Record this node into one file.")
@config_option
@click.option("--output", required=True, type=_FILE, help="The file to make.")
@click.option("--seconds", type=Seconds(), help="How long to record. Without it: until SIGINT or SIGTERM.")
def record(config_file: Path | None, output: Path, seconds: float | None) -> int:
    """Record this node into one file, for `replay`, `top --recording` and `advise --recording`."""
    from agent.recorder import record_node

    return record_node(load(config_file), output, seconds)


@click.command()
@config_option
@click.argument("file", type=_FILE)
@setting_option("agent.listen")
def replay(config_file: Path | None, file: Path, listen: str | None) -> int:
    """Serve a recording over HTTP, read-only."""
    loaded = load_and_log(config_file, listen=listen)
    from agent.replay import replay_file

    return replay_file(loaded, file)


@click.command(short_help="The privileged sidecar alone.")
@click.option(
    "--socket", "socket_path", type=_FILE, help="Where to listen. [default: sidecar.sock in the runtime folder]"
)
@click.option("--fd", type=click.IntRange(min=3), hidden=True, help="A connected socket inherited from the agent.")
@click.option("--allow-uid", type=User(), help="A user, by number or name, besides root and our own, that may ask.")
def sidecar(socket_path: Path | None, fd: int | None, allow_uid: int | None) -> int:
    """Look inside other processes on the agent's behalf; needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.

    Exit status: 0 ended by a signal, 5 it lacks what it needs.
    """
    from agent.sidecar.main import run_sidecar
    from collectors.host import Host

    return run_sidecar(None if socket_path is None else str(socket_path), fd, allow_uid, Host.real())


@click.command(hidden=True)
@click.option("--fd", type=click.IntRange(min=3), required=True, help="A connected socket inherited from the agent.")
@click.option("--alone", is_flag=True, help="It shares its CPU quota with nobody.")
def past(fd: int, alone: bool) -> int:
    """Work out moments of the past for the agent at the other end of a socket: it starts this itself."""
    from agent.past.child import run_child

    return run_child(fd, alone=alone)


@click.command(short_help="See it work: a bad setting, the advice, the gain.")
@click.option("--seed", type=int, help="Draw another bad setting with this number.")
@click.option("--keep-environment", is_flag=True, help="Leave the folder with settings, logs and database.")
def demo(seed: int | None, keep_environment: bool) -> int:
    """Start a real model server with a bad setting, advise, apply the advice, and measure the gain."""
    from agent.demo.main import run_demo

    return run_demo(seed, keep_environment=keep_environment)
