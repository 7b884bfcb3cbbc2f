"""Two threads sleep, one waits for an event that never comes, and the main thread for the end: no CPU time to speak of."""

import threading
import time

from sections import ENDED, Sections


def sleep() -> None:
    while not ENDED.is_set():
        time.sleep(0.5)


def main() -> None:
    never = threading.Event()
    sections = Sections()
    sections.begin()
    threads = [threading.Thread(target=sleep, daemon=True) for _ in range(2)]
    threads.append(threading.Thread(target=never.wait, daemon=True))
    for thread in threads:
        thread.start()
    while not ENDED.is_set():
        time.sleep(0.2)
    sections.said.update({"waits_sleep": 3.0, "waits_futex": 1.0})
    sections.finish()


if __name__ == "__main__":
    main()
