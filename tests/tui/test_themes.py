"""Can every theme be read, told apart by people who see colours otherwise, without colours, and in ASCII?"""

from itertools import combinations

import pytest
from textual.color import Color
from textual.pilot import Pilot

from advisor.documents import Snapshot
from tests.fakes_tui import REFUSED, FakeSource, press
from tests.snapshots import example_snapshot, gpu_snapshot
from tui.app import TopApp
from tui.ascii import plain_text, wants_ascii
from tui.cli import THEME_NAMES
from tui.export import text_of
from tui.themes import THEMES, Colours

CONTRASTS = {"default": 4.5, "contrast": 7.0, "light": 4.5}
"""WCAG 2.2: AA, and AAA for the theme of high contrast."""
BLIND = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""


def linear(colour: str) -> tuple[float, ...]:
    parts = (part / 255 for part in Color.parse(colour).rgb)
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def luminance(rgb: tuple[float, ...]) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), rgb, strict=True))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(linear(one)), luminance(linear(other))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def seen(colour: str, kind: str) -> tuple[float, ...]:
    rgb = linear(colour)
    return tuple(min(1.0, max(0.0, sum(m * part for m, part in zip(row, rgb, strict=True)))) for row in BLIND[kind])


def lab(rgb: tuple[float, ...]) -> tuple[float, float, float]:
    """CIE L*a*b* under D65."""
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    x, y, z = (
        (value if value > 0.008856 else 0) ** (1 / 3) or 7.787 * value + 16 / 116
        for value in (
            sum(m * part for m, part in zip(row, rgb, strict=True)) / white
            for row, white in zip(rows, (0.9505, 1.0, 1.089), strict=True)
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def apart(one: str, other: str, kind: str) -> float:
    pairs = zip(lab(seen(one, kind)), lab(seen(other, kind)), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


def test_the_command_line_names_the_themes_that_there_are() -> None:
    assert tuple(THEMES) == THEME_NAMES


@pytest.mark.parametrize("name", THEMES)
def test_text_has_the_contrast_that_wcag_asks_for(name: str) -> None:
    colours: Colours = THEMES[name]
    for part in ("foreground", "good", "bad", "medium", "quiet", "heading", "code"):
        for ground in (colours.background, colours.surface):
            assert contrast(getattr(colours, part), ground) >= CONTRASTS[name], part
    assert contrast(colours.on_past, colours.past) >= CONTRASTS[name]
    assert contrast(colours.foreground, colours.cursor) >= CONTRASTS[name]


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("name", THEMES)
def test_good_bad_and_what_lies_between_are_told_apart_by_everybody(name: str, kind: str) -> None:
    colours = THEMES[name]
    for one, other in combinations((colours.good, colours.bad, colours.medium, colours.quiet), 2):
        assert apart(one, other, kind) >= 10, (one, other)
    assert apart(colours.heat[0], colours.heat[7], kind) >= 30


KEYS = ("o", "a", "g", "question_mark", "colon", "at", "E")


def shown(pilot: Pilot[None]) -> str:
    return text_of(pilot.app.screen)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_in_ascii_mode_nothing_else_reaches_the_terminal(key: str, size: tuple[int, int]) -> None:
    app = TopApp(FakeSource([gpu_snapshot()]), interval_seconds=3600, ascii_only=True)
    async with app.run_test(size=size) as pilot:
        await press(pilot, key)
        await pilot.pause()
        text = shown(pilot)
        assert text.isascii(), [line for line in text.splitlines() if not line.isascii()]
        assert max(map(len, text.splitlines())) <= size[0]


async def test_ascii_keeps_every_column_where_it_was() -> None:
    drawn = []
    for ascii_only in (False, True):
        app = TopApp(FakeSource([example_snapshot()]), interval_seconds=3600, ascii_only=ascii_only)
        async with app.run_test(size=(120, 40)) as pilot:
            await press(pilot, "a", "j")
            drawn.append(shown(pilot))
    signs, plain = drawn
    assert plain == "\n".join(map(plain_text, signs.split("\n")))
    assert list(map(len, signs.split("\n"))) == list(map(len, plain.split("\n")))


def test_signs_become_ascii_of_the_same_width() -> None:
    assert plain_text("▁▂▃▄▅▆▇█") == "_.:-=+*#"
    assert plain_text("╭─┬│├┤╰╯") == "+-+|++++"
    assert plain_text("4.2 µs ×4 → 2 ≥ 1 °C – …") == "4.2 us x4 > 2 > 1 oC - ~"
    assert plain_text("\u2800\u2801\u28ff") == " .#"
    assert plain_text("Größe") == "Gro?e"
    assert plain_text("模型") == "????"


@pytest.mark.parametrize(
    ("environ", "ascii_only"),
    [
        ({"TERM": "xterm-256color", "LANG": "en_US.UTF-8"}, False),
        ({"TERM": "tmux-256color", "LC_ALL": "C.utf8"}, False),
        ({"TERM": "xterm"}, False),
        ({"TERM": "linux", "LANG": "en_US.UTF-8"}, True),
        ({"TERM": "dumb"}, True),
        ({"TERM": "xterm", "LANG": "de_DE.ISO-8859-1"}, True),
        ({"TERM": "xterm", "LC_ALL": "C", "LANG": "en_US.UTF-8"}, True),
    ],
)
def test_ascii_is_what_the_terminal_or_the_locale_ask_for(environ: dict[str, str], ascii_only: bool) -> None:
    assert wants_ascii(environ) is ascii_only


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("answer", [example_snapshot(), REFUSED], ids=["live", "disconnected"])
async def test_every_theme_draws_every_screen(theme: str, answer: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    app = TopApp(FakeSource([answer]), interval_seconds=3600, theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        for key in ("a", "g", "o"):
            await press(pilot, key)
        assert app.screen.styles.background == Color.parse(THEMES[theme].background)
        strips = app.screen._compositor.render_strips()
        used = {
            segment.style.color.name for strip in strips for segment in strip if segment.style and segment.style.color
        }
        assert Color.parse(THEMES[theme].good).hex.lower() in used or answer is REFUSED


async def test_without_colours_only_greys_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = TopApp(FakeSource([example_snapshot()]), interval_seconds=3600)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "a")
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                if segment.style is not None and segment.style.color is not None and segment.style.color.triplet:
                    assert len(set(segment.style.color.triplet)) == 1
