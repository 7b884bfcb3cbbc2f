"""What does somebody see who opens `nodewright top` on a node with a slow model server?

    python docs/tour.py FOLDER [--size 120x36] [--pictures]

A real model server with a bad setting, real load, a real agent, and the screens in a real tmux: each stop of the tour is
written into FOLDER as text and as SVG. `--pictures` writes those that the README shows into docs.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent.demo.environment import prepare
from agent.demo.faults import threads_unset
from agent.demo.launch import allowed_cpus
from agent.demo.processes import Programs, terminated_as_interrupted
from agent.demo.serving import start_load, start_server
from agent.demo.watch import start_daemon, wait_for_advice
from tests.tmux import Terminal
from tui.export import fetching_nothing

ROOT = Path(__file__).resolve().parent.parent
LOAD_SECONDS = 240.0
ADVICE_SECONDS = 60.0
SETTLE_SECONDS = 1.5
README = {"overview": "overview", "finding": "advice", "worker": "workers"}
"""Stop of the tour to the picture in docs."""


@dataclass(frozen=True)
class Stop:
    """Keys, and what must stand on the screen then."""

    name: str
    keys: tuple[str, ...]
    shows: tuple[str, ...]
    seconds: float = 20.0


STOPS = (
    Stop("overview", (), ("mlserver", "Overview")),
    Stop("help", ("?",), ("keys of Overview",)),
    Stop("advice", ("Escape", "3"), ("mlserver",)),
    Stop("finding", ("Enter",), ("what to change",)),
    Stop("workers", ("Escape", "2"), ("service, process",)),
    Stop("worker", ("j", "j", "Enter"), ("threads",)),
    Stop("gpus", ("Escape", "4"), ()),
    Stop("profile", ("5",), ("samples",), 60.0),
    Stop("migration", ("6",), ()),
    Stop("past", ("1", "space", "["), ("PAST",)),
    Stop("present", (".",), ("Overview",)),
)


@contextmanager
def busy_node(programs: Programs, folder: Path) -> Iterator[str]:
    """Address of an agent that has advice for a server that is under load."""
    fault = threads_unset(allowed_cpus())
    server = start_server(programs, (str(prepare(programs, print) / "mlserver"),), fault.launch, folder / "server")
    url, _ = start_daemon(programs, folder)
    start_load(programs, server.port, 8, LOAD_SECONDS, 0)
    wait_for_advice(url, server, ADVICE_SECONDS, lambda: None)
    yield url


def walk(terminal: Terminal) -> Iterator[tuple[Stop, str]]:
    """Each stop and what is drawn there, colours included. AssertionError where it does not show what it must."""
    for stop in STOPS:
        for key in stop.keys:
            terminal.press(key)
            time.sleep(0.3)
        terminal.wait_for(lambda text, stop=stop: all(one in text for one in stop.shows), stop.seconds)  # type: ignore[misc]
        time.sleep(SETTLE_SECONDS)
        yield stop, terminal.drawn()


def svg(drawn: str, size: tuple[int, int]) -> str:
    console = Console(record=True, width=size[0], file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.from_ansi(drawn.rstrip("\n")), soft_wrap=False, overflow="crop", no_wrap=True)
    return fetching_nothing(console.export_svg(title="nodewright top"))


def tour(folder: Path, size: tuple[int, int]) -> dict[str, str]:
    """Every stop's name to what was drawn."""
    with (
        terminated_as_interrupted(),
        Programs() as programs,
        tempfile.TemporaryDirectory() as place,
        busy_node(programs, Path(place)) as url,
    ):
        environ = {"HOME": place, "XDG_CONFIG_HOME": place, "LANG": "C.UTF-8", "COLORTERM": "truecolor"}
        command = [sys.executable, str(ROOT / "nodewright.py"), "top", "--url", url]
        terminal = Terminal(Path(place), command, environ, size)
        try:
            terminal.wait_for(lambda text: "mlserver" in text)
            seen = {}
            for stop, drawn in walk(terminal):
                seen[stop.name] = drawn
                (folder / f"{stop.name}.txt").write_text(Text.from_ansi(drawn).plain, "utf-8")
                (folder / f"{stop.name}.svg").write_text(svg(drawn, size), "utf-8")
            return seen
        finally:
            terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Walk through the screens of a busy node.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="120x36", help="columns x rows")
    parser.add_argument("--pictures", action="store_true", help="write those of the README into docs, too")
    wanted = parser.parse_args()
    columns, _, rows = wanted.size.partition("x")
    wanted.folder.mkdir(parents=True, exist_ok=True)
    size = (int(columns), int(rows))
    seen = tour(wanted.folder, size)
    for stop, picture in README.items() if wanted.pictures else ():
        (ROOT / "docs" / f"{picture}.svg").write_text(svg(seen[stop], size), "utf-8")


if __name__ == "__main__":
    main()
