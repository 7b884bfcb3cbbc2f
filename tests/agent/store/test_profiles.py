"""Are profiles kept whole, stacks once, and old ones let go?"""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from agent.errors import CliError
from agent.profiling.merge import merge_stacks
from agent.store.errors import AlreadyRunning
from agent.store.profiles import MOST_FRAMES, MOST_STACKS, append_profile, prepare
from agent.store.reader import StoreReader
from agent.store.retention import Retention
from agent.store.schema import STATE, apply
from agent.store.store import Store
from agent.store.writer import MOST_PROFILES, Writer
from tests.agent.profiling.examples import ENCODE, MATRIX, NOON, sample, stored, two_stacks, whole
from tests.agent.store.builders import DAY_SECONDS, FakeClock
from tests.agent.store.conftest import OpenStore

ROOT = Path(__file__).parents[3]


def count(path: Path, query: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(query).fetchone()[0])


def sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_profile_comes_back_as_it_was_put(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.put_profile(whole())
    assert store.flush(10)
    reader = StoreReader(state)
    assert reader.profile("p1") == whole()
    assert reader.profile("p2") is None
    (header,) = reader.profiles()
    assert (header.id, header.service, header.pid, header.samples) == ("p1", "gunicorn/app:8000", 812, 1380)
    assert [(one.count, one.side) for one in reader.profile_stacks("p1", "gil")] == [(250, "gil")]
    assert len(reader.profile_stacks("p1")) == 5


def test_stacks_of_several_profiles_are_stored_once(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    for number in range(20):
        store.put_profile(two_stacks(id=f"p{number}", at_unix_seconds=NOON + number))
    assert store.flush(10)
    assert count(state, "SELECT count(*) FROM profile_stack") == 2
    assert count(state, "SELECT count(*) FROM profile_text") == len({*ENCODE, *MATRIX}) + len(
        ["MainThread", "kernel", "tokenise"]
    )
    assert count(state, "SELECT count(*) FROM profile_count") == 40


def test_any_sqlite_tool_reads_the_stacks(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.put_profile(two_stacks())
    assert store.flush(10)
    with closing(sqlite3.connect(state)) as connection:
        rows = connection.execute("SELECT thread, side, work, count, stack FROM profile_samples ORDER BY count")
        assert rows.fetchall() == [
            ("MainThread", "cpu", "tokenise", 300, ";".join(ENCODE)),
            ("MainThread", "cpu", "kernel", 700, ";".join(MATRIX)),
        ]


def test_a_profile_of_the_same_id_takes_the_place_of_the_first(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.put_profile(two_stacks())
    store.put_profile(stored([sample(ENCODE, 5)]))
    assert store.flush(10)
    found = StoreReader(state).profile("p1")
    assert found is not None
    assert [one.count for one in found.stacks] == [5]
    assert count(state, "SELECT count(*) FROM profile_count") == 1


def test_headers_are_filtered_and_come_newest_first(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    for number in range(6):
        store.put_profile(
            stored(
                id=f"p{number}", at_unix_seconds=NOON + number, service="a" if number % 2 else "b", pid=100 + number,
                kind="request" if number > 3 else "continuous",
            )
        )  # fmt: skip
    assert store.flush(10)
    reader = StoreReader(state)
    assert [one.id for one in reader.profiles()] == ["p5", "p4", "p3", "p2", "p1", "p0"]
    assert [one.id for one in reader.profiles(service="a", limit=2)] == ["p5", "p3"]
    assert [one.id for one in reader.profiles(kind="request", service="b")] == ["p4"]
    assert [one.id for one in reader.profiles(pid=102)] == ["p2"]
    assert [one.id for one in reader.profiles(start=NOON + 1, end=NOON + 3)] == ["p2", "p1"]


def test_the_merge_of_two_windows_adds_their_counts(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.put_profile(two_stacks(id="first"))
    store.put_profile(two_stacks(id="second", at_unix_seconds=NOON + 60.0))
    store.put_profile(two_stacks(id="late", at_unix_seconds=NOON + 600.0))
    store.put_profile(two_stacks(id="other", service="b"))
    assert store.flush(10)
    reader = StoreReader(state)
    merged = reader.merged(service="gunicorn/app:8000", start=NOON, end=NOON + 61)
    assert merged == reader.merged(["second", "first", "first"])
    assert merged is not None
    assert [(one.frames, one.count) for one in merged.stacks] == [(MATRIX, 1400), (ENCODE, 600)]
    assert (merged.samples, merged.seconds, merged.pid) == (2000, 20.0, 812)
    assert reader.merged(service="nobody") is None
    assert reader.merged(["nothing"]) is None
    assert reader.merged([]) is None


def test_a_file_without_profiles_holds_none(state: Path) -> None:
    assert StoreReader(state).profiles() == ()
    with closing(sqlite3.connect(state)) as connection:
        connection.execute("CREATE TABLE other (id)")
    assert StoreReader(state).profiles() == ()
    assert StoreReader(state).profile("p1") is None
    assert StoreReader(state).merged(["p1"]) is None


def test_what_cannot_be_stored_is_refused_at_once_and_names_the_field(open_store: OpenStore) -> None:
    store = open_store()
    with pytest.raises(ValueError, match="hertz is nan"):
        store.put_profile(stored(hertz=float("nan")))
    with pytest.raises(ValueError, match="count is 9223372036854775808"):
        store.put_profile(stored([sample(ENCODE, 2**63)]))


def test_names_from_hostile_processes_are_stored_as_text(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    frames = ("a\udcff;b\n", "'); DROP TABLE profile; --", "nul\0here", "x" * 5000, "")
    store.put_profile(stored([sample(frames, 1, thread="t\udc80")], reason="\udcfe", notes=("\udcfd",)))
    assert store.flush(10)
    found = StoreReader(state).profile("p1")
    assert found is not None
    assert found.stacks[0].thread == "t\\x80"
    assert found.stacks[0].frames[:3] == ("a\\xff;b\n", "'); DROP TABLE profile; --", "nul\0here")
    assert len(found.stacks[0].frames[3]) == 500
    assert (found.reason, found.notes) == ("\\xfe", ("\\xfd",))


def test_of_too_many_stacks_the_rarest_go_and_a_note_says_so() -> None:
    stacks = [sample((f"f{number}",), 2 if number < 10 else 1) for number in range(MOST_STACKS + 7)]
    prepared = prepare(stored([*stacks, sample(("deep",) * 5000, 9)]))
    assert len(prepared.counts) == MOST_STACKS
    assert max(len(frames) for _, frames, _, _ in prepared.counts) == MOST_FRAMES
    assert sum(count == 2 for count in prepared.counts.values()) == 10
    assert "the 8 rarest of 20008 stacks were not stored" in prepared.detail[2]


def test_profiles_wait_while_the_disk_cannot_be_written(state: Path, clock: FakeClock) -> None:
    state.mkdir()
    writer = Writer(state, Retention(), clock, {}, 100)
    for number in range(MOST_PROFILES + 3):
        assert not writer.write((), {}, [prepare(two_stacks(id=f"p{number}"))])
    assert writer.dropped_profiles == 3
    state.rmdir()
    clock.unix_seconds += 31
    assert writer.write((), {})
    writer.close()
    ids = {one.id for one in StoreReader(state).profiles(limit=1000)}
    assert ids == {f"p{number}" for number in range(3, MOST_PROFILES + 3)}


def test_profiles_that_are_too_old_go_with_the_stacks_that_only_they_had(state: Path, clock: FakeClock) -> None:
    writer = Writer(state, Retention(profile_seconds=DAY_SECONDS), clock, {}, 100)
    only_old = ("gone (old.py:1)",)
    old = [prepare(stored([sample(only_old, 1), sample(ENCODE, 1)], id=f"old{n}")) for n in range(50)]
    clock.unix_seconds = NOON
    assert writer.write((), {}, old)
    clock.unix_seconds = NOON + DAY_SECONDS - 60
    assert writer.write((), {}, [prepare(stored([sample(ENCODE, 1)], id="new", at_unix_seconds=clock.unix_seconds))])
    assert count(state, "SELECT count(*) FROM profile") == 51
    steps = []
    for minute in range(5):
        clock.unix_seconds = NOON + DAY_SECONDS + 60 * (minute + 1)
        assert writer.write((), {})
        steps.append(count(state, "SELECT count(*) FROM profile"))
    writer.close()
    assert steps == [31, 11, 1, 1, 1]
    assert count(state, "SELECT count(*) FROM profile_stack") == 1
    assert count(state, "SELECT count(*) FROM profile_text WHERE text = 'gone (old.py:1)'") == 0
    found = StoreReader(state).profile("new")
    assert found is not None
    assert found.stacks == (sample(ENCODE, 1),)
    assert sound(state)


@pytest.mark.parametrize("limit", [{"most_profiles": 12}, {"profile_cap_bytes": 12 * 320}, {"cap_bytes": 12 * 320 * 4}])
def test_of_too_many_profiles_the_oldest_go(state: Path, clock: FakeClock, limit: dict[str, int]) -> None:
    writer = Writer(state, Retention(**limit), clock, {}, 100)
    for number in range(30):
        clock.unix_seconds = NOON + 60 * number
        profile = stored([sample(("f (a.py:1)",), 1)], id=f"p{number}", at_unix_seconds=clock.unix_seconds)
        assert writer.write((), {}, [prepare(profile)])
    writer.close()
    left = [one.id for one in StoreReader(state).profiles()]
    assert left == [f"p{number}" for number in range(29, 29 - len(left), -1)]
    assert 10 <= len(left) <= 14


def test_the_file_gives_the_space_of_removed_profiles_back(state: Path, clock: FakeClock) -> None:
    writer = Writer(state, Retention(most_profiles=1), clock, {}, 100)
    clock.unix_seconds = NOON
    stacks = [sample((f"function_{number} (module_{number}.py:{number})",), 1) for number in range(5000)]
    assert writer.write((), {}, [prepare(stored(stacks, at_unix_seconds=NOON - 7200))])
    large = count(state, "SELECT page_count FROM pragma_page_count")
    for minute in range(8):
        clock.unix_seconds = NOON + 60 * minute
        assert writer.write((), {}, [prepare(two_stacks(id=f"p{minute}", at_unix_seconds=clock.unix_seconds))])
    writer.close()
    assert count(state, "SELECT page_count FROM pragma_page_count") < large / 4
    assert count(state, "SELECT count(*) FROM profile_stack") == 2


def test_another_process_adds_a_profile_while_the_agent_writes(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    with pytest.raises(AlreadyRunning):
        open_store()
    script = (
        "import sys\nfrom pathlib import Path\nfrom agent.store.profiles import append_profile\n"
        "from tests.agent.profiling.examples import two_stacks\n"
        "for n in range(30): append_profile(Path(sys.argv[1]), two_stacks(id=f'theirs{n}'))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(state)], cwd=ROOT)
    for number in range(30):
        store.put_profile(two_stacks(id=f"ours{number}"))
        assert store.flush(10)
    assert child.wait(60) == 0
    assert store.problem is None
    ids = {one.id for one in StoreReader(state).profiles(limit=100)}
    assert ids == {f"{whose}{number}" for whose in ("ours", "theirs") for number in range(30)}
    assert count(state, "SELECT count(*) FROM profile_stack") == 2
    assert (
        count(state, "SELECT min(total) FROM (SELECT sum(count) AS total FROM profile_count GROUP BY profile)") == 1000
    )


def test_a_profile_is_added_to_a_file_of_an_older_version_and_to_one_that_is_missing(tmp_path: Path) -> None:
    old = tmp_path / "state.db"
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        apply(connection, "state", [step for step in STATE if step[0] != "profiles"])
        connection.execute("INSERT INTO finding VALUES ('f', 'r', 'service', 'a', 'open', 'high', '1', '2', '{}')")
    append_profile(old, two_stacks())
    append_profile(tmp_path / "new.db", two_stacks())
    assert count(old, "SELECT count(*) FROM finding") == 1
    assert StoreReader(old).profile("p1") == StoreReader(tmp_path / "new.db").profile("p1") == two_stacks()


def test_a_file_that_cannot_take_a_profile_is_said_in_one_line(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE orders (id)")
    for name in ("other.db", "no-folder/state.db"):
        with pytest.raises(CliError, match="cannot write") as caught:
            append_profile(tmp_path / name, two_stacks())
        assert caught.value.key == "profile.not-stored"


KILLED = """
import itertools, sys
from pathlib import Path
from agent.store.retention import Retention
from agent.store.store import Store
from collectors.host import SystemClock
from tests.agent.profiling.examples import sample, stored

store = Store.open(Path(sys.argv[1]), retention=Retention(profile_seconds=1e12, most_profiles=60), clock=SystemClock())
for number in itertools.count():
    stacks = [sample((f"root_{number}", f"leaf_{leaf} (a.py:{leaf})"), 2) for leaf in range(500)]
    store.put_profile(stored(stacks, id=f"p{sys.argv[2]}-{number}", at_unix_seconds=1.7e9 + 1000 * int(sys.argv[2]) + number))
    assert store.flush(10)
    print(number, flush=True)
"""


@dataclass
class Killed:
    put: int
    found: int


def kill_while_writing(state: Path, attempt: int, after: int) -> Killed:
    """SIGKILL after so many profiles; how many were committed, and how many are in the file."""
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(state), str(attempt)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(after)]
    child.send_signal(signal.SIGKILL)
    lines += child.communicate()[0].splitlines()
    found = count(state, f"SELECT count(*) FROM profile WHERE id LIKE 'p{attempt}-%'")
    return Killed(len([line for line in lines if line.strip()]), found)


@pytest.mark.slow
def test_sigkill_leaves_whole_profiles_and_a_sound_file(state: Path) -> None:
    for attempt in range(12):
        killed = kill_while_writing(state, attempt, 3 + 5 * attempt % 17)
        assert killed.put <= killed.found <= killed.put + 1
        assert sound(state)
        query = "SELECT count(*) FROM (SELECT sum(count) AS n FROM profile_count GROUP BY profile) WHERE n != 1000"
        assert count(state, query) == 0
        assert count(state, "SELECT count(DISTINCT profile) FROM profile_count") == count(
            state, "SELECT count(*) FROM profile"
        )


def test_a_stored_stack_sample_takes_few_bytes(tmp_path: Path) -> None:
    """Twelve workers over an hour: a window of five minutes each, 150 stacks of 25 frames, most of them seen before."""
    state = tmp_path / "state.db"
    store = Store.open(state, retention=Retention(), clock=FakeClock())
    path = tuple(f"function_{depth} (some/package/module_{depth % 7}.py:{depth * 10})" for depth in range(24))
    rows = 0
    for window in range(12):
        for worker in range(12):
            stacks = [
                sample((*path, f"leaf_{leaf} (some/package/leaf.py:{leaf})"), 1 + leaf % 9)
                for leaf in range(10 * window, 10 * window + 150)
            ]
            rows += len(stacks)
            at = NOON + 300 * window + worker
            store.put_profile(stored(stacks, id=f"{window}-{worker}", at_unix_seconds=at, pid=worker + 1))
        assert store.flush(10)
    assert store.close(10)
    size = state.stat().st_size
    text = msgspec.json.encode(StoreReader(state).profile("11-11"))
    print(f"\n{rows} stack samples: {size / rows:.1f} bytes each ({len(text) / 150:.0f} as JSON)")
    assert count(state, "SELECT count(*) FROM profile_count") == rows == 21_600
    assert size / rows < 30


def test_merging_in_python_and_in_two_steps_is_the_same() -> None:
    first, second, third = two_stacks().stacks, whole().stacks, (sample(ENCODE, 1),)
    assert merge_stacks([merge_stacks([first, second]), third]) == merge_stacks([first, second, third])
