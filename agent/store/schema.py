"""What tables do the files of the store have, beside those that sample types declare?

Each file is migrated with sqlite-utils: a step is done once per file, in order, and recorded in it.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from agent.store.files import MIGRATIONS_TABLE

Step = tuple[str, tuple[str, ...]]
"""A migration: its name and its statements. Never changed once released; a change is a further step."""

_NAMES: Step = (
    "names",
    (
        """CREATE TABLE IF NOT EXISTS entity (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  key TEXT NOT NULL, -- unique within the kind: core:3, worker:PID:START
  label TEXT,
  UNIQUE (kind, key)
)""",
        """CREATE TABLE IF NOT EXISTS field (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  unit TEXT NOT NULL, -- base unit
  scale REAL NOT NULL, -- value in base unit = stored value * scale
  counter INTEGER NOT NULL,
  text INTEGER NOT NULL,
  help TEXT NOT NULL,
  UNIQUE (kind, name)
)""",
        "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    ),
)

RAW: tuple[Step, ...] = (
    _NAMES,
    (
        "kinds",
        (
            """CREATE TABLE IF NOT EXISTS kind (
  name TEXT PRIMARY KEY, -- also the name of its table; NAME_rates is its view
  collector TEXT NOT NULL,
  doc TEXT NOT NULL
) WITHOUT ROWID""",
        ),
    ),
)

STATE: tuple[Step, ...] = (
    _NAMES,
    (
        "minute_rows",
        (
            """CREATE TABLE minute (
  time INTEGER NOT NULL, -- Unix time / 60
  entity INTEGER NOT NULL,
  field INTEGER NOT NULL,
  total INTEGER NOT NULL, -- counter: growth in this minute; gauge: sum of the values (mean = total / count)
  count INTEGER NOT NULL, -- number of values; of a counter, of its rates
  minimum INTEGER NOT NULL, -- of the values; of a counter, of its growth per 1000 s
  maximum INTEGER NOT NULL,
  span_ms INTEGER, -- counter: time over which total was counted
  histogram BLOB, -- of what minimum is of, see agent/store/histogram.py; NULL where minimum = maximum
  PRIMARY KEY (time, entity, field)
) WITHOUT ROWID""",
            """CREATE VIEW minutes AS SELECT
  m.time * 60 AS unix_seconds, e.kind AS kind, e.key AS entity, f.name AS field,
  CASE f.counter WHEN 1 THEN f.unit || '/s' ELSE f.unit END AS unit,
  CASE f.counter WHEN 1 THEN m.total * f.scale * 1000.0 / m.span_ms ELSE m.total * f.scale / m.count END AS mean,
  m.minimum * f.scale / CASE f.counter WHEN 1 THEN 1000.0 ELSE 1 END AS minimum,
  m.maximum * f.scale / CASE f.counter WHEN 1 THEN 1000.0 ELSE 1 END AS maximum, m.count AS count
