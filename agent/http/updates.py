"""How does the event loop learn of a new snapshot that another thread made?"""

import asyncio
from collections.abc import Callable


class Updates:
    """The newest generation, and who waits for a newer one. Waiters see the latest only, never a queue.

    `publish` and `close` may be called from any thread, `after` in the loop that was given to `bind`.
    """

    def __init__(self) -> None:
        self._generation = 0
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop whose tasks wait. Until then nobody can wait, and `publish` only counts."""
        self._loop = loop

    def publish(self, generation: int) -> None:
        """A snapshot of this generation is there."""
        self._generation = generation
        self._call(self._wake)

    def close(self) -> None:
        """End every wait, now and later: the agent stops."""
        self._closed = True
        self._call(self._wake)

    @property
    def closed(self) -> bool:
        return self._closed

    async def after(self, generation: int) -> int | None:
        """The newest generation as soon as it is another than `generation`; None once closed."""
        while not self._closed:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)  # before looking: a publisher then sees this waiter, or we see its generation
            try:
                if self._generation != generation:
                    return self._generation
                if not self._closed:
                    await waiter
            finally:
                self._waiters.discard(waiter)
        return None

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is None or not self._waiters:
            return
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop has ended, and with it all waiters
            pass

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
