"""Does handing over never wait, and does nothing get lost on an orderly end?"""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from agent.store.documents import Documents
from agent.store.errors import AlreadyRunning
from agent.store.profiles import PreparedProfile
from agent.store.retention import Retention
from agent.store.store import MOST_QUEUED, Store
from agent.store.ticks import Tick
from collectors.reading import Reading
from tests.agent.store.builders import NOON, FakeClock, core, reading
from tests.agent.store.conftest import OpenStore

SHARD = "raw-20261031.db"


def stored_ticks(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / SHARD)) as connection:
        return [row[0] for row in connection.execute("SELECT user_ticks FROM core ORDER BY time")]


def test_what_was_put_is_stored_after_a_flush(tmp_path: Path, open_store: OpenStore) -> None:
    store = open_store()
    for second in range(3):
        store.put(reading(NOON + second, [core(second)]))
    assert store.flush(10)
    assert stored_ticks(tmp_path) == [0, 1, 2]
    assert (store.problem, store.dropped) == (None, 0)


def test_what_was_put_is_stored_without_asking(tmp_path: Path, open_store: OpenStore) -> None:
    store = open_store()
    done = threading.Event()
    write = store._writer.write

    def noticed(
        readings: Iterable[Reading],
        documents: Documents,
        profiles: Iterable[PreparedProfile] = (),
        ticks: Iterable[Tick] = (),
    ) -> bool:
        batch = list(readings)
        answer = write(batch, documents, profiles, ticks)
        if batch:
            done.set()
        return answer

    store._writer.write = noticed  # type: ignore[method-assign]
    store.put(reading(NOON, [core(5)]))
    assert done.wait(20)
    assert stored_ticks(tmp_path) == [5]


def test_closing_stores_the_rest_and_the_open_minute_and_leaves_no_logs(tmp_path: Path, open_store: OpenStore) -> None:
    store = open_store()
    for second in range(3):
        store.put(reading(NOON + second, [core(second * 10)]))
    assert store.close(10)
    assert stored_ticks(tmp_path) == [0, 10, 20]
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        assert connection.execute("SELECT max(total) FROM minute").fetchone() == (20,)
    assert sorted(os.listdir(tmp_path)) == [SHARD, "state.db", "state.db.lock"]


def test_a_full_queue_drops_the_oldest_and_counts_them(tmp_path: Path, open_store: OpenStore) -> None:
    store = open_store()
    hold = threading.Event()
    write = store._writer.write

    def slow_disk(*given: object) -> bool:
        hold.wait(30)
        return write(*given)  # type: ignore[arg-type]

    store._writer.write = slow_disk  # type: ignore[method-assign]
    with store._condition:  # the writer cannot take anything before all is put
        for number in range(MOST_QUEUED + 7):
            store.put(reading(NOON + number / 10, [core(number)]))
    hold.set()
    assert store.flush(20)
    assert store.dropped == 7
    assert stored_ticks(tmp_path)[:2] == [7, 8]


def test_a_second_store_is_refused_and_told_by_whom(state: Path, open_store: OpenStore) -> None:
    open_store()
    with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()} writes {state} already") as refused:
        open_store()
    assert (refused.value.pid, refused.value.exit_status) == (os.getpid(), 3)


def test_a_store_can_be_opened_again_after_closing(tmp_path: Path, open_store: OpenStore) -> None:
    for second in range(2):
        store = open_store()
        store.put(reading(NOON + second, [core(second)]))
        assert store.close(10)
    assert stored_ticks(tmp_path) == [0, 1]


HOLDER = """
import sys, time
from pathlib import Path
from agent.store.retention import Retention
from agent.store.store import Store
from collectors.host import SystemClock
store = Store.open(Path(sys.argv[1]), retention=Retention(), clock=SystemClock())
print("open", flush=True)
time.sleep(60)
"""


def test_the_lock_of_a_killed_process_is_free(state: Path, open_store: OpenStore) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(state)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(AlreadyRunning) as refused:
            open_store()
        assert refused.value.pid == holder.pid
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert open_store().problem is None


def test_the_size_on_disk_covers_all_files(tmp_path: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.put(reading(NOON, [core(1)]))
    store.flush(10)
    names = [name for name in os.listdir(tmp_path) if name.endswith((".db", "-wal"))]
    assert store.size_bytes() == sum((tmp_path / name).stat().st_size for name in names) > 8192


def test_a_folder_that_is_missing_is_made(tmp_path: Path, clock: FakeClock) -> None:
    store = Store.open(tmp_path / "a" / "b" / "state.db", retention=Retention(), clock=clock)
    assert store.close(10)
    assert (tmp_path / "a" / "b" / "state.db").exists()


IMPORTS = """
import json, sys
import agent.store.store, agent.store.reader, agent.store.recording
before = "sqlite_utils" in sys.modules
from pathlib import Path
from agent.store.retention import Retention
from agent.store.writer import Writer
from tests.agent.store.builders import FakeClock, core, reading, NOON
writer = Writer(Path(sys.argv[1]), Retention(), FakeClock(), {}, 10)
assert writer.write([reading(NOON, [core(1)])], {})
writer.close()
print(json.dumps([before, "sqlite_utils" in sys.modules]))
"""
