"""How is a mangled name walked? A place in the text and a bound on depth and steps."""

from typing import Self

DEPTH_LIMIT = 64
STEPS_LIMIT = 4_000


class BadName(Exception):  # noqa: N818 - a state of the name
    """It is not in the form that it seems to have."""


class Walk:
    """The text and how far it is read."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self._depth = self._steps = 0

    @property
    def next(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, *words: str) -> str:
        """The first of the words that comes next, passed by; empty if none does."""
        for word in words:
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return word
        return ""

    def need(self, word: str) -> None:
        if not self.take(word):
            raise BadName(self.text)

    def run(self, characters: str) -> str:
        """The longest piece of these characters, passed by."""
        begin = self.at
        while self.next and self.next in characters:
            self.at += 1
        return self.text[begin : self.at]

    def number(self) -> int:
        """A decimal number of at most six digits, without leading zeros. Raises BadName if none comes next."""
        digits = self.take("0") or self.run("0123456789")
        if not 0 < len(digits) <= 6:
            raise BadName(self.text)
        return int(digits)

    def piece(self, length: int) -> str:
        """The next `length` characters, passed by. Raises BadName if fewer are left."""
        piece = self.text[self.at : self.at + length]
        if len(piece) < length:
            raise BadName(self.text)
        self.at += length
        return piece

    def deeper(self) -> Self:
        """Around what may call itself (`with walk.deeper()`). Raises BadName where the name is nested too deep or takes too
        long."""
        self._depth += 1
        self._steps += 1
        if self._depth > DEPTH_LIMIT or self._steps > STEPS_LIMIT:
            raise BadName(self.text)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._depth -= 1
