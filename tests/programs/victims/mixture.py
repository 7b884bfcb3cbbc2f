"""Pieces of work in turn, in one thread or several: `mixture.py [--threads N] json=3 python=4 product=3` (milliseconds)."""

import gc
import sys
import threading

from pieces import POOLED, WORK, make
from sections import Sections


def main(arguments: list[str]) -> None:
    threads = 1
    if arguments[0] == "--threads":
        threads, arguments = int(arguments[1]), arguments[2:]
    pieces = {}
    for argument in arguments:
        name, _, milliseconds = argument.partition("=")
        piece = make(name)
        piece()
        pieces[name] = (WORK[name], float(milliseconds), piece)
    gc.disable()  # else what it takes would hide in the other pieces
    gc.collect()
    sections = Sections()
    sections.begin()
    others = [threading.Thread(target=sections.cycle, args=(pieces,)) for _ in range(threads - 1)]
    for other in others:
        other.start()
    sections.cycle(pieces)
    for other in others:
        other.join()
    sections.finish(pool=next((WORK[name] for name in pieces if name in POOLED), None))


if __name__ == "__main__":
    main(sys.argv[1:])
