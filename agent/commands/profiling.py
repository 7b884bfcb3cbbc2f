"""The command that looks into one worker, or runs a program under scalene."""

import sys
from pathlib import Path

import click

from agent.commands.options import Seconds

_FORMATS = click.Choice(["speedscope", "collapsed", "svg", "text"])


def _tell(text: str) -> None:
    click.echo(f"nodewright profile: {text}", err=True)


@click.command(context_settings={"allow_interspersed_args": True})
@click.argument("words", nargs=-1, metavar="PID|SERVICE | --scalene -- CMD…")
@click.option("--seconds", type=Seconds(most=300.0), default=10.0, show_default=True, help="How long to look.")
@click.option(
    "--rate", type=click.IntRange(1, 1000), help="Looks a second. [default: what the process allows, at most 50]"
)
@click.option(
    "--native", is_flag=True, help="Merged native stacks; stops the process for each look, and says for how long."
)
@click.option("--gil", is_flag=True, help="Only the thread that holds the GIL.")
@click.option("--idle", is_flag=True, help="Also threads that wait.")
@click.option("--format", "form", type=_FORMATS, help="[default: text on a terminal, else speedscope]")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write. [default: standard output]"
)
@click.option("--scalene", is_flag=True, help="Run CMD under scalene, which must be installed beside it: line by line.")
@click.option("--memory", is_flag=True, help="With --scalene: memory and copies too, at a higher cost.")
def profile(
    words: tuple[str, ...], seconds: float, rate: int | None, native: bool, gil: bool, idle: bool, form: str | None,
    output: Path | None, scalene: bool, memory: bool,
) -> int:  # fmt: skip
    """What a worker, or every worker of a service, spends its time on.

    Without --native nothing is stopped: stacks of Python threads, native functions of all threads, what threads wait
    for. Exit status: 0, 2 bad usage, 4 it could not be profiled, 5 no permission (the text says what to grant).
    """
    if scalene:
        if not words:
            raise click.UsageError("--scalene needs the command to run: --scalene --seconds 20 -- python app.py")
        from agent.scalene.command import scalene_command

        return scalene_command(words, seconds=seconds, memory=memory, output=output, tell=_tell)
    if len(words) != 1:
        raise click.UsageError("name one PID or one SERVICE")
    from agent.profiling.one_shot import ProfileOptions, profile_command

    chosen = form or ("text" if output is None and sys.stdout.isatty() else "speedscope")
    options = ProfileOptions(
        seconds=seconds, hertz=rate, native=native, gil=gil, idle=idle, form=chosen, output=output  # type: ignore[arg-type]
    )  # fmt: skip
    return profile_command(words[0], options, _tell)
