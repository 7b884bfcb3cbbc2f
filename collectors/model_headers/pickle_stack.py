"""What stack and memo does the machine have that follows a pickle?"""

from typing import Final

from collectors.model_headers.source import BadHeader

NO_PICKLE: Final = "no pickle"


class Stack:
    """Values, and the marks between them. All raise BadHeader where the bytes are no pickle."""

    def __init__(self) -> None:
        self._stack: list[object] = []
        self._below: list[list[object]] = []
        """The stacks under each mark, the lowest first."""
        self._memo: dict[int, object] = {}

    @property
    def outermost(self) -> object:
        """The object that is begun first, finished or not."""
        lowest = self._below[0] if self._below else self._stack
        return lowest[0] if lowest else None

    def push(self, value: object) -> None:
        self._stack.append(value)

    def take(self) -> object:
        if not self._stack:
            raise BadHeader(NO_PICKLE)
        return self._stack.pop()

    def top(self) -> object:
        if not self._stack:
            raise BadHeader(NO_PICKLE)
        return self._stack[-1]

    def mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []

    def to_mark(self) -> list[object]:
        """The items above the last mark, which is taken away."""
        if not self._below:
            raise BadHeader(NO_PICKLE)
        items, self._stack = self._stack, self._below.pop()
        return items

    def pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self.to_mark()

    def pop_mark(self) -> None:
        self.to_mark()

    def again(self) -> None:
        self.push(self.top())

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self.top()

    def recall(self, index: int) -> None:
        if index not in self._memo:
            raise BadHeader(NO_PICKLE)
        self.push(self._memo[index])

    def remember(self, index: int) -> None:
        self._memo[index] = self.top()
