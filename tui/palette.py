"""Which colours mean what? Not told apart by red and green, and never the only sign: a word or a height says it too."""

from advisor.finding import Severity

SEVERITY_COLOURS = {
    Severity.CRITICAL: "bold #ff9e64 reverse",
    Severity.HIGH: "bold #ff9e64",
    Severity.MEDIUM: "#f0e442",
    Severity.LOW: "#7cc4f0",
    Severity.INFO: "#a0a8b4",
}
"""Orange, yellow, blue, grey: ordered by lightness too."""

GOOD = "#7cc4f0"
BAD = "bold #ff9e64"
QUIET = "#a0a8b4"
STRONG = "bold"
HEADING = "bold #9fb0c4"
CODE = "bold #f2dfb0"
BAR = "#7cc4f0"
TRACK = "#4a5462"

HEAT = ("#3d6fa8", "#4f86bd", "#6a9cc9", "#8fb0c4", "#b9bf9f", "#ddc776", "#f2b84b", "#ff9e64")
"""Idle to busy, from blue over sand to orange; its steps go with the eight heights of a block."""

DIRECTION = {"better": GOOD, "worse": BAD, "unsure": "#f0e442"}

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
