"""Two threads compute in Python; a third waits for a byte every 20 ms and measures how long it then waits for the GIL.

Says `gil_wait_seconds`: the mean of that. `gil`: mean number of threads that wait for the GIL, of the four.
"""

import socket
import threading
import time
from collections import Counter

from pieces import make
from sections import ENDED, Sections

PAUSE_SECONDS = 0.02
SIZE = 32


def burn(sections: Sections) -> None:
    piece, begin = make("python"), time.thread_time()
    while not ENDED.is_set():
        piece()
    sections.add(Counter(python=time.thread_time() - begin))


def read(stream: socket.socket, waits: list[float]) -> None:
    while block := stream.recv(SIZE, socket.MSG_WAITALL):
        waits.append(time.monotonic() - float(block))


def main() -> None:
    here, there = socket.socketpair()
    waits: list[float] = []
    sections = Sections()
    sections.begin()
    threads = [threading.Thread(target=burn, args=(sections,), name=f"burner-{i}") for i in range(2)]
    threads.append(threading.Thread(target=read, args=(there, waits), name="reader"))
    for thread in threads:
        thread.start()
    while not ENDED.is_set():
        time.sleep(PAUSE_SECONDS)
        here.send(str(time.monotonic()).encode().ljust(SIZE))
    here.close()
    for thread in threads:
        thread.join()
    sections.said["gil_wait_seconds"] = sum(waits) / len(waits)
    sections.finish()


if __name__ == "__main__":
    main()
