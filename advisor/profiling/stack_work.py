"""The stacks of a profile as text, each with its class of work, as they are kept and drawn."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from advisor.profiling.classify import Classified, classes_of, frame_text
from advisor.profiling.table import Table
from collectors.profiles.profile import Profile


class StackRow(msgspec.Struct, frozen=True):
    """One stack of one thread. `frames` root first. `work`: its class; of a waiting one, what it waits for; of native code
    that works for any caller, `interpreter` or `helper`."""

    thread: str
    frames: tuple[str, ...]
    side: Literal["cpu", "gil", "wait", "native"]
    work: str


def stack_work(profile: Profile, table: Table) -> Iterator[tuple[StackRow, int]]:
    """Each stack of the profile and how often it was seen. Rows that look the same may come more than once."""
    known = Classified(profile, classes_of(table))
    names = {thread.tid: thread.python_name or thread.name for thread in profile.threads}
    texts = [""] * len(profile.frames)

    def text(frame: int) -> str:
        if not texts[frame]:
            texts[frame] = frame_text(profile.frames[frame], known.known(frame).place)
        return texts[frame]

    def row(tid: int, stack: int, side: Literal["cpu", "gil", "wait"], work: str) -> StackRow:
        return StackRow(names.get(tid, str(tid)), tuple(text(frame) for frame in known.frames(stack)), side, work)

    for seen in profile.active:
        if not known.waits(seen.stack):
            yield row(seen.tid, seen.stack, "cpu", known.work(seen.stack)), seen.count
    for seen in profile.gil:
        yield row(seen.tid, seen.stack, "gil", known.work(seen.stack)), seen.count
    for waiting in profile.waiting:
        yield row(waiting.tid, waiting.stack, "wait", waiting.wait), waiting.count
    for native in profile.native:
        frames = (native.frame,) if native.caller is None else (native.caller, native.frame)
        name = names.get(native.tid, str(native.tid))
        yield StackRow(name, tuple(map(text, frames)), "native", known.native(native).works[0]), native.count
