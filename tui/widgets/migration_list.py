"""Which services are on CPUs, and what is said of moving each in a word?"""

from collections.abc import Collection, Mapping

from textual.content import Content
from textual.widgets.option_list import Option

from advisor.migration.result import MigrationEstimate
from tui import format as fmt
from tui.lines import lines
from tui.migration import in_a_word
from tui.palette import BAD, STRONG
from tui.widgets.kept_list import KeptList


class MigrationList(KeptList):
    """Two lines a service."""

    def show(self, found: Mapping[str, MigrationEstimate], supposed: Collection[str]) -> None:
        """Replace the lines; the highlight stays on the same service. `supposed`: of which something else is supposed."""
        self.put(Option(prompt(name, one, name in supposed), id=name) for name, one in found.items())


def prompt(name: str, one: MigrationEstimate, supposed: bool) -> Content:
    asked = ("if so, " if supposed else "", BAD)
    return lines([Content.styled(fmt.plain(name), STRONG), Content.assemble(asked, in_a_word(one))])
