"""The environments of real servers: installed once, by one run at a time, and whole or not at all."""

import threading
import time
from pathlib import Path

import pytest

from tests.live import environments
from tests.live.environments import LOCKS, STAMP, environment


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environments, "LOCKS", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "some.lock"
    path.write_text("a==1\n")
    return path


def test_it_is_installed_once_until_the_list_changes(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[Path] = []

    def install(name: str, lock: Path, python: str, folder: Path) -> None:
        installed.append(folder)
        folder.mkdir(parents=True)

    monkeypatch.setattr(environments, "_install", install)
    assert environment("some") == environment("some") == installed[0] / "bin"
    assert installed[0].parent == lock.parent / "cache" / "nodewright" / "test-envs"
    lock.write_text("a==2\n")
    assert environment("some") == installed[1] / "bin"
    assert len(installed) == 2


def test_a_partial_one_is_removed(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, lock: Path, python: str, folder: Path) -> None:
        (folder / "bin").mkdir(parents=True)
        raise AssertionError("no index")

    monkeypatch.setattr(environments, "_install", fail)
    with pytest.raises(AssertionError, match="no index"):
        environment("some")
    assert [path.name for path in (lock.parent / "cache" / "nodewright" / "test-envs").iterdir() if path.is_dir()] == []


def test_a_second_run_waits_for_the_first(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = []

    def install(name: str, lock: Path, python: str, folder: Path) -> None:
        installed.append(folder)
        time.sleep(0.3)
        folder.mkdir(parents=True)

    monkeypatch.setattr(environments, "_install", install)
    threads = [threading.Thread(target=environment, args=("some",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(installed) == 1
    assert (installed[0] / STAMP).is_file()


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.in")), ids=lambda path: path.stem)
def test_every_list_is_locked_by_version_and_hash_and_names_no_index(path: Path) -> None:
    text = path.with_suffix(".lock").read_text()
    blocks = [block for block in text.replace("\\\n", "").splitlines() if block and not block.startswith("#")]
    assert blocks
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    wanted = {line.split("[")[0].split("=")[0].split(">")[0] for line in path.read_text().split()}
    assert wanted <= {block.split("==")[0].split("[")[0] for block in blocks}
