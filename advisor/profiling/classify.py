"""What does a stack of Python work on, or wait in: the classes of the table for the frames of one profile?"""

from collections.abc import Mapping, Sequence
from functools import cache

import msgspec

from advisor.profiling.native_work import UNKNOWN, NativeIndex, NativeWork
from advisor.profiling.places import Place, PlaceIndex, place_of
from advisor.profiling.table import INTERPRETER, Table
from collectors.profiles.profile import Frame, NativeCount, Profile


class Classes:
    """A table made ready for looking things up."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.works = PlaceIndex(table.file.python)
        self.waits = PlaceIndex({"wait": table.file.waits.leaves})
        loops = table.file.loops
        self.loops = PlaceIndex({"run": loops.run})
        self.callbacks = PlaceIndex({"callback": (*loops.run, *loops.callbacks)})
        self.handing = PlaceIndex({"handing": table.file.handing})
        self.named = PlaceIndex(table.file.named)
        self.native = NativeIndex(table.file)


@cache
def classes_of(table: Table) -> Classes:
    return Classes(table)


class Known(msgspec.Struct, frozen=True, gc=False):
    """What the table says of one frame. `work` None: the frame that called it decides."""

    place: Place
    work: str | None
    waits: bool = False
    loop: bool = False
    callback: bool = False
    handing: bool = False
    phase: str | None = None
    named: str | None = None


class Classified:
    """The frames and stacks of one profile with their classes; each is looked up once."""

    def __init__(self, profile: Profile, classes: Classes) -> None:
        self.profile = profile
        self._classes = classes
        self._known: dict[int, Known] = {}
        self._works: dict[int, str] = {}
        self._native: dict[tuple[int, bool], NativeWork] = {}
        self._jit: NativeWork | None = None

    def frames(self, stack: int) -> Sequence[int]:
        """Indices of its frames, root first."""
        return self.profile.stacks[stack]

    def work(self, stack: int) -> str:
        """The class of a stack on a CPU: the first frame that has one, from the leaf to the root."""
        if stack not in self._works:
            self._works[stack] = self._of_stack(stack)
        return self._works[stack]

    def waits(self, stack: int) -> bool:
        """Whether its leaf is a function that only waits."""
        frames = self.frames(stack)
        return bool(frames) and self.known(frames[-1]).waits

    def in_loop(self, stack: int) -> bool:
        return any(self.known(frame).loop for frame in self.frames(stack))

    def phase(self, stack: int) -> str | None:
        """The innermost frame that names a phase."""
        return next((known.phase for known in self._inwards(stack) if known.phase), None)

    def in_model(self, stack: int) -> bool:
        """Whether a function that is called like a model's is on it."""
        return any(self.known(frame).phase == "predict" for frame in self.frames(stack))

    def hands_on(self, stack: int) -> bool:
        """Whether a model's function has handed parts of its call to a pool, and the stack ends in the code that does so:
        it hands on, or waits for them. What the pool's own threads compute is not meant."""
        frames = [self.known(frame) for frame in self.frames(stack)]
        innermost = next((at for at in reversed(range(len(frames))) if frames[at].work or frames[at].handing), None)
        if innermost is None or not frames[innermost].handing:
            return False
        return any(known.phase == "predict" for known in frames[:innermost])

    def called(self, stack: int) -> str | None:
        """The function worth a name that it is in: the C function that a line of the application calls, else that of the
        innermost frame that has a name, else the C function that a library calls."""
        frames = self.frames(stack)
        name = self.profile.calls.get(frames[-1]) if frames else None
        if name is None or self.known(frames[-1]).place.origin != "own":
            name = next((known.named for known in self._inwards(stack) if known.named), name)
        return None if name is None else name.removeprefix(".")

    def native(self, sample: NativeCount) -> NativeWork:
        """What a native sample worked on: its function, or its caller where that works for anybody. What the interpreter
        did for a caller it did with the GIL."""
        work = self._function(sample.frame, sample.kernel)
        if not work.shared or sample.caller is None:
            return work
        caller = self._function(sample.caller, False)
        if caller.shared or caller == UNKNOWN:
            return work
        return NativeWork(caller.works, "held") if work.works[0] == INTERPRETER else caller

    def _function(self, frame: int, kernel: bool) -> NativeWork:
        key = frame, kernel
        if key not in self._native:
            self._native[key] = self._classes.native.work(self.profile.frames[frame], kernel=kernel, jit=self.jit)
        return self._native[key]

    @property
    def jit(self) -> NativeWork:
        if self._jit is None:
            self._jit = self._classes.native.jit({frame.file for frame in self.profile.frames if frame.native})
        return self._jit

    def known(self, index: int) -> Known:
        if index not in self._known:
            self._known[index] = self._of_frame(self.profile.frames[index])
        return self._known[index]

    def _inwards(self, stack: int) -> Sequence[Known]:
        return [self.known(frame) for frame in reversed(self.frames(stack))]

    def _of_stack(self, stack: int) -> str:
        frames = self.frames(stack)
        if frames and (name := self.profile.calls.get(frames[-1])) is not None:
            work = self._classes.table.work_of_call.get(name)
            if work is not None:
                return work
        return next((known.work for known in self._inwards(stack) if known.work), "unknown")

    def _of_frame(self, frame: Frame) -> Known:
        classes = self._classes
        if frame.native:
            native = classes.native.work(frame, kernel=False, jit=self.jit)
            return Known(Place("library", frame.file), None if native.shared else native.works[0])
        place = place_of(frame.file)
        work_named = classes.works.find(place, frame.name)
        if work_named is None and frame.file and place.origin != "standard":
            work_named = "python"
        glue = work_named in ("glue", "loop", "ipc")
        return Known(
            place=place,
            work=work_named,
            waits=classes.waits.find(place, frame.name) is not None,
            loop=classes.loops.find(place, frame.name) is not None,
            callback=classes.callbacks.find(place, frame.name) is not None,
            phase=None if glue else classes.table.phase_of_name.get(frame.name.rpartition(".")[2]),
            handing=classes.handing.find(place, frame.name) is not None,
            named=classes.named.find(place, frame.name),
        )


def frame_text(frame: Frame, place: Place) -> str:
    """`name (file:line)`, or `symbol (library)`, as a person would look it up."""
    if frame.native:
        short = frame.file.rpartition("/")[2] or frame.file
        return f"{frame.name or '(no symbol)'} ({short})"
    if not frame.file:
        return frame.name
    return f"{frame.name} ({place.path})" if frame.line is None else f"{frame.name} ({place.path}:{frame.line})"


def overhead(works: Mapping[str, float], table: Table) -> dict[str, float]:
    """Interpreter time by the class it is counted for, where native functions are seen."""
    found: dict[str, float] = {}
    for work, share in works.items():
        name = table.file.overhead.get(work, work)
        found[name] = found.get(name, 0.0) + share
    return found
