"""How are boxes drawn as one SVG file that also works as a picture, and what may a browser run of it?

Everything that comes from a process is text or an attribute, escaped; the script and the style are constants, so that
`CONTENT_SECURITY_POLICY` can name their hashes and nothing else runs.
"""

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from advisor.profiling.frames import printable

MEDIA = "image/svg+xml"
WIDTH = 1200
MARGIN = 10
ROW = 17
_TOP = 58
_LEGEND_ROW = 16
_CHARACTER = 6.7
"""Width of a character of the 11 px monospaced font."""
_NARROWEST_TEXT = 24
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A box as it is drawn. `start` and `width` are shares of the picture; `detail` is the tooltip's further lines."""

    row: int
    start: float
    width: float
    label: str
    detail: str
    colour: str


@dataclass(frozen=True, slots=True)
class Legend:
    colour: str
    text: str


def draw(
    title: str, subtitle: str, rectangles: Sequence[Rectangle], legend: Sequence[Legend], notes: Sequence[str]
) -> str:
    """The SVG document: root on top, so that deep stacks begin where one looks first."""
    placed, legend_rows = _legend(legend)
    top = _TOP + legend_rows * _LEGEND_ROW + 6
    rows = 1 + max((one.row for one in rectangles), default=0)
    notes_top = top + rows * ROW + 20
    height = notes_top + 16 * len(notes) + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(title)}">\n<style>{_asset("flamegraph.css")}</style>\n'
        f'<rect class="paper" width="100%" height="100%" fill="#ffffff"/>\n'
        f'<text class="title" x="{MARGIN}" y="22">{escape(title)}</text>\n'
        f'<text class="quiet" x="{MARGIN}" y="40">{escape(subtitle)}</text>\n',
        f'<text id="detail" class="quiet" x="{MARGIN}" y="{_TOP - 2}"> </text>\n',
        placed,
        f'<g id="frames" data-margin="{MARGIN}" data-width="{WIDTH}">\n',
        *(_rectangle(one, top) for one in rectangles),
        "</g>\n",
        *(
            f'<text class="quiet" x="{MARGIN}" y="{notes_top + 16 * line}">{escape(note)}</text>\n'
            for line, note in enumerate(notes)
        ),
        _CONTROLS,
        f"<script><![CDATA[{_asset('flamegraph.js')}]]></script>\n</svg>\n",
    ]
    return "".join(parts)


@cache
def content_security_policy() -> str:
    """What a browser may do with a drawing: run its one script, use its one style, and nothing else."""
    script, style = _hash(_asset("flamegraph.js")), _hash(_asset("flamegraph.css"))
    return f"default-src 'none'; script-src '{script}'; style-src '{style}'; sandbox allow-scripts"


def escape(text: str) -> str:
    """`text` as XML text or attribute; what XML cannot hold becomes U+FFFD."""
    return html.escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


_CONTROLS = f"""<foreignObject id="controls" x="{WIDTH - 440 - MARGIN}" y="6" width="440" height="26" display="none">
<div xmlns="http://www.w3.org/1999/xhtml" class="controls"><span id="matched"></span>
<input id="search" type="search" placeholder="search ( / )" aria-label="search for a function" autocomplete="off"/>
<button id="reset" type="button">reset (Esc)</button></div>
</foreignObject>
"""


def _rectangle(one: Rectangle, top: int) -> str:
    inner = WIDTH - 2 * MARGIN
    left, width, y = MARGIN + one.start * inner, one.width * inner, top + one.row * ROW
    name = printable(one.label)
    text = ""
    if width >= _NARROWEST_TEXT:
        text = f'<text x="{left + 3:.2f}" y="{y + 12}">{escape(_fitting(name, width))}</text>'
    return (
        f'<g class="f"><title>{escape(name)}\n{escape(one.detail)}</title>'
        f'<rect x="{left:.2f}" y="{y}" width="{width:.2f}" height="{ROW - 1}" fill="{one.colour}"/>{text}</g>\n'
    )


def _fitting(text: str, width: float) -> str:
    """As much of a label as its box holds; the script does the same after a zoom."""
    characters = int((width - 6) / _CHARACTER)
    return text if len(text) <= characters else text[: max(0, characters - 1)] + "…"


def _legend(entries: Sequence[Legend]) -> tuple[str, int]:
    """The legend, and how many rows it takes."""
    parts = []
    x, row = MARGIN, 0
    for entry in entries:
        width = 18 + int(len(entry.text) * _CHARACTER) + 14
        if x + width > WIDTH - MARGIN and x > MARGIN:
            x, row = MARGIN, row + 1
        y = _TOP + 4 + row * _LEGEND_ROW
        parts.append(
            f'<rect x="{x}" y="{y}" width="12" height="12" fill="{entry.colour}"/>'
            f'<text x="{x + 17}" y="{y + 10}">{escape(entry.text)}</text>\n'
        )
        x += width
    return "".join(parts), row + 1 if entries else 0


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text()


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
