"""Is a recording shown through a child process that ends with us?"""

import os
from pathlib import Path

import pytest

from tui.recording import READ_ONLY, RecordingSource
from tui.source import Act, Unreachable

REPLAY = """
import pathlib, socket, sys, time
assert sys.argv[1] == "replay" and sys.argv[3] == "--listen", sys.argv
if pathlib.Path(sys.argv[2]).read_text() == "damaged":
    sys.exit("nodewright: recording: it is no recording (write one with nodewright record)")
time.sleep(600)
"""


def launcher(folder: Path) -> Path:
    path = folder / "nodewright.py"
    path.write_text(REPLAY)
    return path


def recording(folder: Path, content: str) -> Path:
    path = folder / "node.db"
    path.write_text(content)
    return path


async def problem_of(source: RecordingSource) -> tuple[str, str]:
    with pytest.raises(Unreachable) as caught:
        await source.picture()
    return caught.value.problem.key, caught.value.problem.message


async def test_until_the_replay_listens_it_is_starting(tmp_path: Path) -> None:
    source = RecordingSource(recording(tmp_path, "good"), launcher(tmp_path))
    try:
        assert source.origin.endswith("node.db")
        assert (await problem_of(source))[0] == "starting"
    finally:
        source.close()


async def test_closing_ends_the_child_and_removes_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = RecordingSource(recording(tmp_path, "good"), launcher(tmp_path))
    pid = source._child.pid
    assert [entry for entry in os.listdir(tmp_path) if entry.startswith("nodewright-")]
    source.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not [entry for entry in os.listdir(tmp_path) if entry.startswith("nodewright-")]


async def test_a_recording_cannot_be_changed(tmp_path: Path) -> None:
    source = RecordingSource(recording(tmp_path, "good"), launcher(tmp_path))
    try:
        assert source.read_only == READ_ONLY
        with pytest.raises(Unreachable) as caught:
            await source.act("ab12", Act(state="open", owner="ada"))
        assert caught.value.problem == READ_ONLY
        with pytest.raises(Unreachable) as caught:
            await source.post("profiles", {"target": "gunicorn/app:8000"}, dict)
        assert caught.value.problem == READ_ONLY
        with pytest.raises(Unreachable):
            await source.verify("ab12", None)
    finally:
        source.close()


async def test_a_replay_that_fails_says_why(tmp_path: Path) -> None:
    source = RecordingSource(recording(tmp_path, "damaged"), launcher(tmp_path))
    try:
        source._child.wait(30)
        key, message = await problem_of(source)
        assert key == "replay-ended"
        assert message.endswith("nodewright: recording: it is no recording (write one with nodewright record)")
    finally:
        source.close()
