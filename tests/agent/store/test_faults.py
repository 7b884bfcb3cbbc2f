"""Do damaged files and full disks stop neither the agent nor, once they are gone, the storing?"""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent.store.files import shard_path
from agent.store.retention import Retention
from agent.store.writer import Writer
from tests.agent.store.builders import DAY_SECONDS, NOON, FakeClock, core, reading
from tests.agent.store.conftest import OpenStore

SHARD = "raw-20261031.db"


def rows(path: Path) -> list[tuple[int, int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT time, user_ticks FROM core ORDER BY time").fetchall()


@pytest.mark.parametrize("name", ["state.db", SHARD])
def test_a_damaged_file_is_set_aside_and_a_fresh_one_opened(name: str, tmp_path: Path, open_store: OpenStore) -> None:
    (tmp_path / name).write_bytes(b"this is no database" * 400)
    store = open_store()
    store.put(reading(NOON, [core(42)]))
    assert store.flush(10)
    assert (tmp_path / f"{name}.damaged-1").read_bytes().startswith(b"this is no database")
    assert rows(tmp_path / SHARD) == [(43_200_000, 42)]
    assert store.problem is not None
    assert f"{name} was damaged" in store.problem
    assert f"is now {name}.damaged-1" in store.problem


def test_damage_while_writing_costs_no_reading_that_still_waits(state: Path, clock: FakeClock) -> None:
    writer = Writer(state, Retention(), clock, {}, 100)
    assert writer.write([reading(NOON + i / 100, [core(i, cpu) for cpu in range(40)]) for i in range(60)], {})
    writer.close()
    shard = state.with_name(SHARD)
    with shard.open("r+b") as file:
        file.seek(2048)
        file.write(os.urandom(shard.stat().st_size - 2048))
    writer = Writer(state, Retention(), clock, {}, 100)
    assert writer.write([reading(NOON + 10, [core(7)])], {})
    writer.close()
    assert rows(shard) == [(43_210_000, 7)]
    assert state.with_name(f"{SHARD}.damaged-1").exists()


def test_a_database_of_another_program_is_neither_written_nor_moved(state: Path, clock: FakeClock) -> None:
    with closing(sqlite3.connect(state)) as connection:
        connection.execute("CREATE TABLE orders (id)")
    before = state.read_bytes()
    writer = Writer(state, Retention(), clock, {}, 100)
    assert not writer.write([reading(NOON, [core(7)])], {})
    assert writer.problem == f"cannot write {state}: it is a database of another program; name another file"
    writer.close()
    assert state.read_bytes() == before
    assert os.listdir(state.parent) == ["state.db"]


def test_a_disk_that_damages_every_file_is_no_endless_loop(state: Path, clock: FakeClock) -> None:
    for attempt in range(5):
        state.write_bytes(b"no database" * 1000)
        writer = Writer(state, Retention(), clock, {}, 100)
        writer.write([], {})
        writer.close()
        assert len(list(state.parent.glob("state.db.damaged-*"))) == attempt + 1
    writer = Writer(state, Retention(), clock, {}, 100)
    for attempt in range(6):
        writer._files.close()
        state.write_bytes(b"no database" * 1000)
        clock.unix_seconds += 60
        writer.write([reading(clock.unix_seconds, [core(attempt)])], {})
    assert writer.problem is not None
    assert writer.problem.startswith(f"cannot write {state}: file is not a database")
    writer.close()


def test_a_file_that_cannot_be_opened_is_tried_again_after_30_seconds(state: Path, clock: FakeClock) -> None:
    shard = shard_path(state, NOON // DAY_SECONDS)
    shard.mkdir()
    writer = Writer(state, Retention(), clock, {}, 3)
    for second in range(5):
        clock.unix_seconds = NOON + second
        assert not writer.write([reading(NOON + second, [core(second)])], {})
    assert writer.problem == f"cannot write {shard}: unable to open database file"
    assert writer.dropped == 2
    shard.rmdir()
    clock.unix_seconds = NOON + 29
    assert not writer.write([], {})
    clock.unix_seconds = NOON + 31
    assert writer.write([], {})
    assert writer.problem is None
    assert [value for _, value in rows(shard)] == [2, 3, 4]
    writer.close()


FULL_DISK = """
import json, resource, sys
from pathlib import Path
from agent.store.retention import Retention
from agent.store.writer import Writer
from bench.synthetic import SyntheticNode
from tests.agent.store.builders import NOON, FakeClock

clock = FakeClock()
writer = Writer(Path(sys.argv[1]), Retention(), clock, {}, 200)
said = []
for second, readings in enumerate(SyntheticNode().readings(240)):
    clock.unix_seconds = NOON + second
    if second == 10:
        resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, resource.RLIM_INFINITY))
    if second == 180:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    written = writer.write(readings[:4], {})
    said.append([written, writer.problem])
writer.close()
print(json.dumps({"said": said, "dropped": writer.dropped, "problem": writer.problem}))
"""


def test_a_full_disk_is_waited_for_and_said(tmp_path: Path) -> None:
    """No file of the child can grow beyond a limit for a while, which SQLite meets as it meets a full disk."""
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "state.db")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answer = json.loads(child.stdout)
    full = [index for index, (written, _) in enumerate(answer["said"]) if not written]
    assert 10 <= full[0] < 170
    assert full[-1] < 180 + 30
    assert "the disk is full or failing" in answer["said"][full[0]][1]
    assert answer["said"][-1] == [True, None]
    assert answer["dropped"] > 0
    stored = {time // 1000 for time, _ in rows(tmp_path / SHARD)}
    assert stored >= set(range(43_200, 43_200 + full[0])) | set(range(43_200 + full[-1] + 1, 43_440))
    with closing(sqlite3.connect(tmp_path / SHARD)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_state_folder_on_a_full_disk_still_opens(tmp_path: Path, open_store: OpenStore) -> None:
    (tmp_path / "state.db").mkdir()
    store = open_store()
    store.put(reading(NOON, [core(1)]))
    assert store.problem is not None
    assert "cannot write" in store.problem
    assert not store.flush(10)
