"""What can be set of the chart? The table in docs/kubernetes.md, from deploy/helm/nodewright/values.yaml and its comments.

Of YAML it knows what that file holds: nested keys by two spaces, a value on the line of its key or a list below it, and the
comment above a key. A test reads the file with a real parser as well.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from docs.tables import table

FILE = Path(__file__).parents[1] / "deploy" / "helm" / "nodewright" / "values.yaml"
_KEY = re.compile(r"( *)(\w+):(?: (.*))?")
_BEGIN, _END = "<!-- made by `make docs` -->\n", "<!-- end -->"


def page(text: str) -> str:
    """docs/kubernetes.md with the table of now."""
    before, _, rest = text.partition(_BEGIN)
    shown = [
        (f"`{key}`", f"`{default}`" if default else "", doc) for key, default, doc in rows(FILE.read_text("utf-8"))
    ]
    return f"{before}{_BEGIN}{table(('value', 'default', 'is'), shown)}{_END}{rest.partition(_END)[2]}"


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Dotted key, default as written, comment: of each key that holds a value."""
    above: list[str] = []
    comment: list[str] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.lstrip().startswith("# "):
            comment.append(line.strip()[2:])
        elif found := _KEY.fullmatch(line):
            indent, key, value = found.groups()
            above = [*above[: len(indent) // 2], key]
            following = lines[number + 1] if number + 1 < len(lines) else ""
            is_list = value is None and following.lstrip().startswith("- ")
            if value is not None or is_list:
                yield ".".join(above), "a list" if is_list else ("" if value == '""' else value), " ".join(comment)
            comment = []
