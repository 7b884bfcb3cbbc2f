"""Does a recording give the same readings again, and say in one line when it cannot?"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from agent.store.errors import BadRecording
from agent.store.reader import StoreReader
from agent.store.recording import Recorder, RecordingMeta, record
from agent.store.replay import Replay
from bench.synthetic import NOON_NS, SyntheticNode
from collectors.reading import Failed, Reading, Unsupported
from tests.agent.store.builders import NOON, core, reading, thread

META = RecordingMeta(
    node="node-1", version="0.1.0", start=NOON_NS, settings=b"{}", topology=b"[]", seed=7, rules={"a-rule": "0a1b2c3d"}
)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "node-1.db"


def replayed(path: Path) -> list[Reading]:
    with Replay(path) as replay:
        return list(replay.readings())


def test_a_node_comes_back_as_it_was_recorded(output: Path) -> None:
    readings = [reading for second in SyntheticNode().readings(30) for reading in second]
    record(output, readings, META)
    assert sorted(replayed(output), key=str) == sorted(readings, key=str)


def test_readings_come_back_in_order_of_time_over_midnight(output: Path) -> None:
    readings = [reading(NOON + 43_200 + offset, [core(offset + 9)]) for offset in (-1.5, -0.5, 0.5, 1.5)]
    record(output, readings, META)
    assert replayed(output) == readings


def test_samples_come_back_in_the_order_in_which_they_were_read(output: Path) -> None:
    first = reading(
        NOON, [thread(1, busy=True, tid=905), core(1, cpu=1), thread(2, busy=True, tid=901), core(2)], "cpu"
    )
    again = reading(NOON + 1, [core(3), core(4, cpu=1), thread(5, busy=True, tid=901)], "cpu")
    record(output, [first, again], META)
    assert replayed(output) == [first, again]


def test_readings_come_back_though_the_clock_was_set_back(output: Path) -> None:
    readings = [reading(NOON + second, [core(position)]) for position, second in enumerate((50, 51, 52, 20, 21, 51.5))]
    record(output, readings, META)
    assert replayed(output) == readings


def test_threads_are_recorded_whether_notable_or_not(output: Path) -> None:
    one = reading(NOON, [thread(1, busy=False), thread(2, busy=True, tid=901)], "threads")
    record(output, [one], META)
    assert replayed(output) == [one]


def test_what_could_not_be_read_and_why_is_recorded_too(output: Path) -> None:
    empty = reading(NOON, [])
    outcomes = (Unsupported("no PSI", "boot with psi=1"), Failed("OSError: [Errno 5] I/O error"))
    readings = [msgspec.structs.replace(empty, collector=f"c{n}", outcome=its) for n, its in enumerate(outcomes)]
    record(output, readings, META)
    assert replayed(output) == readings


def test_the_meta_data_come_back(output: Path) -> None:
    record(output, [], META)
    with Replay(output) as replay:
        assert replay.meta == META


def test_a_document_may_be_replaced_while_recording(output: Path) -> None:
    with Recorder(output, META) as recorder:
        recorder.write_document("advice", b'{"findings":[]}')
    with Replay(output) as replay:
        assert replay.meta == msgspec.structs.replace(META, advice=b'{"findings":[]}')


def test_a_recording_is_one_file(output: Path) -> None:
    record(output, [reading(NOON, [core(1)])], META)
    assert os.listdir(output.parent) == [output.name]


def test_a_recording_is_read_as_a_store_is_and_shards_beside_it_are_not(output: Path) -> None:
    (output.parent / "raw-20261031.db").write_bytes(b"of another node")
    record(output, [reading(NOON + second, [core(second * 25)]) for second in range(3)], META)
    points = StoreReader(output).series("core", "core:0", "user_ticks", NOON, NOON + 86_400, 1).points
    assert points == [(NOON, None), (NOON + 1, pytest.approx(0.25)), (NOON + 2, pytest.approx(0.25))]
    assert StoreReader(output).findings() == ()


def test_what_came_before_an_interruption_is_kept(output: Path) -> None:
    def interrupted() -> object:
        yield reading(NOON, [core(1)])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(output, interrupted(), META)  # type: ignore[arg-type]
    assert replayed(output) == [reading(NOON, [core(1)])]


def test_kinds_and_columns_of_other_versions_are_left_out(output: Path) -> None:
    record(output, [reading(NOON, [core(1)])], META)
    with closing(sqlite3.connect(output)) as connection:
        connection.executescript(
            "DROP VIEW core_rates; ALTER TABLE core DROP COLUMN idle_ticks; ALTER TABLE core ADD COLUMN novel_ticks;"
            "CREATE TABLE novel (time, entity, depth); INSERT INTO kind VALUES ('novel', 'cpu', '')"
        )
    (one,) = replayed(output)
    assert one.samples == [msgspec.structs.replace(core(1), idle_ticks=None)]


def test_an_existing_file_is_not_overwritten(output: Path) -> None:
    output.write_bytes(b"precious")
    with pytest.raises(BadRecording, match="is there already") as bad:
        Recorder(output, META)
    assert (output.read_bytes(), bad.value.exit_status) == (b"precious", 2)


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"cannot be written: unable to open database file \(free some space"):
        Recorder(tmp_path / "no" / "such.db", META)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is no file"),
        (b"", "is no recording"),
        (b"not a database, but long enough to be one" * 50, "is damaged or no recording: file is not a database"),
    ],
)
def test_what_is_no_recording_is_one_clear_error(output: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        output.write_bytes(content)
    with pytest.raises(BadRecording) as bad:
        Replay(output)
    assert message in bad.value.what
    assert "\n" not in str(bad.value)
    assert bad.value.hint


def test_another_database_is_no_recording(output: Path) -> None:
    with closing(sqlite3.connect(output)) as connection:
        connection.execute("CREATE TABLE orders (id)")
    with pytest.raises(BadRecording, match="is no recording"):
        Replay(output)


def test_every_damaged_page_is_one_clear_error(output: Path) -> None:
    record(output, [reading for second in SyntheticNode().readings(20) for reading in second], META)
    whole = output.read_bytes()
    refused = 0
    for page in range(len(whole) // 2048):
        damaged = bytearray(whole)
        damaged[page * 2048 : page * 2048 + 512] = os.urandom(512)
        output.write_bytes(damaged)
        try:
            replayed(output)
        except BadRecording:
            refused += 1
    assert refused > 0.9 * len(whole) // 2048


def test_a_truncated_recording_is_one_clear_error(output: Path) -> None:
    record(output, [reading for second in SyntheticNode().readings(20) for reading in second], META)
    output.write_bytes(output.read_bytes()[: output.stat().st_size // 2])
    with pytest.raises(BadRecording, match="is damaged"):
        replayed(output)
