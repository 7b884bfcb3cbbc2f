"""How fast and how light are the screens, before a node of 128 workers with 2,000 threads?

`nodewright top` runs in a real pseudo-terminal. From its start to the first drawn frame and to the first picture; from a key
to the end of what is drawn for it; CPU at a refresh a second; memory over as many refreshes as an hour has.
"""

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

from agent.demo.launch import DemoError
from agent.demo.processes import Programs
from bench.cost import tree_cpu_seconds, tree_memory
from bench.stats import estimate_of_sums, percentile

HERE = Path(__file__).resolve().parent
SIZES = ((80, 24), (200, 50))
FRAME, PICTURE = b"Overview", b"gunicorn/app"
KEYS = (
    "2", "j", "j", "j", "k", "\r", "j", "\x1b", "3", "j", "j", "k", "\r", "j", "\x1b", "1", "j", "j", "k", "4", "5", "6", "1",
    "?", "\x1b",
)  # fmt: skip
"""Workers: down and up, into a worker's page and back; the same in Advice and the Overview; all screens; help and back.
Textual waits 100 ms after an escape for the rest of a longer key: it is told by itself."""
ESCAPE = "\x1b"
QUIET_SECONDS = 0.06
"""What was drawn for a key has ended when nothing comes for so long."""
ANSWER_SECONDS = 0.5
"""For a key that changes nothing, as at the end of a list, nothing is drawn by then."""
REFRESH_SECONDS = 2.0
MOST_SECONDS = 30.0
WINDOWS = 6
FAST_SECONDS = 0.1
"""Between two refreshes while an hour of them passes."""
TOP = """
import sys
sys.path.insert(0, sys.argv[1])
from tui.app import TopApp
from tui.http_source import HttpSource
TopApp(HttpSource(sys.argv[2]), float(sys.argv[3])).run()
"""


