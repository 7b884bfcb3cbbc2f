"""Which part of a source line may be kept and shown? All but its literals that are secrets.

Code is full of names such as `token` and `key` that hold none, so a name counts only before a quoted text.
"""

import re

from collectors.redaction import REDACTED, is_secret_name, looks_secret

_CHARACTERS = 200
_LITERAL = re.compile(r"\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?")
_NAME_BEFORE = re.compile(r"(?P<name>[\w.-]+)[\"']?\]?\s*(?::\s*\w+\s*)?(?:[=:,]|==)\s*[rbfuRBFU]*\Z")


def source_text(line: str) -> str:
    """The line without indentation and secrets, at most 200 characters."""
    text = line.strip()
    parts, at = [], 0
    for match in _LITERAL.finditer(text):
        name = _NAME_BEFORE.search(text, 0, match.start())
        quote, value = match[0][0], match[0].strip("\"'")
        hidden = bool(value) and (looks_secret(value) or (name is not None and is_secret_name(name["name"])))
        parts += [text[at : match.start()], f"{quote}{REDACTED}{quote}" if hidden else match[0]]
        at = match.end()
    return "".join([*parts, text[at:]])[:_CHARACTERS]
