"""Four threads want one lock, and each sleeps 4 ms with it. Says `waits`: mean numbers of threads that wait, by what for."""

import threading
import time

from sections import ENDED, Sections

SLEEP_SECONDS = 0.004


def main() -> None:
    lock = threading.Lock()
    seconds = {"lock": 0.0, "sleep": 0.0}
    adding = threading.Lock()

    def want() -> None:
        waited = slept = 0.0
        while not ENDED.is_set():
            begin = time.perf_counter()
            with lock:
                got = time.perf_counter()
                time.sleep(SLEEP_SECONDS)
                slept += time.perf_counter() - got
            waited += got - begin
        with adding:
            seconds["lock"] += waited
            seconds["sleep"] += slept

    sections = Sections()
    begin = time.perf_counter()
    sections.begin()
    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - begin
    sections.said.update({f"waits_{name}": value / wall for name, value in seconds.items()})
    sections.finish()


if __name__ == "__main__":
    main()
