"""Do the list of findings, the page of each, plans and outcomes say what `/v1/advice`, `/v1/history` and `/v1/outcomes` say?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.developed import account_developed
from tests.tui.accounted.finding_page import account_aftermath, account_finding
from tests.tui.accounted.intervals import NAMES
from tests.tui.accounted.outcomes import account_outcome, account_scores, changed
from tests.tui.accounted.plan_page import account_plan
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part
from tui.widgets.evidence_charts import EvidenceCharts
from tui.widgets.finding_list import FindingList
from tui.widgets.need_page import NeedPage
from tui.widgets.outcome_list import OutcomeList
from tui.widgets.plan_page import PlanPage

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
            account_plan(sheet.part(PlanPage), plan, advice["findings"])
        elif finding is not None:
            account_finding(sheet, finding, advice, plans)
            if series:
                account_developed(sheet.part(EvidenceCharts), finding["evidence"], series)
            account_aftermath(sheet, finding, history, kept)
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
        part.row("PLAN", plan["service"])
        part.row(f"{len(plan['steps'])} steps{worth}")
    for one in advice["findings"]:
        part.row(one["severity"].upper(), f"#{one['rank']}", one["subject"]["name"])
        part.row(one["title"])
    for one in advice["inconclusive"]:
        part.row("?", one["subject"]["name"])
        part.row(one["rule"])
    for one in outcomes:
        part.row("CHANGED", {"verified": "✓", "refuted": "✗"}.get(one["state"], "?"), one["state"], one["service"])
        part.row(", ".join(map(changed, one["changes"])))


def _need(part: Part, one: Raw) -> None:
    """Why a rule could not tell."""
    part.row(f"{one['rule']} could not tell")
    pids = f", pid {w.listed(one['subject']['pids'])}" if one["subject"]["pids"] else ""
    part.row(f"{one['subject']['kind']} {one['subject']['name']}{pids}")
    part.says(one["needs"]["text"])
