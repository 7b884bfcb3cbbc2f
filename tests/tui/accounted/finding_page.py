"""Does the page of a finding say what `/v1/advice`, `/v1/history` and `/v1/outcomes` say of it?"""

from math import exp
from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.intervals import NAMES, account_interval, reach_of
from tests.tui.accounted.outcomes import account_outcome, account_scores
from tests.tui.accounted.places import account_change
from tests.tui.accounted.sheet import Part, Sheet
from tui.widgets.change_list import ChangeList
from tui.widgets.evidence_table import EvidenceTable
from tui.widgets.finding_head import FindingHead
from tui.widgets.gain_chart import GainChart
from tui.widgets.history_list import HistoryList
from tui.widgets.outcome_list import OutcomeList
from tui.widgets.rejected_list import RejectedList

Raw = dict[str, Any]


def account_finding(sheet: Sheet, one: Raw, advice: Raw, plans: list[Raw]) -> None:
    """What it is, what it promises, and on which numbers it rests."""
    _head(sheet.part(FindingHead), one, plans, advice["findings"])
    _gains(sheet, one["gains"])
    _evidence(sheet.part(EvidenceTable), one["evidence"])


def _head(part: Part, one: Raw, plans: list[Raw], findings: list[Raw]) -> None:
    part.says(one["title"])
    part.row(f"{one['severity'].upper()} · confidence {w.share(one['confidence'])} · {one['rule']}")
    pids = f" · pid {w.listed(one['subject']['pids'])}" if one["subject"]["pids"] else ""
    part.row(f"{one['subject']['kind']} {one['subject']['name']}{pids}")
    part.row(f"since {w.clock(one['first_seen'])}, last seen {w.clock(one['last_seen'])}")
    cause = next((other["title"] for other in findings if other["id"] == one["because_of"]), None)
    if cause is not None:
        part.says(f"a symptom of: {cause}")
    for plan in plans:
        for number, step in enumerate(plan["steps"], 1):
            if step["finding"] == one["id"]:
                brings = ", ".join(f"{NAMES[gain['metric']]} {w.times(gain['p50'])}" for gain in step["gains"])
                after = f"; after those before it {brings}" if number > 1 and brings else ""
                part.says(f"step {number} of {len(plan['steps'])} of the plan{after}")
    part.says(one["summary"])


def _gains(sheet: Sheet, gains: list[Raw]) -> None:
    """Numbers in a line, the interval below it, all on one scale."""
    if not gains:
        return
    part, reach = sheet.part(GainChart), reach_of(gains)
    part.row("expected gain, after / before")
    for gain in gains:
        low, high = sorted((gain["p10"], gain["p90"]))
        better = low > 1 if gain["metric"] == "throughput_ratio" else high < 1
        worse = high < 1 if gain["metric"] == "throughput_ratio" else low > 1
        p10, p50, p90 = (w.times(gain[name]) for name in ("p10", "p50", "p90"))
        verdict = "better" if better else "worse" if worse else "unsure"
        row = part.row(NAMES[gain["metric"]], f"{p50} ({p10}–{p90})", verdict)
        account_interval(part, row + 1, gain, reach)
    part.row(w.times(exp(-reach)), "×1", w.times(exp(reach)))


def _evidence(part: Part, evidence: list[Raw]) -> None:
    part.row("evidence")
    part.row("observed", "threshold", "over")
    for one in evidence:
        observed, threshold = one["observed"], one["threshold"]
        unit = one["unit"]
        name = one["metric"].removesuffix(f"_{unit}" if unit in ("seconds", "bytes") else "").replace("_", " ")
        over = f"{w.duration(one['window_seconds'])}, n={one['samples']}"
        row = part.row(name, w.quantity(observed, unit), w.quantity(threshold, unit), over)
        if threshold is not None:
            bar = part.lines[row][part.lines[row].index("n=") :].split()[-1]
            _threshold(bar, observed, threshold)


def _threshold(bar: str, observed: float, threshold: float) -> None:
    """Filled as far as was observed, the mark at the threshold; an eighth is left beyond the larger of both."""
    span = max(observed, threshold, 0.0) * 1.15 or 1.0
    cells, mark, filled = len(bar), bar.index("┃"), len(bar.rstrip("░"))
    assert abs(mark - threshold / span * cells) <= 1, f"{threshold} of {span}: {bar}"
    if filled > mark + 1 or observed < threshold:
        reached = filled if filled > mark + 1 else bar.count("█")
        assert abs(reached - observed / span * cells) <= 1, f"{observed} of {span}: {bar}"


def account_aftermath(sheet: Sheet, one: Raw, history: list[Raw], kept: Raw) -> None:
    """What to change, what it is not, what became of it, and what came of it where it was done."""
    if one["changes"]:
        part = sheet.part(ChangeList)
        part.row("what to change")
        for change in one["changes"]:
            account_change(part, change, every_place=True)
    if one["rejected"]:
        part = sheet.part(RejectedList)
        part.row("looked alike, ruled out")
        for other in one["rejected"]:
            part.says(f"{other['cause']}: {other['because']}")
    if history:
        part = sheet.part(HistoryList)
        part.row("history")
        for event in history:
            how = {"opened": " as ", "severity-changed": " to "}.get(event["event"])
            severity = "" if how is None else f"{how}{event['severity']}"
            part.row(w.day_and_minute(event["at"]), f"{event['event'].replace('-', ' ')}{severity}")
    _came(sheet, one, kept)


def _came(sheet: Sheet, one: Raw, kept: Raw) -> None:
    """Outcomes of what it asked for, with its own promises alone."""
    outcomes = [found for found in kept["outcomes"] if any(p["finding"] == one["id"] for p in found["promises"])]
    scores = [found for found in kept["scores"] if found["rule"] == one["rule"]]
    if outcomes or scores:
        part = sheet.part(OutcomeList)
        part.row("what came of it")
        for found in outcomes:
            account_outcome(part, found, one["id"])
        account_scores(part, scores)
