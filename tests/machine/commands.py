"""Which commands does a document tell its readers to type?"""

import re
from pathlib import Path

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(document: Path, heading: str) -> list[str]:
    """The blocks of shell commands below `## heading`, in order."""
    sections = re.split(r"^## ", document.read_text(), flags=re.MULTILINE)
    section = next(text for text in sections if text.startswith(f"{heading}\n"))
    return _BLOCK.findall(section)
