"""A program in a real terminal, whose keys are pressed and whose screen is read: a tmux of its own."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class Terminal:
    """Ends with `close`, and with it what runs in it."""

    def __init__(
        self, folder: Path, arguments: Sequence[str], environ: Mapping[str, str], size: tuple[int, int] = (100, 30)
    ) -> None:
        """`folder`: where its socket lies. `size`: columns and rows."""
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        given = [f"{name}={value}" for name, value in environ.items()]
        shape = ["-x", str(size[0]), "-y", str(size[1])]
        # tmux tells a program of its own colours only what its terminal would have
        self._run("new-session", "-d", *shape, "env", "-u", "COLUMNS", "-u", "LINES", *given, *arguments)

    def text(self) -> str:
        return self._run("capture-pane", "-p")

    def drawn(self) -> str:
        """The same with its colours, as escape sequences."""
        return self._run("capture-pane", "-p", "-e")

    def press(self, *keys: str) -> None:
        self._run("send-keys", "--", *keys)

    def resize(self, columns: int, rows: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def wait_for(self, good: Callable[[str], bool], seconds: float = 40) -> str:
        """The screen once it is `good`; AssertionError with the screen as it is otherwise."""
        end, text = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            text = self.text()
            if good(text):
                return text
            time.sleep(0.1)
        raise AssertionError(f"never as expected:\n{text}")

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)

    def _run(self, *arguments: str) -> str:
        return subprocess.run([*self._tmux, *arguments], check=True, capture_output=True, text=True).stdout
