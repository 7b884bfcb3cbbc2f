"""How does what is on the screen become a file?"""

import re
from pathlib import Path
from typing import Any

from textual.screen import Screen

_FETCHED_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Taken out: a picture in a README or a ticket fetches nothing."""


def text_of(screen: Screen[Any]) -> str:
    """The lines as they are drawn, without what is behind their ends."""
    rows = screen._compositor.render_strips()
    return "".join(f"{strip.text.rstrip()}\n" for strip in rows)


def svg_of(screen: Screen[Any], title: str) -> str:
    return fetching_nothing(screen.app.export_screenshot(title=title))


def fetching_nothing(svg: str) -> str:
    """The picture with fonts that are there instead of those that it would fetch."""
    return _FETCHED_FONTS.sub("", svg).replace("Fira Code", "ui-monospace, DejaVu Sans Mono")


def usual_name(node: str | None, screen: str, at: str | None) -> str:
    """`nodewright-node-1-advice-2026-11-20T100000Z.txt`"""
    parts = ("nodewright", node or "", screen, (at or "").replace(":", ""))
    return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "-", part).strip("-.") for part in parts if part) + ".txt"


def write(path: Path, content: str, *, overwrite: bool) -> None:
    """Raises FileExistsError where it is there and `overwrite` is not set, OSError for the rest."""
    with path.open("w" if overwrite else "x", encoding="utf-8", errors="replace") as file:
        file.write(content)
