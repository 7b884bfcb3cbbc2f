"""What does `nodewright COMMAND` do, and how does it end? One clear line on standard error, never a traceback."""

import os
import signal
import sys
from types import TracebackType
from typing import NoReturn

import click

from agent.commands import asking, fleet, ledger, life, loadtest, migrating, profiling, running
from agent.errors import CliError, error_line, reason_of
from nodewright import __version__

INTERNAL_STATUS = 70
"""EX_SOFTWARE of sysexits.h: a fault of ours, told apart from every status of the contract."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nodewright", message="%(prog)s %(version)s")
def cli() -> None:
    """Watch the model servers of this node: what holds them back, what to change, and whether it helped."""


for _command in (running.run, running.advise, asking.top, profiling.profile, running.sidecar, asking.explain, asking.doctor,
                 asking.config, running.record, running.replay, running.demo, running.past, life.ack, life.snooze,
                 life.reopen, life.history, loadtest.loadtest, ledger.verify, ledger.outcomes, migrating.migrate,
                 fleet.fleet):  # fmt: skip
    cli.add_command(_command)


def main() -> NoReturn:
    """Entry of the launcher."""
    sys.excepthook = _fault
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name from the kernel must not end a command
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit status. Writes the one line of an error to standard error."""
    try:
        with cli.make_context("nodewright", list(arguments)) as context:
            status = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except CliError as error:
        return _end(str(error), error.exit_status)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.ClickException as error:
        return _end(_usage_line(error), 2)
    except (click.Abort, KeyboardInterrupt):
        return 128 + signal.SIGINT
    except BrokenPipeError:
        _drop_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _end(error_line("system", f"{where}{reason_of(error)}", "see nodewright doctor"), 2)
    return status if isinstance(status, int) else 0


def _usage_line(error: click.ClickException) -> str:
    hint = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"see {error.ctx.command_path} --help"
    return error_line("usage", error.format_message(), hint)


def _end(line: str, status: int) -> int:
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        pass
    return status


def _drop_output() -> None:
    """What is still buffered goes nowhere, so that the interpreter's end does not complain about it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that nobody expected, in one line with the place to report."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "unknown place"
    _end(error_line("internal", f"{kind.__name__}: {error}", f"a fault of nodewright at {where}"), INTERNAL_STATUS)
    os._exit(INTERNAL_STATUS)
