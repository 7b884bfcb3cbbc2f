"""What is said where there is nothing to show, and what can be done about it?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui import format as fmt
from tui.lines import lines
from tui.palette import QUIET, STRONG


class Notice(Widget):
    """A headline and a few sentences in the middle of the screen."""

    DEFAULT_CSS = """
    Notice { width: 1fr; height: 1fr; content-align: center middle; padding: 0 4; }
    """
    headline: reactive[str] = reactive("")
    sentences: reactive[tuple[str, ...]] = reactive(())

    def render(self) -> Content:
        told = [Content.styled(fmt.plain(sentence), QUIET) for sentence in self.sentences]
        return lines([Content.styled(fmt.plain(self.headline), STRONG), "", *told])

    def say(self, headline: str, *sentences: str) -> None:
        self.headline, self.sentences = headline, sentences
