"""Which colours mean what? Not told apart by red and green, and never the only sign: a word or a height says it too.

They are names that each theme fills (tui/themes.py).
"""

from advisor.finding import Severity

SEVERITY_COLOURS = {
    Severity.CRITICAL: "bold $bad reverse",
    Severity.HIGH: "bold $bad",
    Severity.MEDIUM: "$medium",
    Severity.LOW: "$good",
    Severity.INFO: "$quiet",
}
"""Orange, yellow, blue, grey: ordered by lightness too."""

GOOD = "$good"
BAD = "bold $bad"
QUIET = "$quiet"
STRONG = "bold"
HEADING = "bold $heading"
CODE = "bold $code"
BAR = "$good"
TRACK = "$track"

HEAT = tuple(f"$heat-{step}" for step in range(8))
"""Idle to busy, from blue over sand to orange; its steps go with the eight heights of a block."""

DIRECTION = {"better": GOOD, "worse": BAD, "unsure": "$medium"}

FLAME = ("#77aadd", "#ee8866", "#eedd88", "#44bb99", "#ffaabb", "#99ddff", "#bbcc33", "#aaaa00")
"""Boxes of a flame graph, under dark text: told apart also by people who do not see all colours (the light scheme of
https://personal.sron.nl/~pault/), as in the drawings that the agent writes."""
FLAME_MIXED = "#b8bec8"
FLAME_UNFOUND = "#3a4350"
"""A box in which nothing is that was looked for."""
FLAME_TEXT = "#12161c"
FLAME_CURSOR = "#ffffff"
"""The box under the cursor; an arrow says it too."""
MORE, LESS = "#ee8866", "#77aadd"
"""More and less than before; their marks are + and -."""
FLAME_QUIET = "#a0a8b4"
"""On the ground of the screen, where boxes are drawn without a theme."""
