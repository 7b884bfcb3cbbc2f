"""What does `nodewright explain` print: the page of a rule, or the list of them?"""

import textwrap
from collections.abc import Sequence

from advisor.documents import RulePage
from agent.config_draft import nearest
from agent.errors import CliError

_WIDTH = 100


def explain(pages: Sequence[RulePage], name: str | None) -> str:
    """The text for `name`, or the list. Raises CliError (exit status 2) naming the nearest rule."""
    if name is None:
        return rule_list(pages)
    for page in pages:
        if page.id == name:
            return rule_page(page)
    hint = f"did you mean {nearest(name, [page.id for page in pages])}?" if pages else "this version has no rules"
    raise CliError("rule.unknown", f"there is no rule {name!r}", hint)


def rule_list(pages: Sequence[RulePage]) -> str:
    """One line a rule: id, title, and whether it is experimental."""
    width = max((len(page.id) for page in pages), default=0)
    return "\n".join(
        f"{page.id:<{width}}  {page.title}{' (experimental)' if page.experimental else ''}"
        for page in sorted(pages, key=lambda each: each.id)
    )


def rule_page(page: RulePage) -> str:
    """The sections of a rule's page and its thresholds."""
    proven = page.proven or "not proven: experimental, never above info"
    sections = (
        ("What it looks for", page.looks_for),
        ("Why it matters", page.why_it_matters),
        ("What to do", page.what_to_do),
        ("When it is wrong", page.when_it_is_wrong),
        ("Proven", proven),
        ("Version", page.version),
    )
    lines = [f"{page.id}: {page.title}"]
    for title, text in sections:
        lines += ["", title, textwrap.fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")]
    if page.settings:
        lines += ["", f'Thresholds ([rule."{page.id}"] in the configuration)']
        lines += [f"  {name} = {value:g}" for name, value in page.settings.items()]
    return "\n".join(lines)
