"""What must a reader know of the numbers of a run under scalene? (Measured with scalene 2.4.0.)"""

from collections.abc import Iterator, Sequence

from agent.scalene.report import Report
from agent.scalene.window import Window


def notes_of(window: Window, report: Report, leaking: Sequence[str]) -> tuple[str, ...]:
    """How the run went, then how its numbers are bent."""
    return (*_of_the_run(window), *_of_the_numbers(report, leaking))


def _of_the_run(window: Window) -> Iterator[str]:
    if window.status is not None:
        yield f"the program ended by itself after {window.seconds:.1f} s, with status {window.status}"
    if window.interrupted:
        yield f"interrupted after {window.seconds:.1f} s"
    if not window.addresses and window.status is None:
        yield (
            f"the program listened nowhere within {window.seconds:.0f} s: these are the lines of its first seconds; a "
            "server that starts slower than that needs more --seconds"
        )
    if window.killed:
        yield "the program did not end when it was interrupted and was killed: up to 5 s at the end are missing"
    if window.spawned:
        yield f"processes spawned by multiprocessing are not in this profile ({window.spawned}): scalene does not see them"


def _of_the_numbers(report: Report, leaking: Sequence[str]) -> Iterator[str]:
    yield (
        "ratios are of the whole run's time, its start and idle time included; a line that calls into a library has "
        "that library's time; system is all time at a line outside user mode, waiting for a CPU included"
    )
    yield (
        "Python against native is measured in the main thread only; in other threads a line counts as native whenever "
        "it is at a call, so that x @ y there shows as Python and numpy.matmul(x, y) as native"
    )
    if not report.memory:
        yield "scalene itself took about 3.5 % of the throughput; memory, copies and GPU were not measured"
        return
    yield "scalene itself took about 12 % of the throughput (3.5 % without memory)"
    yield (
        "peak is the most that one pass over a line allocated, as seen by sampling; growth is what was allocated at lines "
        "that scalene takes for leaks, and of two lines that allocate alike it may name the wrong one"
    )
    if leaking:
        yield f"taken for leaks: {', '.join(leaking)}"
    if report.gpu:
        yield "GPU is the use of the whole device while the line ran, whoever used it"
