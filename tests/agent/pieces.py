"""A recording of a real run, written out for tests: two servers, a CPU quota, two BLAS threads in each worker."""

import lzma
from pathlib import Path

from agent.config import Config, LoadedConfig

PIECES = Path(__file__).parents[1] / "fixtures" / "recordings" / "pieces.db.xz"
LOADED = LoadedConfig(config=Config(), origins={})
QUOTA = "cgroup-cpu-throttled"
"""A rule that speaks up in the middle of it."""


def write_pieces(folder: Path) -> Path:
    path = folder / "pieces.db"
    path.write_bytes(lzma.decompress(PIECES.read_bytes()))
    return path
