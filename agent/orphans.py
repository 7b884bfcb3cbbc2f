"""Who reaps processes that lost their parent, where the agent is the first process of its container?

The kernel gives them to pid 1. Children of our own have someone who waits for them, so that none of those stays a zombie: what
is one still after a while was left to us.
"""

import asyncio
import glob
import os

EVERY_SECONDS = 5.0


async def reap_orphans() -> None:
    """Until it is cancelled; ends at once for any process but pid 1."""
    seen: frozenset[int] = frozenset()
    while os.getpid() == 1:
        seen = reap(seen)
        await asyncio.sleep(EVERY_SECONDS)


def reap(seen: frozenset[int]) -> frozenset[int]:
    """Take in those of `seen` that are zombies still; the others that are, for the next time."""
    ended = frozenset(pid for pid in _children() if _is_zombie(pid))
    for pid in ended & seen:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # someone waited for it after all
            pass
    return ended - seen


def _children() -> list[int]:
    """Of every thread of ours; none where the kernel does not list them."""
    pids: list[int] = []
    for path in glob.glob(f"/proc/{os.getpid()}/task/*/children"):
        try:
            with open(path, "rb") as stream:
                pids += map(int, stream.read().split())
        except OSError:  # that thread has ended
            continue
    return pids


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            return stream.read().rpartition(b")")[2].split()[:1] == [b"Z"]
    except OSError:
        return False
