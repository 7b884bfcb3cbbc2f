"""An event loop whose callbacks compute for 20 ms, block for 30 ms in a sleep, and let it idle for 50 ms.

Says `busy`, `blocked` and `idle` as shares of wall time.
"""

import asyncio
import time
from collections import Counter

from pieces import Piece, make
from sections import ENDED, Sections

COMPUTE_SECONDS, BLOCK_SECONDS, IDLE_SECONDS = 0.020, 0.030, 0.050


def compute(piece: Piece) -> float:
    begin = time.thread_time()
    while time.thread_time() < begin + COMPUTE_SECONDS:
        piece()
    return time.thread_time() - begin


async def serve(sections: Sections) -> None:
    piece = make("json")
    own: Counter[str] = Counter()
    begin = time.perf_counter()
    blocked = busy = 0.0
    sections.begin()
    while not ENDED.is_set():
        at = time.perf_counter()
        own["serialise"] += compute(piece)
        computed = time.perf_counter()
        time.sleep(BLOCK_SECONDS)
        busy += computed - at
        blocked += time.perf_counter() - computed
        await asyncio.sleep(IDLE_SECONDS)
    wall = time.perf_counter() - begin
    sections.add(own)
    sections.said.update({"busy": busy / wall, "blocked": blocked / wall, "idle": 1 - (busy + blocked) / wall})


def main() -> None:
    sections = Sections()
    asyncio.run(serve(sections))
    sections.finish()


if __name__ == "__main__":
    main()
