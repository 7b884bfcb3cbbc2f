"""Is the model server's environment made from the pinned list, once?"""

import os
import re
import sys
import sysconfig
from pathlib import Path

import pytest

from agent.demo.environment import LOCK, prepare, stamp_of
from agent.demo.launch import DemoError
from agent.demo.processes import Programs

FITS = pytest.mark.skipif(sys.version_info[:2] not in ((3, 11), (3, 12)), reason="no Python for the pinned server")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "nodewright" / "demo-venv"


def test_every_package_is_pinned_by_hash_and_no_index_is_named() -> None:
    text = LOCK.read_text()
    pinned = [line for line in text.splitlines() if re.match(r"[a-z0-9-]+==", line)]
    assert {"mlserver==1.7.1", "uvloop==0.21.0"} <= {line.split(" ")[0] for line in pinned}
    for block in re.split(r"\n(?=[a-z0-9-]+==)", text)[1:]:
        assert "--hash=sha256:" in block
    assert "://" not in text
    assert "--index" not in text


@FITS
def test_an_environment_with_the_right_stamp_is_used_as_it_is(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "complete").write_text(stamp_of(LOCK, sys.executable))
    said: list[str] = []
    with Programs() as programs:
        assert prepare(programs, said.append) == cache / "bin"
    assert said == []


@FITS
@pytest.mark.slow
def test_an_empty_list_makes_an_environment_and_its_stamp(cache: Path, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("# nothing\n")
    said: list[str] = []
    with Programs() as programs:
        folder = prepare(programs, said.append, lock)
        assert (folder / "python").exists()
        assert (cache / "complete").read_text() == stamp_of(lock, sys.executable)
        assert "up to 0 packages" in said[0]
        prepare(programs, said.append, lock)
    assert len(said) == 1


@FITS
@pytest.mark.slow
def test_a_package_that_cannot_be_had_is_told_in_one_line_and_leaves_no_stamp(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"no-such-package==1.0 --hash=sha256:{'0' * 64}\n")
    with Programs() as programs, pytest.raises(DemoError, match="pip failed") as caught:
        prepare(programs, lambda _: None, lock)
    assert "no-such-package" in caught.value.message
    assert "\n" not in caught.value.message
    assert not (cache / "complete").exists()


def test_the_stamp_changes_with_the_list(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1\n")
    before = stamp_of(lock, sysconfig.get_path("scripts"))
    lock.write_text("a==2\n")
    assert stamp_of(lock, sysconfig.get_path("scripts")) != before
