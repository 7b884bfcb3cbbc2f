"""Does `nodewright top` in a real terminal come back by itself, at its place, when its agent is killed and started again?"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.agent.running import LAUNCHER, agent, command, prefork_server
from tests.tmux import Terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.live,
    pytest.mark.heavy,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[int]]:
    with ExitStack() as stack:
        yield [stack.enter_context(prefork_server(tmp_path / f"server{number}")) for number in range(3)]


def restart(state: Path, port: int, folder: Path) -> "subprocess.Popen[bytes]":
    home = {"XDG_STATE_HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder / "runtime"), "HOME": str(folder)}
    return subprocess.Popen(
        command("run", "--db", str(state), "--listen", f"127.0.0.1:{port}", "--no-sidecar"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **home},
    )  # fmt: skip


def test_an_agent_that_is_killed_and_comes_back_is_shown_again_at_the_same_place(
    tmp_path: Path, servers: list[int]
) -> None:
    folder = tmp_path / "agent"
    with ExitStack() as stack:
        running = stack.enter_context(agent(folder, "--no-sidecar"))
        running.wait_for("/v1/services", lambda found: len(found) >= 3)
        environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "LANG": "C.UTF-8", "COLORTERM": "truecolor"}
        url = f"http://127.0.0.1:{running.port}"
        terminal = Terminal(tmp_path, [sys.executable, str(LAUNCHER), "top", "--url", url], environ)
        stack.callback(terminal.close)
        terminal.wait_for(lambda text: f"● {url}" in text and text.count("gunicorn/shop") >= 3)

        terminal.press("j")
        terminal.press("j")
        terminal.press("space")
        paused = terminal.wait_for(lambda text: "PAUSED" in text or "PAST" in text)
        terminal.press(".")
        terminal.wait_for(lambda text: "PAST" not in text and "PAUSED" not in text)
        before = cursor(terminal)

        running.process.send_signal(signal.SIGKILL)
        running.process.wait(10)
        lost = terminal.wait_for(lambda text: "✗ nothing listens there, attempt" in text)
        assert lost.count("gunicorn/shop") >= 3, "the last picture stays"
        time.sleep(8)

        again = restart(running.state, running.port, folder)
        stack.callback(end, again)
        told = terminal.wait_for(lambda text: "back: nothing was seen for" in text)
        assert "UTC to " in told
        terminal.wait_for(lambda text: f"● {url}" in text and text.count("gunicorn/shop") >= 3, 60)
        assert cursor(terminal) == before
        assert "PAUSED" in paused or "PAST" in paused

        terminal.press("@")
        terminal.wait_for(lambda text: "These screens have seen" in text)
        terminal.press("-30s", "Enter")
        terminal.wait_for(lambda text: "‖ PAST, paused" in text)
        for _ in range(60):
            terminal.press("]")
            if "after a gap of" in terminal.text():
                break
            time.sleep(0.2)
        terminal.wait_for(lambda text: "after a gap of" in text, 5)
        terminal.press("q")


def cursor(terminal: Terminal) -> str:
    """The line that is drawn on the ground of the cursor."""
    drawn = terminal.drawn()
    line = next((line for line in drawn.splitlines() if "48;2;43;61;85" in line), "")
    assert line, drawn
    return line.split("gunicorn/shop", 1)[1][:8]


def end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
