"""How do the screens look that need what few machines have? Writes docs/gpus.svg, docs/migration.svg; tour.py the rest.

python docs/screenshots.py                              from constructed examples
python docs/screenshots.py --url http://127.0.0.1:9753  from a running agent
"""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fakes_tui import FakeSource
from tests.snapshots import example_snapshot, gpu_snapshot
from tests.snapshots_migration import example_migrations
from tui.app import TopApp
from tui.export import svg_of
from tui.http_source import HttpSource
from tui.source import Source

DOCS = Path(__file__).resolve().parent
SIZE = (120, 36)


async def draw(source: Source, key: str) -> str:
    """The screen behind `key`, as SVG."""
    app = TopApp(source)
    async with app.run_test(size=SIZE) as pilot:
        while app.state.picture is None and app.state.problem is None:
            await pilot.pause(0.05)
        await pilot.press(key)
        await pilot.pause(0.5)
        return svg_of(app.screen, "nodewright top")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write pictures of the screens into docs.")
    parser.add_argument("--url", help="a running agent; without it, the examples of the tests")
    wanted = parser.parse_args()
    for name, key, snapshot in (("gpus", "g", gpu_snapshot()), ("migration", "c", example_snapshot())):
        source: Source = (
            HttpSource(wanted.url) if wanted.url else FakeSource([snapshot], known={"migration": example_migrations()})
        )
        svg = asyncio.run(draw(source, key))
        source.close()
        (DOCS / f"{name}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
