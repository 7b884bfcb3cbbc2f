"""The command `profile --scalene`: run the program, print its hot lines, keep them beside the other profiles."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from agent.errors import CliError
from agent.profiling.one_shot import keep_beside
from agent.scalene.relaunch import run_under_scalene
from agent.scalene.run import as_stored
from agent.scalene.table import as_text


def scalene_command(
    argv: Sequence[str], *, seconds: float, memory: bool, output: Path | None, tell: Callable[[str], None]
) -> int:
    """0. Raises CliError: 2 it cannot be run or seen, 4 nothing was measured, 5 scalene is missing there."""
    run = run_under_scalene(argv, seconds=seconds, cpu_only=not memory, tell=tell)
    text = as_text(run)
    if output is None:
        click.echo(text)
    else:
        try:
            output.write_text(text + "\n")
        except OSError as error:
            hint = "name a file that can be written"
            raise CliError("profile.output", f"{output}: {error.strerror}", hint) from error
    keep_beside(as_stored(run), tell)
    return 0