FROM minute AS m JOIN entity AS e ON e.id = m.entity JOIN field AS f ON f.id = m.field""",
        ),
    ),
    (
        "documents",
        (
            """CREATE TABLE finding (
  id TEXT PRIMARY KEY,
  rule TEXT NOT NULL, subject_kind TEXT NOT NULL, subject TEXT NOT NULL,
  state TEXT NOT NULL, severity TEXT NOT NULL, first_seen TEXT NOT NULL, last_seen TEXT NOT NULL,
  body TEXT NOT NULL -- the finding as JSON
) WITHOUT ROWID""",
            """CREATE TABLE acknowledgement (
  finding_id TEXT PRIMARY KEY,
  reason TEXT NOT NULL, owner TEXT NOT NULL, until TEXT, at TEXT NOT NULL
) WITHOUT ROWID""",
            """CREATE TABLE service_facts (
  service TEXT NOT NULL, -- id of the service
  at INTEGER NOT NULL, -- Unix time from which on they hold
  body TEXT NOT NULL, -- JSON
  PRIMARY KEY (service, at)
) WITHOUT ROWID""",
        ),
    ),
    (
        "profiles",
        (
            """CREATE TABLE profile (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  at_unix_seconds REAL NOT NULL, seconds REAL NOT NULL,
  service TEXT NOT NULL, service_id TEXT NOT NULL,
  pid INTEGER NOT NULL, started INTEGER NOT NULL, slot INTEGER,
  kind TEXT NOT NULL, -- burst, continuous, request, scalene
  reason TEXT NOT NULL, hertz REAL NOT NULL, samples INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL -- estimate of what its rows take, stacks that it brought included
)""",
            "CREATE INDEX profile_time ON profile (at_unix_seconds, size_bytes)",
            """CREATE TABLE profile_detail (
  profile INTEGER PRIMARY KEY, -- profile.number
  digest TEXT, missing TEXT NOT NULL, notes TEXT NOT NULL, cost TEXT NOT NULL -- JSON
)""",
            """CREATE TABLE profile_text (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE, -- of a frame, a thread or a class of work
  last INTEGER NOT NULL -- hour (Unix time / 3600) of the newest profile in which it is used
)""",
            """CREATE TABLE profile_stack (
  id INTEGER PRIMARY KEY,
  frames TEXT NOT NULL UNIQUE, -- profile_text.id of each frame as a JSON array, root first
  last INTEGER NOT NULL -- as profile_text.last
)""",
            "CREATE INDEX profile_text_last ON profile_text (last)",
            "CREATE INDEX profile_stack_last ON profile_stack (last)",
            """CREATE TABLE profile_count (
  profile INTEGER NOT NULL, -- profile.number
  side INTEGER NOT NULL, -- position in cpu, gil, wait, native
  stack INTEGER NOT NULL, -- profile_stack.id
  thread INTEGER NOT NULL, work INTEGER NOT NULL, -- profile_text.id
  count INTEGER NOT NULL, -- samples
  PRIMARY KEY (profile, side, stack, thread, work)
) WITHOUT ROWID""",
            """CREATE TABLE profile_line (
  profile INTEGER NOT NULL, -- profile.number
  position INTEGER NOT NULL,
  file TEXT NOT NULL, line INTEGER NOT NULL, text TEXT NOT NULL,
  python_ratio REAL NOT NULL, native_ratio REAL NOT NULL, system_ratio REAL NOT NULL, -- of the run's CPU time
  memory_growth_bytes INTEGER, memory_peak_bytes INTEGER, copy_bytes_per_second REAL, gpu_ratio REAL,
  PRIMARY KEY (profile, position)
) WITHOUT ROWID""",
            """CREATE VIEW profile_samples AS SELECT
  p.id AS profile, p.service AS service, p.pid AS pid, t.text AS thread,
  CASE c.side WHEN 0 THEN 'cpu' WHEN 1 THEN 'gil' WHEN 2 THEN 'wait' ELSE 'native' END AS side,
  w.text AS work, c.count AS count,
  (SELECT group_concat(f.text, ';') FROM json_each(s.frames) AS j JOIN profile_text AS f ON f.id = j.value) AS stack
FROM profile_count AS c JOIN profile AS p ON p.number = c.profile JOIN profile_stack AS s ON s.id = c.stack
JOIN profile_text AS t ON t.id = c.thread JOIN profile_text AS w ON w.id = c.work""",
        ),
    ),
    (
        "acknowledgement_state",
        (
            "ALTER TABLE acknowledgement ADD COLUMN state TEXT NOT NULL DEFAULT 'acknowledged'",
            "UPDATE acknowledgement SET state = 'snoozed' WHERE reason LIKE 'snoozed: %'",
            """UPDATE acknowledgement SET reason = substr(reason, instr(reason, ': ') + 2)
