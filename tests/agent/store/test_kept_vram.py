"""What models held of devices is kept, and forgotten with what made room."""

import sqlite3
from contextlib import closing
from pathlib import Path

from advisor.migration.vram_calibration import Key
from agent.config import Config
from agent.judging import Judging
from agent.ledger_log import LedgerLog, kept
from agent.store.reader import StoreReader
from agent.store.schema import STATE, apply
from collectors.reading import Instant
from tests.advisor.migration.test_vram_calibration import KEY, learnt
from tests.advisor.test_history import Node
from tests.agent.store.conftest import OpenStore


def test_it_is_written_where_it_moved_and_found_again(state: Path, open_store: OpenStore):
    store, written = open_store(), list[str]()
    log = LedgerLog(lambda *row: (written.append(row[1]), store.save_document(*row))[0], store.forget_document)
    seen = learnt(1.1, 1.5, 1.18)
    for _ in range(3):
        log.take((), (), (), 0.0, seen.entries)
    assert written == [KEY.name]
    seen.learn(Key("gunicorn", "ViT", "F16"), "s", 1.3)
    log.take((), (), (), 0.0, seen.entries)
    assert written == [KEY.name, "gunicorn, ViT, F16"]
    assert store.flush(10)
    found = kept((), (), StoreReader(state).vram())
    judging = Judging(Config(), Node().history, lambda: Instant(0, 0))
    judging.recall(found)
    assert set(judging.learnt()[3]) == set(seen.entries)
    assert judging.migrations.vram.corrections == seen.corrections
    again = LedgerLog(store.save_document, store.forget_document)
    again.recall(found)
    again.take((), (), (), 0.0, [one for one in seen.entries if one.key == KEY])
    assert store.flush(10)
    assert [one.key for one in kept((), (), StoreReader(state).vram()).vram] == [KEY]


def test_a_store_of_before_holds_none_and_keeps_what_comes(state: Path, open_store: OpenStore):
    names = [name for name, _ in STATE]
    with closing(sqlite3.connect(state, isolation_level=None)) as connection:
        apply(connection, "state", STATE[: names.index("vram")])
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'vram'").fetchone()
    assert StoreReader(state).vram() == []
    store = open_store()
    LedgerLog(store.save_document, store.forget_document).take((), (), (), 0.0, learnt(1.1, 1.5).entries)
    assert store.flush(10)
    assert [one.key for one in kept((), (), StoreReader(state).vram()).vram] == [KEY]
