"""Which colours do the screens have, by theme?

Blue is good, orange is bad, yellow lies between: the axis that people with red-green blindness see whole, after the set of
Okabe and Ito. Steps that mean more are also lighter (darker on white), so that blue-yellow blindness and a grey screen order
them too, and a word, a sign or a height says the same each time. tests/tui/test_themes.py holds each theme against simulated
protanopia, deuteranopia and tritanopia, and against the contrast that WCAG 2 asks for.
"""

from dataclasses import dataclass, field

from textual.theme import Theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """One theme. Every colour but those of grounds is text on `background`."""

    background: str
    surface: str
    panel: str
    foreground: str
    good: str
    bad: str
    medium: str
    """Also: it is not sure."""
    quiet: str
    heading: str
    code: str
    track: str
    cursor: str
    """Ground of the highlighted line of a list that has the focus."""
    past: str
    """Ground of the status line where it tells of the past, with `on_past` on it."""
    on_past: str
    heat: tuple[str, ...] = field(default=())
    """From idle to busy, eight steps."""
    dark: bool = True

    def variables(self) -> dict[str, str]:
        """By the names under which palette and style sheets know them."""
        named = ("good", "bad", "medium", "quiet", "heading", "code", "track", "cursor", "past")
        return (
            {name: getattr(self, name) for name in named}
            | {"on-past": self.on_past}
            | {f"heat-{step}": colour for step, colour in enumerate(self.heat)}
        )

    def theme(self, name: str) -> Theme:
        return Theme(
            name=name,
            primary=self.good,
            secondary=self.heat[6],
            accent=self.good,
            warning=self.medium,
            error=self.bad,
            success=self.good,
            foreground=self.foreground,
            background=self.background,
            surface=self.surface,
            panel=self.panel,
            dark=self.dark,
            variables=self.variables(),
        )


DEFAULT = Colours(
    background="#12161c", surface="#1a2029", panel="#232b36", foreground="#e3e8ef",
    good="#7cc4f0", bad="#ff9e64", medium="#f0e442", quiet="#a0a8b4", heading="#9fb0c4", code="#f2dfb0",
    track="#4a5462", cursor="#2b3d55", past="#f0e442", on_past="#12161c",
    heat=("#3d6fa8", "#4f86bd", "#6a9cc9", "#8fb0c4", "#b9bf9f", "#ddc776", "#f2b84b", "#ff9e64"),
)  # fmt: skip
CONTRAST = Colours(
    background="#000000", surface="#0a0a0a", panel="#1c1c1c", foreground="#ffffff",
    good="#8fd3ff", bad="#ffab70", medium="#fff04d", quiet="#d0d4da", heading="#dbe6f2", code="#ffe9b8",
    track="#6b7480", cursor="#0a4a86", past="#fff04d", on_past="#000000",
    heat=("#6fa3dc", "#7fb2e5", "#96c2ec", "#b3cfe2", "#d3d8bb", "#efdb8c", "#ffc85c", "#ffab70"),
)  # fmt: skip
LIGHT = Colours(
    background="#fbfbf8", surface="#f0f1ee", panel="#e2e5e9", foreground="#1b2027",
    good="#0a66b5", bad="#6e2400", medium="#7d6d00", quiet="#4a5462", heading="#3b4c63", code="#5c4700",
    track="#b4bdc9", cursor="#c6ddf3", past="#6b3f00", on_past="#ffffff",
    heat=("#8fb2d6", "#7299c4", "#5a82ad", "#5b7387", "#7d7a50", "#8a6914", "#8a4a00", "#6e2400"), dark=False,
)  # fmt: skip
THEMES = {"default": DEFAULT, "contrast": CONTRAST, "light": LIGHT}


def theme_name(name: str) -> str:
    """As Textual knows it, beside its own."""
    return f"nodewright-{name}"
