"""How does an advice document read as text, Markdown, GitHub annotations or JSON?"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from advisor.documents import AdviceDocument
from advisor.finding import Evidence, Finding, Gain, Severity
from collectors.levers import Place

_GAINS = {
    "throughput_ratio": "throughput",
    "latency_p50_ratio": "median latency",
    "latency_p99_ratio": "p99 latency",
    "memory_ratio": "memory",
    "cost_ratio": "cost",
}


def render(document: AdviceDocument, style: Literal["text", "json", "markdown", "github"]) -> str:
    match style:
        case "json":
            return msgspec.json.format(msgspec.json.encode({"data": document}), indent=2).decode()
        case "markdown":
            return "\n".join(_markdown(document))
        case "github":
            return "\n".join(_github(document))
        case _:
            return "\n".join(_text(document))


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


def _text(document: AdviceDocument) -> Iterator[str]:
    yield f"{document.node}  {document.generated_at}"
    if not document.services:
        yield "no model server was found (see: nodewright doctor)"
    for service in document.services:
        yield f"\n{service.name} ({service.state}): {service.verdict}"
        for finding in document.findings:
            if finding.subject.name == service.name:
                yield from _finding(finding)
        yield from _open_questions(document, service.name)
    for device in devices(document):
        yield f"\n{device}"
        for finding in document.findings:
            if finding.subject.name == device:
                yield from _finding(finding)
        yield from _open_questions(document, device)


def devices(document: AdviceDocument) -> list[str]:
    """Names of the devices of which something is said, whoever uses them."""
    subjects = [f.subject for f in document.findings] + [i.subject for i in document.inconclusive]
    return list(dict.fromkeys(subject.name for subject in subjects if subject.kind == "device"))


def _open_questions(document: AdviceDocument, service: str) -> Iterator[str]:
    """What could not be concluded; rules that lack the same thing share a line."""
    needs: dict[str, list[str]] = {}
    for entry in document.inconclusive:
        if entry.subject.name == service:
            needs.setdefault(entry.needs.text, []).append(entry.rule)
    for text, rules in needs.items():
        yield f"  ? {rules[0] if len(rules) == 1 else f'{len(rules)} rules'}: needs {text}"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {finding.rank}. [{finding.severity}] {finding.rule} (confidence {finding.confidence:.2f}, {finding.state})"
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
    yield f"# Advice for {document.node}, {document.generated_at}\n"
    for service in document.services:
        yield f"## {service.name}\n\n{service.verdict}\n"
        yield from _table(document, service.name)
    for device in devices(document):
        yield f"## {device}\n"
        yield from _table(document, device)


def _table(document: AdviceDocument, subject: str) -> Iterator[str]:
    own = [f for f in document.findings if f.subject.name == subject]
    if own:
        yield "| # | severity | rule | what | gain |\n| --- | --- | --- | --- | --- |"
    for finding in own:
        gains = "; ".join(gain_text(g) for g in finding.gains)
        yield f"| {finding.rank} | {finding.severity} | {finding.rule} | {finding.title} | {gains} |"


def _github(document: AdviceDocument) -> Iterator[str]:
    """Workflow commands; `%`, CR and LF are escaped as the runner asks."""
    kinds = {Severity.INFO: "notice", Severity.LOW: "notice", Severity.MEDIUM: "warning"}
    for finding in document.findings:
        kind = kinds.get(finding.severity, "error")
        text = f"{finding.subject.name}: {finding.title}. {finding.summary}"
        for raw, escaped in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
            text = text.replace(raw, escaped)
        yield f"::{kind} title={finding.rule}::{text}"
