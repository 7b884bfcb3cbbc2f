"""How long does it take to judge a recorded day again?"""

import lzma
import shutil
import time
from pathlib import Path

from agent.config import Config, LoadedConfig
from agent.played import play
from bench.day import compose, day_of
from bench.pieces import read_pieces
from bench.stats import estimate

PIECES = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "recordings" / "pieces.db.xz"
DAY_SECONDS = 86400
SEED = 1


def measure(folder: Path, hours: float, rounds: int) -> None:
    """Compose `hours` of recording once and play them `rounds` times; CPU seconds for a day, with a 95 % interval."""
    source, pieces = read_pieces(unpacked(PIECES, folder))
    seconds = round(hours * 3600)
    path = folder / "day.db"
    began = time.process_time()
    compose(path, source, pieces, day_of(seconds, SEED), seed=SEED)
    print(
        f"  composed in {time.process_time() - began:.1f} s of CPU time: {path.stat().st_size / 1e6:.1f} MB", flush=True
    )
    found = []
    for _ in range(rounds):
        began = time.process_time()
        played = play(LoadedConfig(config=Config(), origins={}), path)
        found.append((time.process_time() - began) * DAY_SECONDS / seconds)
        print(
            f"  {found[-1]:.1f} s of CPU time a day: {played.beat.ticks} ticks, {played.judgements} judgements",
            flush=True,
        )
    if rounds > 1:
        of = estimate(found)
        print(f"  {of.ratio:.1f} s a recorded day (95 % interval {of.low:.1f} to {of.high:.1f}, {rounds} runs)")


def unpacked(packed: Path, folder: Path) -> Path:
    """The file as it was before xz packed it."""
    path = folder / packed.stem
    with lzma.open(packed) as read, path.open("wb") as written:
        shutil.copyfileobj(read, written)
    return path
