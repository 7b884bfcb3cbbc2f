"""A store in a fresh folder, with a clock that the test moves."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlite_utils  # noqa: F401 - files are then migrated in this process and not in a child

from agent.store.retention import Retention
from agent.store.store import Store
from agent.store.writer import Writer
from tests.agent.store.builders import FakeClock

OpenStore = Callable[[], Store]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def open_store(state: Path, clock: FakeClock) -> Iterator[OpenStore]:
    """Opens stores on `state`, and closes those that the test left open."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(Store.open(state, retention=Retention(), clock=clock))
        return opened[-1]

    yield open_one
    for store in opened:
        assert store.close(10)


@pytest.fixture
def writer(state: Path, clock: FakeClock) -> Iterator[Writer]:
    """What the store's thread runs, without the thread."""
    writer = Writer(state, Retention(), clock, {}, 100)
    yield writer
    writer.close()
