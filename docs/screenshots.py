"""How do the screens look? Writes docs/overview.svg, docs/advice.svg, docs/gpus.svg and docs/migration.svg.

python docs/screenshots.py                              from constructed examples
python docs/screenshots.py --url http://127.0.0.1:9753  from a running agent; shows its first finding
"""

import argparse
import asyncio
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fakes_tui import FakeSource
from tests.snapshots import example_snapshot, gpu_snapshot
from tests.snapshots_migration import example_migrations
from tui.app import TopApp
from tui.http_source import HttpSource
from tui.source import Source

DOCS = Path(__file__).resolve().parent
SIZE = (120, 36)
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Taken out: a picture in a README fetches nothing."""


async def draw(source: Source, key: str, row: int) -> str:
    """The screen behind `key` with its line number `row` highlighted, as SVG."""
    app = TopApp(source)
    async with app.run_test(size=SIZE) as pilot:
        while app.state.picture is None and app.state.problem is None:
            await pilot.pause(0.05)
        await pilot.press(key, *("j" for _ in range(row)))
        await pilot.pause(0.5)
        picture = app.export_screenshot(title="nodewright top")
    return FONTS.sub("", picture).replace("Fira Code", "ui-monospace, DejaVu Sans Mono")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write pictures of the screens into docs.")
    parser.add_argument("--url", help="a running agent; without it, the examples of the tests")
    parser.add_argument("--row", type=int, help="which finding to show, from 0")
    wanted = parser.parse_args()
    row = wanted.row if wanted.row is not None else 0 if wanted.url else 1
    example = example_snapshot()
    for name, key, highlighted, snapshot in (
        ("overview", "o", 0, example), ("advice", "a", row, example), ("gpus", "g", 0, gpu_snapshot()),
        ("migration", "c", 0, example),
    ):  # fmt: skip
        source: Source = (
            HttpSource(wanted.url) if wanted.url else FakeSource([snapshot], known={"migration": example_migrations()})
        )
        svg = asyncio.run(draw(source, key, highlighted))
        source.close()
        (DOCS / f"{name}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
