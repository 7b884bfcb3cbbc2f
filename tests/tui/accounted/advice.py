"""Do the list of findings, the page of each, plans and outcomes say what `/v1/advice`, `/v1/history` and `/v1/outcomes` say?"""

from math import exp
from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.developed import account_developed
from tests.tui.accounted.intervals import NAMES, account_axis, account_interval, reach_of
from tests.tui.accounted.outcomes import account_outcome, account_scores, changed
from tests.tui.accounted.places import account_change
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part
from tui.widgets.change_list import ChangeList
from tui.widgets.evidence_charts import EvidenceCharts
from tui.widgets.evidence_table import EvidenceTable
from tui.widgets.finding_head import FindingHead
from tui.widgets.finding_list import FindingList
from tui.widgets.gain_chart import GainChart
from tui.widgets.history_list import HistoryList
from tui.widgets.need_page import NeedPage
from tui.widgets.outcome_list import OutcomeList
from tui.widgets.plan_page import PlanPage
from tui.widgets.rejected_list import RejectedList

Raw = dict[str, Any]


async def account(shown: Shown) -> None:
    """Every line of the list, and the page of each."""
    advice, kept = await shown.agent.get("advice"), await shown.agent.get("outcomes")
    plans = [plan for plan in advice["plans"] if len(plan["steps"]) > 1]
    await shown.press("3")
    findings = shown.app.screen.query_one(FindingList)
    lines = len(plans) + len(advice["findings"]) + len(advice["inconclusive"]) + len(kept["outcomes"])
    await shown.until(lambda: findings.option_count == lines)
    for _ in range(lines):
        chosen = findings.chosen or ""
        plan = next((one for one in plans if chosen == f"plan/{one['service']}"), None)
        finding = next((one for one in advice["findings"] if chosen == one["id"]), None)
        history = [] if finding is None else [
            event for event in await shown.agent.get(f"advice/{chosen}/history") if shown.agent.has_seen(event["at"])
        ]  # fmt: skip
        if finding is not None:
            times = [event["at"] for event in history]
            await shown.until(lambda times=times: [event.at for event in shown.app.state.history] == times)
        series = [] if finding is None else await _series(shown, finding)
        sheet = await shown.sheet()
        _list(sheet.part(FindingList), advice, plans, kept["outcomes"])
        if plan is not None:
            _plan(sheet.part(PlanPage), plan, advice["findings"])
        elif finding is not None:
            _head(sheet.part(FindingHead), finding, plans, advice["findings"])
            _gains(sheet, finding["gains"])
            _evidence(sheet.part(EvidenceTable), finding["evidence"])
            if series:
                account_developed(sheet.part(EvidenceCharts), finding["evidence"], series)
            _rest(sheet, finding, history)
            _came(sheet, finding, kept)
        elif chosen.startswith("inconclusive/"):
            one = next(one for one in advice["inconclusive"] if chosen.startswith(f"inconclusive/{one['rule']}/"))
            _need(sheet.part(NeedPage), one)
        else:
            outcome = next(one for one in kept["outcomes"] if chosen == f"outcome/{one['id']}")
            part, rules = sheet.part(OutcomeList), {one["rule"] for one in outcome["promises"]}
            part.row("what came of it")
            account_outcome(part, outcome, None)
            account_scores(part, [one for one in kept["scores"] if one["rule"] in rules])
        await shown.closed(sheet, "Advice")
        await shown.press("j")


async def _series(shown: Shown, finding: Raw) -> list[Raw]:
    """How the figures of its evidence developed; waits until they are drawn."""
    series: list[Raw] = await shown.agent.get(f"advice/{finding['id']}/series?until={finding['last_seen']}")
    page, metrics = shown.app.screen.query_one(EvidenceCharts), {one["metric"] for one in finding["evidence"]}
    drawn = [one["metric"] for one in series if one["metric"] in metrics]
    await shown.until(lambda: sorted(one.series.metric for one in page.plots) == sorted(drawn))
    return series


def _list(part: Part, advice: Raw, plans: list[Raw], outcomes: list[Raw]) -> None:
    for plan in plans:
        worth = f": {NAMES[plan['total'][0]['metric']]} {w.times(plan['total'][0]['p50'])}" if plan["total"] else ""
        part.row("PLAN", f"{len(plan['steps'])} steps{worth}")
        part.row(plan["service"])
    for one in advice["findings"]:
        part.row(one["severity"].upper(), f"#{one['rank']}", one["subject"]["name"])
        part.row(one["title"])
    for one in advice["inconclusive"]:
        part.row("?", one["rule"])
        part.row(one["subject"]["name"])
    for one in outcomes:
        part.row("CHANGED", ", ".join(map(changed, one["changes"])))
        part.row({"verified": "✓", "refuted": "✗"}.get(one["state"], "?"), one["state"], one["service"])


def _need(part: Part, one: Raw) -> None:
    """Why a rule could not tell."""
    part.row(f"{one['rule']} could not tell")
    pids = f", pid {w.listed(one['subject']['pids'])}" if one["subject"]["pids"] else ""
    part.row(f"{one['subject']['kind']} {one['subject']['name']}{pids}")
    part.says(one["needs"]["text"])


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


def _gains(sheet: Any, gains: list[Raw]) -> None:
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


def _rest(sheet: Any, one: Raw, history: list[Raw]) -> None:
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


def _came(sheet: Any, one: Raw, kept: Raw) -> None:
    """Outcomes of what it asked for, with its own promises alone."""
    outcomes = [found for found in kept["outcomes"] if any(p["finding"] == one["id"] for p in found["promises"])]
    scores = [found for found in kept["scores"] if found["rule"] == one["rule"]]
    if outcomes or scores:
        part = sheet.part(OutcomeList)
        part.row("what came of it")
        for found in outcomes:
            account_outcome(part, found, one["id"])
        account_scores(part, scores)


def _plan(part: Part, plan: Raw, findings: list[Raw]) -> None:
    """The steps below each other, then all of them together, on one scale."""
    gains = [gain for step in plan["steps"] for gain in step["gains"]] + plan["total"]
    reach = reach_of(gains)
    part.says(plan["verdict"])
    part.row(f"plan of {plan['service']}, {len(plan['steps'])} steps")
    for number, step in enumerate(plan["steps"], 1):
        part.says(f"{number} {step['title']}")
        for change in step["changes"]:
            account_change(part, change, every_place=False)
        for gain in step["gains"]:
            _step_gain(part, gain, reach)
    part.row("all steps together, after / before")
    account_axis(part, reach)
    for gain in plan["total"]:
        _step_gain(part, gain, reach)
    in_vain = [one["title"] for one in findings if one["id"] in plan["will_not_help"]]
    for title in in_vain:
        part.says(title)
    part.says(plan["assumes"])


def _step_gain(part: Part, gain: Raw, reach: float) -> None:
    account_interval(part, part.row(NAMES[gain["metric"]], w.ratio(gain)), gain, reach)
