"""What stands on the screen in plain text, and which of its numbers has nobody accounted for yet?

An expectation is found in its place, and its words count as accounted for; what is left in the end are numbers that nobody
expected.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from textual.geometry import Region
from textual.screen import Screen
from textual.widget import Widget

_DRAWN = "█░▒▁▂▃▄▅▆▇┃├┤─┿│"
"""What bars, intervals and charts are made of: no part of a word."""
_WORD = re.compile(rf"[^\s{_DRAWN}]+")
INTERVAL = re.compile(r"[·│├─●┤]{9,}")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
CUT, DOT = "…", "·"


class Word(NamedTuple):
    row: int
    column: int
    text: str


class Part:
    """The lines of one widget, the first of them at `row` and `column` of the screen."""

    def __init__(self, name: str, lines: list[str], row: int, column: int, done: set[tuple[int, int]]) -> None:
        """`done`: cells of the screen that were accounted for."""
        self.name, self.lines = name, lines
        self._row, self._column, self._done = row, column, done
        bare = (INTERVAL.sub(lambda found: " " * len(found[0]), line) for line in lines)
        self._words = [
            Word(row, match.start(), match[0]) for row, line in enumerate(bare) for match in _WORD.finditer(line)
        ]

    def says(self, text: str) -> None:
        """`text` stands there, wrapped between words; where there is no room for all of it, cut with an ellipsis."""
        wanted = text.split()
        for start in range(len(self._words)):
            if (found := self._follows(wanted, self._words[start:])) is not None:
                return self._account(found)
        raise AssertionError(f"{self.name} does not say {text!r}:\n{self}")

    def row(self, *cells: str) -> int:
        """One line has these cells and nothing else but what is drawn; each of them may be cut. Returns its number."""
        for row in range(len(self.lines)):
            words = [word for word in self._words if word.row == row]
            if (found := self._all_of(cells, words)) is not None:
                self._account(found)
                return row
        raise AssertionError(f"{self.name} has no line {' | '.join(cells)!r}:\n{self}")

    def rest(self, row: int, *cells: str) -> None:
        """What nobody has accounted for in this line are these cells."""
        words = [word for word in self._words if word.row == row and not self._is_done(word)]
        found = self._all_of(cells, words)
        assert found is not None, f"{self.name}: {' | '.join(cells)!r} is not all of {self.lines[row]!r}"
        self._account(found)

    def is_free(self, row: int) -> bool:
        """Whether nobody has accounted for anything in this line."""
        return not any(self._is_done(word) for word in self._words if word.row == row)

    def bar(self, row: int, ratio: float | None, start: int = 0, end: int | None = None) -> None:
        """The bar in this line, between two columns of it, is filled to `ratio`, to the next cell."""
        line = self.lines[row][start:end]
        filled, cells = line.count("█"), line.count("█") + line.count("░")
        assert cells, line
        assert abs(filled - min(1.0, ratio or 0.0) * cells) <= 0.5, (
            f"{ratio} is not {filled} of {cells}: {line.strip()}"
        )

    def cell(self, row: int, column: int, text: str) -> None:
        """`text` stands exactly there."""
        found = self.lines[row][column : column + len(text)]
        assert found == text, f"{self.name}: {found!r} stands where {text!r} is expected:\n{self}"
        self._account([Word(row, column, text)])

    def left(self) -> list[str]:
        """Numbers that nobody expected, each with its line."""
        return [
            f"{match[0]} in: {line.strip()}"
            for row, line in enumerate(self.lines)
            for match in _NUMBER.finditer(line)
            if not self._done.issuperset(self._cells(Word(row, match.start(), match[0])))
        ]

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n")

    def _follows(self, wanted: list[str], words: list[Word]) -> list[Word] | None:
        """The words that are the wanted ones, from the first on; None where others stand there, or somebody had them. At the
        end of a line there is no dot between two facts."""
        found: list[Word] = []
        for want in wanted:
            if len(found) == len(words) or self._is_done(words[len(found)]):
                return None
            word = words[len(found)]
            if word.text == want:
                found.append(word)
            elif want == DOT and found and found[-1].row < word.row:
                continue
            elif word.text.endswith(CUT) and want.startswith(word.text.removesuffix(CUT)):
                return [*found, word]
            else:
                return None
        return found

    def _all_of(self, cells: Sequence[str], words: list[Word]) -> list[Word] | None:
        """The words, where they are just these cells."""
        found: list[Word] = []
        for cell in cells:
            followed = self._follows(cell.split(), words[len(found) :])
            if followed is None:
                return None
            found += followed
        return found if len(found) == len(words) else None

    def _cells(self, word: Word) -> list[tuple[int, int]]:
        """Of the screen."""
        first = self._column + word.column
        return [(self._row + word.row, column) for column in range(first, first + len(word.text))]

    def _is_done(self, word: Word) -> bool:
        return not self._done.isdisjoint(self._cells(word))

    def _account(self, words: list[Word]) -> None:
        self._done.update(cell for word in words for cell in self._cells(word))


class Sheet(Part):
    """The whole screen."""

    def __init__(self, screen: Screen[Any]) -> None:
        lines = [strip.text for strip in screen._compositor.render_strips()]
        super().__init__("the screen", lines, 0, 0, set())
        self._screen = screen

    def part(self, wanted: str | type[Widget]) -> Part:
        """What is on the screen of one widget, without its border and padding."""
        widget = self._screen.query_one(wanted)
        region = widget.content_region.intersection(Region(0, 0, *self._screen.size))
        lines = [line[region.x : region.right] for line in self.lines[region.y : region.bottom]]
        return Part(widget.id or type(widget).__name__, lines, region.y, region.x, self._done)
