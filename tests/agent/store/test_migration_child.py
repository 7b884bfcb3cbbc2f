"""A process that has not loaded sqlite-utils migrates through a child and stays without it."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from agent.store.schema import STATE, migrate

ROOT = Path(__file__).parents[3]


def test_a_fresh_process_migrates_without_loading_sqlite_utils(tmp_path):
    script = (
        "import sqlite3, sys; sys.path.insert(0, sys.argv[1])\n"
        "from agent.store.schema import STATE, migrate\n"
        "connection = sqlite3.connect(sys.argv[2], isolation_level=None)\n"
        "migrate(connection, 'state', STATE)\n"
        "print(connection.execute('SELECT count(*) FROM finding').fetchone()[0], 'sqlite_utils' in sys.modules)\n"
    )
    path = tmp_path / "state.db"
    run = subprocess.run([sys.executable, "-I", "-c", script, str(ROOT), str(path)], capture_output=True, text=True,
                         timeout=60, check=True)  # fmt: skip
    assert run.stdout.split() == ["0", "False"]


def test_a_file_in_memory_is_migrated_in_this_process():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, "state", STATE)
    migrate(connection, "state", STATE)
    assert connection.execute("SELECT count(*) FROM finding").fetchone() == (0,)
    connection.close()
