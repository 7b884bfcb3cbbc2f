"""What is to be supposed of the chosen service?"""

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from advisor.migration.result import MigrationEstimate, Situation
from tui import format as fmt
from tui.palette import BAD, QUIET, STRONG
from tui.screens.form import FormScreen
from tui.what_if import Supposed, problem_of

_FIELDS = (
    ("device", "also on"),
    ("load", "requests/s"),
    ("slo", "objective, p99"),
    ("cores", "cores here"),
    ("part", "part that moves"),
    ("batch", "batch on device"),
    ("precision", "numbers there"),
)
"""Keys of `migrate --what-if`, and what they are called."""


class WhatIfScreen(FormScreen[Supposed]):
    """A small form over the devices; it answers None where it was left. An empty field is as it is seen."""

    DEFAULT_CSS = """
    WhatIfScreen > Vertical { width: 74; }
    WhatIfScreen Horizontal { height: 1; }
    WhatIfScreen Horizontal > Static { width: 18; }
    WhatIfScreen Input { width: 1fr; }
    WhatIfScreen #problem { max-height: 10; margin: 1 0 0 0; }
    """

    def __init__(self, estimate: MigrationEstimate, supposed: Supposed) -> None:
        """`supposed`: what is in the fields at first."""
        super().__init__()
        self._estimate, self._supposed = estimate, supposed

    def compose(self) -> ComposeResult:
        filled = dict(self._supposed.told)
        seen = _seen(self._estimate.situation)
        with Vertical() as form:
            form.border_subtitle = "↓ ↑: field · enter: work it out · esc: leave"
            yield Static(Content.styled(f"What if: {fmt.plain(self._estimate.service)}", STRONG))
            yield Static(Content.styled("An empty field is as it is seen now.\n", QUIET))
            for key, label in _FIELDS:
                with Horizontal():
                    yield Static(label)
                    yield Input(filled.get(key, ""), id=key, placeholder=seen[key], max_length=200)
            yield Static(id="problem")

    @on(Input.Submitted)
    def _submitted(self) -> None:
        values = {key: self.query_one(f"#{key}", Input).value.strip() for key, _ in _FIELDS}
        names = tuple(name for part in values.pop("device").split(",") if (name := part.strip()))
        supposed = Supposed(names, tuple((key, text) for key, text in values.items() if text))
        problem = problem_of(supposed, self._estimate)
        if problem is None:
            self.dismiss(supposed)
            return
        field, text = problem
        self.query_one("#problem", Static).update(Content.styled(fmt.plain(text), BAD))
        self.query_one(f"#{field}", Input).focus()


def _seen(now: Situation | None) -> dict[str, str]:
    """What each field is now, or how it is written."""
    if now is None:
        return {key: "" for key, _ in _FIELDS}
    slo = now.slo_p99_seconds
    return {
        "device": "such as H100, T4, inf2",
        "load": f"{fmt.number(now.work.per_second)} now",
        "slo": f"{'none' if slo is None else fmt.duration(slo)} now; such as 100ms",
        "cores": f"{fmt.number(round(now.cores, 2))} now",
        "part": f"{now.work.part.share.mode:.2f} likely now; 0 to 1",
        "batch": "as large as the objective allows",
        "precision": "16 bits; fp32, tf32, bf16, fp8, int8 or int4",
    }
