"""What a load test found is kept until it is forgotten."""

from pathlib import Path

from agent.store.reader import StoreReader
from tests.agent.store.conftest import OpenStore


def test_the_newest_result_of_a_service_is_kept_until_it_is_forgotten(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    store.save_document("capacity", "5f0c", b'{"knee":47}')
    store.save_document("capacity", "aa01", b'{"knee":9}')
    assert store.flush(10)
    store.save_document("capacity", "5f0c", b'{"knee":51}')
    assert store.flush(10)
    assert StoreReader(state).capacities() == {"5f0c": b'{"knee":51}', "aa01": b'{"knee":9}'}
    store.forget_document("capacity", "5f0c")
    assert store.flush(10)
    assert StoreReader(state).capacities() == {"aa01": b'{"knee":9}'}
