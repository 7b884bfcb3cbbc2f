"""A recording of a real server under load is judged as the agent judged that recorded it: byte for byte, at every judgement."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.agent.running import command
from tests.live.servers import gunicorn, load

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.heavy]


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """24 seconds of a server whose two workers have a compute thread for each core."""
    folder = tmp_path_factory.mktemp("recorded")
    path = folder / "node.db"
    with gunicorn(folder, workers=2) as port, load(port, "closed", "8"):
        subprocess.run(command("record", "--output", str(path), "--seconds", "24"), env=environment(folder), check=True)
    return path


def environment(folder: Path, seed: str = "random") -> dict[str, str]:
    return {"PYTHONHASHSEED": seed, "PATH": os.environ["PATH"], "XDG_STATE_HOME": str(folder)}


def advise(path: Path, seed: str, *more: str) -> bytes:
    arguments = command("advise", "--recording", str(path), "--format", "json", *more)
    return subprocess.run(arguments, env=environment(path.parent, seed), capture_output=True, check=True).stdout


def test_the_last_advice_is_the_same_whatever_the_seed_of_hashes(recording):
    with closing(sqlite3.connect(recording)) as connection:
        said = connection.execute("SELECT value FROM meta WHERE key = 'advice'").fetchone()[0]
    live = msgspec.json.format(f'{{"data":{said}}}', indent=2).encode() + b"\n"
    assert json.loads(live)["data"]["services"]
    assert [advise(recording, seed) for seed in ("1", "77")] == [live, live]


def test_every_judgement_said_the_same_when_it_was_recorded(recording):
    history = json.loads(advise(recording, "3", "--history"))
    assert history["same"] == history["judgements"] >= 10


def test_a_replay_knows_the_node_that_was_recorded(recording):
    with closing(sqlite3.connect(recording)) as connection:
        names = dict(connection.execute("SELECT key, value FROM meta"))
    assert len(json.loads(names["topology"])["cpus"]) == os.cpu_count()
    assert names["ticks_per_second"] == os.sysconf("SC_CLK_TCK")
    assert sys.executable.encode() not in names["settings"].encode()
