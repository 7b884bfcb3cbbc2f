"""Small products of matrices by a pool of two threads, which wait for each other by spinning.

How much of the CPU time that is, the program knows from what the same products cost with one thread: `spin.py --unit`
prints the CPU seconds of one product.
"""

import os
import subprocess
import sys
import time

ROWS = 160


def product() -> object:
    import numpy as np

    left = np.random.default_rng(0).random((ROWS, ROWS), dtype="float32")
    return lambda: left @ left


def unit() -> float:
    run = product()
    for _ in range(200):
        run()  # type: ignore[operator]
    begin = time.process_time()
    for _ in range(4000):
        run()  # type: ignore[operator]
    return (time.process_time() - begin) / 4000


def main() -> None:
    from sections import ENDED, Sections

    one = subprocess.run(
        [sys.executable, __file__, "--unit"], env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    seconds = float(one.stdout)
    run = product()
    run()  # type: ignore[operator]
    sections = Sections()
    sections.begin()
    cpu, count = time.process_time(), 0
    while not ENDED.is_set():
        run()  # type: ignore[operator]
        count += 1
    cpu = time.process_time() - cpu
    from collections import Counter

    sections.add(Counter(kernel=count * seconds, spin=cpu - count * seconds))
    sections.finish()


if __name__ == "__main__":
    print(unit()) if "--unit" in sys.argv else main()
