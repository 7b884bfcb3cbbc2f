"""Does somebody who walks through the screens of a busy node see at each stop what must be there? In a real terminal."""

import importlib.util
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.live,
    pytest.mark.heavy,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_every_stop_shows_what_it_must(tmp_path: Path, size: tuple[int, int]) -> None:
    spec = importlib.util.spec_from_file_location("tour", ROOT / "docs" / "tour.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    seen = module.tour(tmp_path, size)
    assert list(seen) == [stop.name for stop in module.STOPS]
    text = (tmp_path / "finding.txt").read_text()
    assert "OMP_NUM_THREADS=1" in text
    assert "×" in text
    assert all((tmp_path / f"{name}.svg").read_text().startswith("<svg") for name in seen)
