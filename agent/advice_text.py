"""How does an advice document read as text, Markdown, GitHub annotations or JSON?"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from advisor.documents import AdviceDocument
from advisor.finding import Change, Evidence, Finding, Gain, Severity
from collectors.levers import Place

_GAINS = {
    "throughput_ratio": "throughput",
    "latency_p50_ratio": "median latency",
    "latency_p99_ratio": "p99 latency",
    "memory_ratio": "memory",
    "cost_ratio": "cost",
}
SHOWN_ID = 8
"""Characters of an id: any unique beginning names a finding."""


def render(document: AdviceDocument, style: Literal["text", "json", "markdown", "github"], *, dim: bool = False) -> str:
    """`dim`: what is acknowledged is told in faint letters (text on a terminal)."""
    match style:
        case "json":
            return msgspec.json.format(msgspec.json.encode({"data": document}), indent=2).decode()
        case "markdown":
            return "\n".join(_markdown(document))
        case "github":
            return "\n".join(_github(document))
        case _:
            return "\n".join(_text(document, dim))


def gain_text(gain: Gain) -> str:
    """`throughput ×2.1 – 9.0, likely ×4.0`."""
    return f"{_GAINS[gain.metric]} ×{gain.p10:.2f} – ×{gain.p90:.2f}, likely ×{gain.p50:.2f}"


def evidence_text(item: Evidence) -> str:
    limit = "" if item.threshold is None else f" (limit {item.threshold:g})"
    unit = "" if item.unit == "ratio" else f" {item.unit}"
    return f"{item.metric} = {item.observed:g}{unit}{limit}"


def place_text(place: Place) -> str:
    """`env of gunicorn: OMP_NUM_THREADS=1`."""
    state = {True: "", False: " [another place wins]", None: " [may be overridden]"}[place.effective]
    return f"{place.kind} of {place.target}: {place.key}={place.value}{state}"


def acknowledgement_text(finding: Finding) -> str | None:
    """`acknowledged by ada until 2026-11-27T10:00:00Z: new node on Friday`; None for a finding that is open."""
    if finding.state not in ("acknowledged", "snoozed"):
        return None
    entry = finding.acknowledgement
    if entry is None:
        return finding.state
    until = f" until {entry.until}" if entry.until else ""
    return f"{entry.state} by {entry.owner}{until}" + (f": {entry.reason}" if entry.reason else "")


def _text(document: AdviceDocument, dim: bool) -> Iterator[str]:
    yield f"{document.node}  {document.generated_at}"
    if not document.services:
        yield "no model server was found (see: nodewright doctor)"
    for service in document.services:
        yield f"\n{service.name} ({service.state}): {service.verdict}"
        yield from _plan(document, service.name)
        yield from _about(document, service.name, dim)
    for name in others(document):
        yield f"\n{name}"
        yield from _about(document, name, dim)


def _plan(document: AdviceDocument, service: str) -> Iterator[str]:
    """Where several things are to be done: in which order, and what each brings after those before it."""
    plan = next((plan for plan in document.plans if plan.service == service and len(plan.steps) > 1), None)
    if plan is None:
        return
    yield "  in this order, each gain after the steps before it:"
    for number, step in enumerate(plan.steps, start=1):
        yield f"    step {number}: {_made(step.changes)} ({step.rule}): {_gained(step.gains)}"
    yield f"    together: {_gained(plan.total)}"
    yield f"    {plan.assumes}"


def _made(changes: Sequence[Change]) -> str:
    return ", ".join(f"{change.lever} {change.current} → {change.proposed}" for change in changes)


def _gained(gains: Sequence[Gain]) -> str:
    return "; ".join(gain_text(gain) for gain in gains) or "no figure"


def others(document: AdviceDocument) -> list[str]:
    """What is no service and yet something is said of: devices, and whatever else has a finding."""
    services = {service.name for service in document.services}
    found = [f.subject.name for f in document.findings if f.subject.name not in services]
    asked = [i.subject.name for i in document.inconclusive if i.subject.kind == "device"]
    return list(dict.fromkeys((*found, *asked)))


def _about(document: AdviceDocument, name: str, dim: bool) -> Iterator[str]:
    for finding in document.findings:
        if finding.subject.name == name:
            muted = acknowledgement_text(finding)
            yield from _finding(finding) if muted is None else _muted(finding, muted, dim)
    yield from _open_questions(document, name)


def _open_questions(document: AdviceDocument, service: str) -> Iterator[str]:
    """What could not be concluded; rules that lack the same thing share a line."""
    needs: dict[str, list[str]] = {}
    for entry in document.inconclusive:
        if entry.subject.name == service:
            needs.setdefault(entry.needs.text, []).append(entry.rule)
    for text, rules in needs.items():
        yield f"  ? {rules[0] if len(rules) == 1 else f'{len(rules)} rules'}: needs {text}"


def _muted(finding: Finding, note: str, dim: bool) -> Iterator[str]:
    faint, plain = ("\x1b[2m", "\x1b[0m") if dim else ("", "")
    yield f"{faint}  {finding.rank}. [{finding.severity}] {finding.rule} {finding.id[:SHOWN_ID]}: {finding.title}{plain}"
    yield f"{faint}     {note}{plain}"


def _finding(finding: Finding) -> Iterator[str]:
    facts = f"confidence {finding.confidence:.2f}, {finding.state}"
    yield f"  {finding.rank}. [{finding.severity}] {finding.rule} {finding.id[:SHOWN_ID]} ({facts})"
    yield f"     {finding.title}"
    yield f"     {finding.summary}"
    window = finding.evidence[0]
    yield f"     seen in {window.samples} samples over {window.window_seconds:g} s: " + "; ".join(
        evidence_text(e) for e in finding.evidence
    )
    for gain in finding.gains:
        yield f"     gain: {gain_text(gain)}"
    for change in finding.changes:
        yield f"     change {change.lever}: {change.current} → {change.proposed}" + (
            " (restart)" if change.restart else ""
        )
        for place in change.how:
            yield f"       {place_text(place)}"
            if place.because:
                yield f"         because {place.because}"
    for rejected in finding.rejected:
        yield f"     not {rejected.cause}: {rejected.because}"


def _markdown(document: AdviceDocument) -> Iterator[str]:
    yield f"# Advice for {_cell(document.node)}, {document.generated_at}\n"
    for service in document.services:
        yield f"## {_cell(service.name)}\n\n{_cell(service.verdict)}\n"
        yield from _steps(document, service.name)
        yield from _table(document, service.name)
    for name in others(document):
        yield f"## {_cell(name)}\n"
        yield from _table(document, name)


def _steps(document: AdviceDocument, service: str) -> Iterator[str]:
    lines = list(_plan(document, service))
    if lines:
        yield "\n".join(f"- {_cell(line)}" for line in lines[1:]) + "\n"


def _table(document: AdviceDocument, subject: str) -> Iterator[str]:
    own = [f for f in document.findings if f.subject.name == subject]
    if own:
        yield "| # | severity | rule | what | gain |\n| --- | --- | --- | --- | --- |"
    for finding in own:
        gains = "; ".join(gain_text(g) for g in finding.gains)
        muted = acknowledgement_text(finding)
        what = finding.title + (f" ({muted})" if muted else "")
        yield f"| {finding.rank} | {finding.severity} | {finding.rule} | {_cell(what)} | {gains} |"


def _cell(text: str) -> str:
    """On one line, with nothing in it that ends a cell or begins HTML: names of processes are anyone's."""
    for raw, escaped in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;")):
        text = text.replace(raw, escaped)
    return " ".join(text.split())


def _github(document: AdviceDocument) -> Iterator[str]:
    """Workflow commands without a file; what is acknowledged is no more than a notice."""
    kinds = {Severity.INFO: "notice", Severity.LOW: "notice", Severity.MEDIUM: "warning"}
    for finding in document.findings:
        muted = acknowledgement_text(finding)
        kind = "notice" if muted else kinds.get(finding.severity, "error")
        text = f"{finding.subject.name}: {finding.title}. {muted or finding.summary}"
        yield f"::{kind} title={_escaped(finding.rule, ':,')}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    """As the runner's toolkit does (`escapeData`, of properties `escapeProperty` of actions/toolkit)."""
    for char in "%\r\n" + more:
        text = text.replace(char, f"%{ord(char):02X}")
    return text
