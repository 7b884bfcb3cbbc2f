"""Frames and stacks held once each, while a profile is put together."""

from collections.abc import Iterable, Sequence

from collectors.profiles.profile import Frame

STACKS_LIMIT = 20_000
"""Distinct stacks of one profile; what comes beyond them counts for `OTHER`."""
DEPTH_LIMIT = 256
"""Frames of one stack that are kept: those nearest to the leaf."""
NAME_LIMIT = 500
FILE_LIMIT = 1000
"""Characters of a name and of a path."""
CHARACTERS_LIMIT = 4_000_000
REFERENCES_LIMIT = 1_000_000
"""Characters of all frames, and frames of all stacks: the names are the process's own words, and whoever is sent the profile
must hold it in memory."""
OTHER = Frame("(other stacks)", "")


class Interned:
    """Gives each distinct frame and stack (root first) its index."""

    def __init__(self) -> None:
        self._frames: dict[Frame, int] = {}
        self._stacks: dict[tuple[int, ...], int] = {}
        self._characters = 0
        self._references = 0

    def frame(self, frame: Frame) -> int:
        if len(frame.name) > NAME_LIMIT or len(frame.file) > FILE_LIMIT:
            frame = Frame(frame.name[:NAME_LIMIT], frame.file[:FILE_LIMIT], frame.line, frame.native)
        if frame not in self._frames:
            self._characters += len(frame.name) + len(frame.file)
            if self._characters > CHARACTERS_LIMIT:
                frame = OTHER
        return self._frames.setdefault(frame, len(self._frames))

    def stack(self, frames: Sequence[Frame]) -> int:
        stack = tuple(self.frame(frame) for frame in frames[-DEPTH_LIMIT:])
        if stack not in self._stacks:
            self._references += len(stack)
            if len(self._stacks) >= STACKS_LIMIT or self._references > REFERENCES_LIMIT:
                stack = (self.frame(OTHER),)
        return self._stacks.setdefault(stack, len(self._stacks))

    @property
    def frames(self) -> tuple[Frame, ...]:
        return tuple(self._frames)

    @property
    def stacks(self) -> tuple[tuple[int, ...], ...]:
        return tuple(self._stacks)

    def leaves(self, stacks: Iterable[int]) -> dict[int, int]:
        """Index of each leaf frame of these stacks (repeats count) → how often."""
        found: dict[int, int] = {}
        known = self.stacks
        for index in stacks:
            if known[index]:
                leaf = known[index][-1]
                found[leaf] = found.get(leaf, 0) + 1
        return found