class Terminal:
    """A program in a pseudo-terminal of `size` columns and rows. Nobody answers what it asks of the terminal."""

    def __init__(self, argv: list[str], size: tuple[int, int]) -> None:
        self._end, other = pty.openpty()
        columns, rows = size
        ioctl(other, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            environ.pop(name, None)
        self.began = time.monotonic()
        self.program = subprocess.Popen(
            argv, stdin=other, stdout=other, stderr=other, env=environ, start_new_session=True, close_fds=True
        )
        os.close(other)

    def read(self, seconds: float) -> bytes:
        """What comes next; empty if nothing comes within `seconds`, or nothing will any more."""
        ready, _, _ = select.select([self._end], [], [], max(0.0, seconds))
        try:
            return os.read(self._end, 1 << 16) if ready else b""
        except OSError:  # EIO: it has ended
            return b""

    def seconds_to(self, text: bytes) -> float:
        """From its start until it wrote `text`. TimeoutError."""
        seen = b""
        while text not in seen:
            if time.monotonic() - self.began > MOST_SECONDS or self.program.poll() is not None:
                raise TimeoutError(f"it never wrote {text.decode()}")
            seen = seen[-len(text) :] + self.read(0.5)
        return time.monotonic() - self.began

    def after_refresh(self) -> None:
        """Wait until a refresh has been drawn: the next one is most of a second away, and is not taken for an answer."""
        while self.read(QUIET_SECONDS):
            pass
        self.read(REFRESH_SECONDS)
        while self.read(QUIET_SECONDS):
            pass

    def press(self, key: str) -> tuple[float, float] | None:
        """Seconds from the key to the first and to the last that is written before it is quiet; None: nothing was."""
        began = time.monotonic()
        os.write(self._end, key.encode())
        first = last = None
        while self.read(ANSWER_SECONDS if last is None else QUIET_SECONDS):
            last = time.monotonic() - began
            first = last if first is None else first
        return None if first is None or last is None else (first, last)

    def watch(self, seconds: float) -> None:
        """Read away what it writes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(left)

    def close(self) -> None:
        self.program.send_signal(signal.SIGTERM)
        try:
            self.program.wait(5)
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait()
        os.close(self._end)


@contextmanager
def opened(argv: list[str], size: tuple[int, int]) -> Iterator[Terminal]:
    terminal = Terminal(argv, size)
    try:
        yield terminal
    finally:
        terminal.close()


def measure(programs: Programs, folder: Path, rounds: int, seconds: float, pictures: int) -> None:
    """`rounds` starts and rounds of keys for each size, windows of `seconds`, and `pictures` refreshes."""
    url = node(programs, folder, 1.0)
    top = [sys.executable, str(HERE.parent / "bin" / "nodewright"), "top", "--url", url]
    for size in SIZES:
        _starts(top, size, rounds)
        _keys(top, size, rounds)
        _cpu(top, size, seconds)
    _growth(
        [sys.executable, "-c", TOP, str(HERE.parent), node(programs, folder, FAST_SECONDS), str(FAST_SECONDS)], pictures
    )


def node(programs: Programs, folder: Path, every: float) -> str:
    """Address of the served node; a second of it takes `every` seconds."""
    log = folder / f"node-{every:g}"
    program = programs.start([sys.executable, str(HERE / "screens_node.py"), f"{every:g}"], log=log)
    until = time.monotonic() + MOST_SECONDS
    while not (said := log.read_text().strip()).isdigit():
        if program.poll() is not None or time.monotonic() > until:
            raise DemoError(f"the node is not told: {said[-300:]}", "see bench/screens_node.py")
        time.sleep(0.1)
    return f"http://127.0.0.1:{said}"


def _starts(top: list[str], size: tuple[int, int], rounds: int) -> None:
    frames, pictures = [], []
    for _ in range(rounds):
        with opened(top, size) as terminal:
            frames.append(terminal.seconds_to(FRAME))
            pictures.append(terminal.seconds_to(PICTURE))
    print(f"{_name(size)} start to first frame    {_spread(frames, 's', 2)}")
    print(f"{_name(size)} start to first picture  {_spread(pictures, 's', 2)}")


def _keys(top: list[str], size: tuple[int, int], rounds: int) -> None:
    """Where nothing was drawn for a key, as at the end of a list, it does not count."""
    by_key: dict[str, list[tuple[float, float]]] = {}
    with opened(top, size) as terminal:
        terminal.seconds_to(PICTURE)
        terminal.watch(2.0)
        for _ in range(rounds):
            for key in KEYS:
                terminal.after_refresh()
                if (took := terminal.press(key)) is not None:
                    by_key.setdefault(key, []).append((took[0] * 1e3, took[1] * 1e3))
    every = [one for key, took in by_key.items() for one in took if key != ESCAPE]
    for which, name in enumerate(("first of its drawing", "last of its drawing ")):
        print(f"{_name(size)} key to {name} {_spread([one[which] for one in every], 'ms', 0)}, {len(every)} keys")
    told = ", ".join(
        f"{key!r} {percentile([one[0] for one in took], 0.5):.0f}-{percentile([one[1] for one in took], 0.5):.0f}"
        for key, took in sorted(by_key.items())
    )
    print(f"{_name(size)} by key (medians, ms)     {told}")


def _cpu(top: list[str], size: tuple[int, int], seconds: float) -> None:
    for key, name in (("1", "Overview"), ("2", "Workers"), ("3", "Advice")):
        windows = []
        with opened(top, size) as terminal:
            terminal.seconds_to(PICTURE)
            terminal.press(key)
            terminal.watch(3.0)
            for _ in range(WINDOWS):
                before, began = tree_cpu_seconds(terminal.program.pid), time.monotonic()
                terminal.watch(seconds / WINDOWS)
                windows.append((tree_cpu_seconds(terminal.program.pid) - before, time.monotonic() - began))
        share = estimate_of_sums(windows)
        print(
            f"{_name(size)} CPU at 1 Hz, {name:<9}  {share.ratio:.2%} of a core (95 % {share.low:.2%} to {share.high:.2%})"
        )


def _growth(top: list[str], pictures: int) -> None:
    """Resident bytes while `pictures` refreshes pass, the pictures that are kept for going back among them."""
    told = []
    with opened(top, SIZES[1]) as terminal:
        terminal.seconds_to(PICTURE)
        steps = 6
        for step in range(steps + 1):
            if step:
                terminal.press("2" if step % 2 else "1")
                terminal.watch(pictures * FAST_SECONDS / steps)
            [row] = tree_memory(terminal.program.pid)
            told.append(f"{row.resident_bytes / 1e6:.0f}")
    print(f"memory over {pictures * FAST_SECONDS:.0f} s at {1 / FAST_SECONDS:g} Hz  {', '.join(told)} MB")


def _name(size: tuple[int, int]) -> str:
    return f"{size[0]:>3} x {size[1]}"


def _spread(values: list[float], unit: str, digits: int) -> str:
    """Median, 95th percentile, worst."""
    parts = (percentile(values, 0.5), percentile(values, 0.95), max(values))
    median, high, worst = (f"{one:.{digits}f} {unit}" for one in parts)
    return f"{median} (95 % below {high}, worst {worst})"
