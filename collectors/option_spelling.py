"""Under which one name is each option of a command line read, whichever of its spellings was used?

argparse takes the beginning of an option for the whole of it, vLLM underscores for hyphens, and llama.cpp has short
options of several letters. An option that is overlooked would pass a default off as the present value.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from collectors.knobs import Knob

_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kKmMgGtT]i?)")


class Spelling:
    """The spellings of a server's options. Each tuple of `names` is one option, its first name the one that is kept.

    `beginnings`: an unambiguous beginning of a long option counts as the option. `underscores`: they count as hyphens.
    `thousands`: letters after a number -> what one stands for; they are written out in the options `counts`.
    """

    def __init__(
        self,
        *names: tuple[str, ...],
        beginnings: bool = False,
        underscores: bool = False,
        thousands: Mapping[str, int] | None = None,
        counts: Iterable[str] = (),
    ) -> None:
        self._kept = {name: many[0] for many in names for name in many}
        self._beginnings = beginnings
        self._underscores = underscores
        self._thousands = thousands or {}
        self._counts = frozenset(counts)

    def of(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """The arguments, options that are known under their kept names."""
        found: list[str] = []
        for item in arguments:
            if found and found[-1] in self._counts:
                found.append(self._number(item))
            else:
                found.append(self._spelled(item))
        return tuple(found)

    def _spelled(self, item: str) -> str:
        if len(item) < 2 or item[0] != "-" or item[1].isdigit() or item[1] == ".":
            return item
        name, equals, value = item.partition("=")
        if self._underscores and name.startswith("--"):
            head, dot, tail = name.partition(".")
            name = head.replace("_", "-") + dot + tail
        kept = self._kept.get(name) or self._begun(name)
        if kept is None:
            # another option, not a value of its first letter
            name = name if name.startswith("--") or len(name) == 2 else f"-{name}"
            return name + equals + value
        return kept + equals + (self._number(value) if kept in self._counts else value)

    def _begun(self, name: str) -> str | None:
        if not (self._beginnings and name.startswith("--") and len(name) > 3):
            return None
        whole = {kept for each, kept in self._kept.items() if each.startswith(name)}
        return whole.pop() if len(whole) == 1 else None

    def _number(self, text: str) -> str:
        match = _COUNT.fullmatch(text)
        factor = self._thousands.get(match[2]) if match else None
        return str(round(float(match[1]) * factor)) if match and factor else text


def spellings(knobs: Iterable[Knob], *others: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The names of the options of `knobs`, and others, for a Spelling."""
    own = (s.names for knob in knobs for s in knob.sources if s.kind in ("argument", "flag"))
    return (*own, *others)
