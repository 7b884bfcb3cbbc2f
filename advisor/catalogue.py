"""Which rules are there, what does the page of each say, and which version of it is this?"""

import inspect
import re
from functools import cache
from hashlib import blake2b
from pathlib import Path

from advisor import rules
from advisor.documents import RulePage
from advisor.rule import Rule
from collectors.collector import scan

SECTIONS = ("What it looks for", "Why it matters", "What to do", "When it is wrong")


def all_rules() -> list[Rule]:
    """A fresh instance of every rule below `advisor/rules/`."""
    return [kind() for kind in scan(rules, Rule)]


def version_of(rule: Rule) -> str:
    """A short hash of the rule's source file: it changes with every change of the rule. Eight hexadecimal digits; empty where
    there is no source, as in a frozen program."""
    return _version_of(type(rule))


@cache
def _version_of(kind: type[Rule]) -> str:
    try:
        source = Path(inspect.getfile(kind)).read_bytes()
    except (OSError, TypeError):
        return ""
    return blake2b(source, digest_size=4).hexdigest()


def versions() -> dict[str, str]:
    """The version of every rule, by its id."""
    return {rule.id: version_of(rule) for rule in all_rules()}


def page(rule: Rule) -> RulePage:
    """The rule's page, from its class docstring. Raises ValueError if a section is missing."""
    text = inspect.cleandoc(type(rule).__doc__ or "")
    title, _, body = text.partition("\n")
    parts = re.split(rf"^({'|'.join(SECTIONS)}):\s*", body, flags=re.MULTILINE)
    found = {parts[i]: " ".join(parts[i + 1].split()) for i in range(1, len(parts) - 1, 2)}
    missing = [name for name in SECTIONS if not found.get(name)]
    if missing:
        raise ValueError(f"rule {rule.id}: docstring lacks {', '.join(missing)}")
    return RulePage(
        id=rule.id,
        title=title.strip(),
        proven=", ".join(rule.proven),
        experimental=not rule.proven,
        looks_for=found[SECTIONS[0]],
        why_it_matters=found[SECTIONS[1]],
        what_to_do=found[SECTIONS[2]],
        when_it_is_wrong=found[SECTIONS[3]],
        settings={name: threshold.enter for name, threshold in rule.thresholds.items()},
        version=version_of(rule),
    )


def pages() -> tuple[RulePage, ...]:
    return tuple(page(rule) for rule in all_rules())
