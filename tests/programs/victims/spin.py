"""Products of small matrices by a pool of two threads that have to share one CPU: they wait for each other by spinning.

How much of the CPU time that is, the program knows from what the same products cost with one thread: `spin.py --unit`
prints the CPU seconds of one product.
"""

import os
import subprocess
import sys
import time
from collections import Counter

from pieces import Piece
from sections import ENDED, Sections

ROWS, PRODUCTS = 160, 4000


def product() -> Piece:
    import numpy as np

    left = np.random.default_rng(0).random((ROWS, ROWS), dtype="float32")
    return lambda: left @ left


def unit_seconds() -> float:
    run = product()
    run()
    begin = time.process_time()
    for _ in range(PRODUCTS):
        run()
    return (time.process_time() - begin) / PRODUCTS


def main() -> None:
    one = subprocess.run(
        [sys.executable, __file__, "--unit"], env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    run = product()
    run()
    for task in os.listdir("/proc/self/task"):  # now that the pool is there: it would not be made for one CPU
        os.sched_setaffinity(int(task), {min(os.sched_getaffinity(0))})
    sections = Sections()
    sections.begin()
    begin, count = time.process_time(), 0
    while not ENDED.is_set():
        run()
        count += 1
    useful = count * float(one.stdout)
    sections.add(Counter(kernel=useful, spin=time.process_time() - begin - useful))
    sections.finish()


if __name__ == "__main__":
    if "--unit" in sys.argv:
        print(unit_seconds())
    else:
        main()
