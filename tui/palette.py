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
