"""What does the page of each rule say, and how do the rules hang together?"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from docs.tables import table

if TYPE_CHECKING:
    from advisor.rule import Rule

_WIDTH = 120
_RECOVERS = {
    "waiting": "time that threads wait or spin for each other",
    "cores": "cores that the service could use and does not",
    "work": "work that a request need not cost",
    "latency": "latency alone",
    "memory": "memory",
    "device": "what a device leaves undone",
    "nothing": "nothing: it says what is, or what would be done in vain",
}


def pages() -> Mapping[str, str]:
    """File below docs/ -> its text."""
    from advisor.catalogue import all_rules

    rules = {rule.id: rule for rule in all_rules()}
    return {f"rules/{name}.md": "\n".join(_page(rule, rules)) for name, rule in sorted(rules.items())}


def _page(rule: "Rule", rules: Mapping[str, "Rule"]) -> Iterator[str]:
    from advisor.catalogue import page

    told = page(rule)
    yield f"# {rule.id}\n"
    yield f"{told.title}\n"
    yield "Made from the code by `make docs`; do not edit. [All rules](../reference.md#rules).\n"
    sections = (
        ("What it looks for", told.looks_for),
        ("Why it matters", told.why_it_matters),
        ("What to do", told.what_to_do),
        ("When it is wrong", told.when_it_is_wrong),
    )
    for title, text in sections:
        yield f"## {title}\n"
        yield textwrap.fill(text[:1].upper() + text[1:], _WIDTH) + "\n"
    yield "## How it is proven\n"
    proven = told.proven or "not yet: it is experimental and never above info"
    yield f"{proven[:1].upper()}{proven[1:]}.\n"
    yield "## What it recovers\n"
    told_of = _RECOVERS[rule.recovers]
    yield f"{told_of[:1].upper()}{told_of[1:]}.\n"
    yield from _relations(rule, rules)
    yield from _thresholds(rule)


def _relations(rule: "Rule", rules: Mapping[str, "Rule"]) -> Iterator[str]:
    from advisor.rule import yields_of

    relations = (
        ("is a symptom of", rule.caused_by),
        ("says nothing beside", yields_of(rule, rules.values())),
        ("is acted on after", rule.after),
        (
            "silences",
            tuple(name for name, other in sorted(rules.items()) if rule.id in yields_of(other, rules.values())),
        ),
        ("explains", tuple(name for name, other in sorted(rules.items()) if rule.id in other.caused_by)),
    )
    rows = [(text, ", ".join(f"[{name}]({name}.md)" for name in names)) for text, names in relations if names]
    if rows:
        yield "## Beside other rules\n"
        yield table(("it", "rules"), rows)


def _thresholds(rule: "Rule") -> Iterator[str]:
    if not rule.thresholds:
        return
    rows = [
        (f"`{name}`", f"{one.enter:g}", "" if one.leave is None else f"{one.leave:g}", one.unit, one.doc)
        for name, one in rule.thresholds.items()
    ]
    yield "## Thresholds\n"
    yield f'Each can be moved in `[rule."{rule.id}"]` of the configuration.\n'
    yield table(("name", "starts at", "ends at", "unit", "meaning"), rows)
