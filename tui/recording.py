"""How is a recorded file shown? The agent's own `replay` serves it to us over a private Unix socket."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from advisor.documents import FindingEvent, Problem
from advisor.finding import Finding
from advisor.ledger.outcome import Outcome
from tui.http_source import HttpSource
from tui.source import Act, Answer, Picture, Unreachable

_LAUNCHER = Path(__file__).resolve().parent.parent / "nodewright.py"
_STOP_SECONDS = 3.0


READ_ONLY = Problem("read-only", "a recording cannot be changed", "look at the running agent: nodewright top")


class RecordingSource:
    """A recording, replayed by a child process that ends with this source."""

    read_only = READ_ONLY

    def __init__(self, file: Path, launcher: Path = _LAUNCHER) -> None:
        self.origin = f"recording {file}"
        self._folder = Path(tempfile.mkdtemp(prefix="nodewright-"))
        address = f"unix:{self._folder / 'replay.sock'}"
        self._log = self._folder / "errors.log"
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-I", str(launcher), "replay", str(file), "--listen", address],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self._http = HttpSource(address)

    async def picture(self) -> Picture:
        status = self._child.poll()
        if status is not None:
            raise Unreachable(self._ended(status))
        try:
            return await self._http.picture()
        except Unreachable as error:
            if error.problem.key == "connection-refused":
                problem = Problem("starting", "the replay is starting", "a large recording takes a while to open")
                raise Unreachable(problem) from error
            raise

    async def history(self, finding: str) -> tuple[FindingEvent, ...]:
        return await self._http.history(finding)

    async def get(self, name: str, kind: type[Answer]) -> Answer:
        return await self._http.get(name, kind)

    async def post(self, name: str, body: object, kind: type[Answer]) -> Answer:
        raise Unreachable(READ_ONLY)

    async def act(self, finding: str, act: Act) -> Finding:
        raise Unreachable(READ_ONLY)

    async def verify(self, finding: str, since: str | None) -> Outcome:
        raise Unreachable(READ_ONLY)

    def close(self) -> None:
        self._http.close()
        self._child.terminate()
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ended(self, status: int) -> Problem:
        lines = self._log.read_text("utf-8", "replace").split("\n")
        said = next((line for line in reversed(lines) if line.strip()), f"exit status {status}")
        return Problem("replay-ended", f"the replay ended: {said}", "is it a file written by `nodewright record`?")