WHERE reason LIKE 'snoozed: %' OR reason LIKE 'acknowledged: %'""",
        ),
    ),
    (
        "finding_events",
        (
            """CREATE TABLE finding_event (
  at_ns INTEGER PRIMARY KEY, -- Unix time; events of one instant lie a nanosecond apart
  finding TEXT NOT NULL, -- its id
  event TEXT NOT NULL, -- opened, severity-changed, acknowledged, snoozed, reopened, expired, resolved, superseded, ...
  rule TEXT NOT NULL, subject TEXT NOT NULL,
  services TEXT NOT NULL, -- names of the services that it concerns, as a JSON array
  severity TEXT NOT NULL, title TEXT NOT NULL, -- as they stood then
  owner TEXT, note TEXT -- who did it and why
)""",
        ),
    ),
    (
        "trends",
        (
            "CREATE TABLE trend_fields (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE)",  # a JSON array
            """CREATE TABLE trend (
  seconds INTEGER NOT NULL, -- that it covers: 60 or 3600
  ended INTEGER NOT NULL, -- Unix time
  service TEXT NOT NULL, -- id of the service
  fields INTEGER NOT NULL, -- trend_fields.id: what the values are
  body TEXT NOT NULL, -- the values as a JSON array
  PRIMARY KEY (seconds, ended, service)
) WITHOUT ROWID""",
        ),
    ),
    (
        "capacities",
        (
            """CREATE TABLE capacity (
  service TEXT PRIMARY KEY, -- its id
  at INTEGER NOT NULL, -- Unix time at which it was measured
  body TEXT NOT NULL -- what a load test found, with the levers of then, as JSON
) WITHOUT ROWID""",
        ),
    ),
    (
        "ledger",
        (
            """CREATE TABLE configuration (
  service TEXT PRIMARY KEY, -- its id
  at INTEGER NOT NULL, -- Unix time at which it was written
  body TEXT NOT NULL -- its levers as they were seen last, as JSON
) WITHOUT ROWID""",
            """CREATE TABLE outcome (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL, -- Unix time at which it was written
  body TEXT NOT NULL -- what was changed, what was promised, what came of it, as JSON
) WITHOUT ROWID""",
        ),
    ),
    (
        "vram",
        (
            """CREATE TABLE vram (
  kind TEXT PRIMARY KEY, -- runtime, architecture and type of the weights of models
  at INTEGER NOT NULL, -- Unix time at which it was written
  body TEXT NOT NULL -- what they held of devices / what was predicted, by service, as JSON
) WITHOUT ROWID""",
        ),
    ),
)

RECORDING: tuple[Step, ...] = (
    (
        "readings",
        (
            """CREATE TABLE reading (
  time INTEGER NOT NULL, -- milliseconds since meta.epoch_unix_seconds; the samples' rows carry the same
  collector TEXT NOT NULL,
  mono_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL,
  duration_ns INTEGER NOT NULL, cpu_ns INTEGER NOT NULL, late_ns INTEGER NOT NULL,
  status TEXT NOT NULL, -- ok, unsupported, failed
  reason TEXT, hint TEXT,
  PRIMARY KEY (time, collector)
) WITHOUT ROWID""",
        ),
    ),
    (
        "ticks",
        (
            "DROP TABLE reading",
            """CREATE TABLE reading (
  tick INTEGER NOT NULL, -- which took it in
  position INTEGER NOT NULL, -- among that tick's readings
  time INTEGER NOT NULL, -- milliseconds since meta.epoch_unix_seconds; the samples' rows carry the same
  collector TEXT NOT NULL,
  mono_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL,
  duration_ns INTEGER NOT NULL, cpu_ns INTEGER NOT NULL, late_ns INTEGER NOT NULL,
  status TEXT NOT NULL, -- ok, unsupported, failed
  reason TEXT, hint TEXT,
  ordering INTEGER, -- document.id: where in its order by kind and entity each sample stands; NULL = in that order
  PRIMARY KEY (tick, position)
) WITHOUT ROWID""",
            """CREATE TABLE tick (
  number INTEGER PRIMARY KEY, -- from 0
  mono_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL
)""",
            "CREATE TABLE document (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE)",
            """CREATE TABLE change (
  tick INTEGER PRIMARY KEY, -- from which on these and no others are there; each a JSON array of document.id
  services TEXT NOT NULL, processes TEXT NOT NULL
)""",
            """CREATE TABLE judgement (
  number INTEGER PRIMARY KEY, -- from 0
  tick INTEGER NOT NULL, -- after which it was
  mono_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL,
  digest TEXT NOT NULL -- of what was said then
)""",
            """CREATE TABLE profile_seen (
  judgement INTEGER NOT NULL, -- judgement.number
  service TEXT NOT NULL, -- its id
  generation INTEGER NOT NULL,
  age_seconds REAL NOT NULL,
  document INTEGER NOT NULL, -- document.id: what was known from profiles, but for its age
  PRIMARY KEY (judgement, service, generation)
) WITHOUT ROWID""",
            """CREATE TABLE acknowledged (
  tick INTEGER NOT NULL, -- before whose judgement
  finding TEXT NOT NULL, -- its id
  body TEXT, -- JSON; NULL = taken back
  PRIMARY KEY (tick, finding)
) WITHOUT ROWID""",
            "CREATE TABLE rule_version (rule TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID",
        ),
    ),
)


TICKS: tuple[Step, ...] = (
    (
        "ticks",
        (
            """CREATE TABLE kept_run (
  id INTEGER PRIMARY KEY,
  started_ns INTEGER NOT NULL UNIQUE, -- Unix time at which the agent was started: the same in all shards
  node TEXT NOT NULL, version TEXT NOT NULL, ticks_per_second INTEGER NOT NULL, interval_ns INTEGER NOT NULL,
  topology INTEGER NOT NULL, rules INTEGER NOT NULL -- kept_document.id
)""",
            """CREATE TABLE kept_document (
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,
  body BLOB NOT NULL -- JSON, packed by zlib
)""",
            "CREATE TABLE kept_collector (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
            """CREATE TABLE kept_tick (
  run INTEGER NOT NULL, -- kept_run.id
  mono_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL,
  judged INTEGER NOT NULL, -- 1 where the rules judged after it
  readings BLOB NOT NULL, -- what it took in, see agent/store/tick_form.py
  PRIMARY KEY (run, mono_ns)
) WITHOUT ROWID""",
            """CREATE TABLE kept_change (
  run INTEGER NOT NULL, mono_ns INTEGER NOT NULL, -- of the tick from which on these services and settings hold, and no others
  body BLOB NOT NULL, -- numbers of their documents, see agent/store/tick_form.py
  PRIMARY KEY (run, mono_ns)
) WITHOUT ROWID""",
            """CREATE TABLE kept_threads (
  run INTEGER NOT NULL, mono_ns INTEGER NOT NULL, -- of the tick
  whole INTEGER NOT NULL, -- 0 where it is of new processes only
  body BLOB NOT NULL, -- its samples of which no row is stored by itself: those of threads that slept
  PRIMARY KEY (run, mono_ns)
) WITHOUT ROWID""",
        ),
    ),
)
"""When the agent sampled and judged, and what was there, so that it can be played again."""
SHARD = (*RAW, *TICKS)

SETS: Mapping[str, tuple[Step, ...]] = {"raw": RAW, "shard": SHARD, "state": STATE, "recording": RECORDING}


def migrate(connection: Connection, name: str, steps: Sequence[Step]) -> None:
    """Do the steps of the set `name` that this file has not seen. Raises sqlite3.Error.

    sqlite-utils takes megabytes (numpy too, where that is installed) that a daemon would keep for good: a process that
    has not loaded it lets a child do the work, once a day, and does it itself only if that fails.
    """
    if _is_done(connection, name, steps):
        return
    if "sqlite_utils" not in sys.modules and _migrate_in_child(connection, name) and _is_done(connection, name, steps):
        return
    apply(connection, name, steps)


def apply(connection: Connection, name: str, steps: Sequence[Step]) -> None:
    """As `migrate`, in this process."""
    from sqlite_utils import Database, Migrations

    migrations = Migrations(name)
    for step_name, statements in steps:
        migrations(name=step_name)(_runner(statements))
    migrations.apply(Database(connection, execute_plugins=False))


def main() -> None:
    """In the child: `FILE SET`."""
    path, name = sys.argv[-2:]
    with closing(sqlite3.connect(path, timeout=10.0, isolation_level=None)) as connection:
        apply(connection, name, SETS[name])


def _migrate_in_child(connection: Connection, name: str) -> bool:
    """False where there is no file, or the child did not succeed."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    if not path:
        return False
    home = str(Path(__file__).resolve().parents[2])
    script = "import sys; sys.path.insert(0, sys.argv[1]); from agent.store.schema import main; main()"
    command = [sys.executable, "-I", "-c", script, home, path, name]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _runner(statements: Sequence[str]) -> Callable[[Any], None]:
    def run(database: Any) -> None:
        for statement in statements:
            database.execute(statement)

    return run


def _is_done(connection: Connection, name: str, steps: Sequence[Step]) -> bool:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (MIGRATIONS_TABLE,)).fetchone():
        return False
    rows = connection.execute(f"SELECT name FROM {MIGRATIONS_TABLE} WHERE migration_set = ?", (name,))  # noqa: S608
    return {step_name for step_name, _ in steps} <= {row[0] for row in rows}
