"""Which C function does a source line call? Python shows no frame for those, so `orjson.loads(body)` looks like work of
the line itself. The line is read where the process has it and may read it, matched against known names, and never leaves
the reader.
"""

import io
import os
import re
from collections.abc import Collection, Mapping, Sequence

from collectors.inside.folder import ProcessFolder
from collectors.inside.view import View
from collectors.native.driver import has_driver
from collectors.profiles.profile import Frame

FILES_LIMIT = 64
FILE_LIMIT_BYTES = 2 << 20
LEAVES_LIMIT = 2000
LINE_LIMIT_BYTES = 400
"""What of a line is looked at: the pattern's time grows with the square of its length, and no other thread runs then."""
CUDA = "cuda:"
"""Before a known name: it counts only in processes that use the CUDA driver, and there before all others of its line."""
_CALL = re.compile(r"([A-Za-z_][\w.]*|\))\s*(?:\[[^\]]*\])?\s*\(|(\.[A-Za-z_]\w*)\s*\(")
_MATMUL = re.compile(r"[\w)\]]\s*@\s*[\w(]")


def calls_of(
    folder: ProcessFolder, frames: Sequence[Frame], leaves: Mapping[int, int], known: Collection[str]
) -> dict[int, str]:
    """Index of a leaf frame → the known name that its line calls, for the leaves seen most often. `known` holds names as
    written (`orjson.loads`), ends of names (`.tolist`), and `@` for a product of matrices; each may begin with `CUDA`."""
    if not known:
        return {}
    plain, cuda = _for_process(folder, known)
    wanted: dict[str, dict[int, int]] = {}  # by file: index of a frame → its line
    for index in sorted(leaves, key=lambda leaf: -leaves[leaf])[:LEAVES_LIMIT]:
        frame = frames[index]
        if frame.native or frame.line is None or not frame.file.endswith(".py"):
            continue
        if frame.file in wanted or len(wanted) < FILES_LIMIT:
            wanted.setdefault(frame.file, {})[index] = frame.line
    found: dict[int, str] = {}
    try:
        with View(folder) as view:
            for path, places in wanted.items():
                lines = _lines(view, path, frozenset(places.values()))
                called_there = {line: called_with_cuda(text, plain, cuda) for line, text in lines.items()}
                found |= {index: name for index, line in places.items() if (name := called_there.get(line))}
    except OSError:
        pass
    return found


def called_with_cuda(line: str, plain: Collection[str], cuda: Collection[str]) -> str | None:
    """The first name of `cuda` that a source line calls, with `CUDA` before it; else the first of `plain`."""
    if cuda and (name := called(line, cuda)):
        return CUDA + name
    return called(line, plain)


def _for_process(folder: ProcessFolder, known: Collection[str]) -> tuple[set[str], set[str]]:
    """The names that count in any process, and those that count in this one as it uses the CUDA driver."""
    plain = {name for name in known if not name.startswith(CUDA)}
    cuda = {name.removeprefix(CUDA) for name in known if name.startswith(CUDA)}
    try:
        return plain, cuda if cuda and has_driver(folder) else set()
    except OSError:
        return plain, set()


def called(line: str, known: Collection[str]) -> str | None:
    """The first known name that a source line calls; None if it calls none."""
    if line.lstrip().startswith(("def ", "class ", "@", "#", "async def ")):
        return None
    for match in _CALL.finditer(line):
        name = match[1] or match[2]
        for end in _ends(name):
            if end in known:
                return end
    return "@" if "@" in known and _MATMUL.search(line) else None


def _ends(name: str) -> list[str]:
    """`a.b.c` → `a.b.c`, `b.c`, `c`, `.c`: a function may be called by any of its names."""
    parts = name.strip(".").split(".")
    ends = [".".join(parts[at:]) for at in range(len(parts))]
    return [*ends, f".{parts[-1]}"] if len(parts) > 1 or name.startswith(".") else ends


def _lines(view: View, path: str, numbers: Collection[int]) -> dict[int, str]:
    """The beginnings of these lines of a plain file; none where the process could not read it, or it is too long."""
    try:
        content = view.read(view.parts(os.fsencode(path)), FILE_LIMIT_BYTES + 1) or b""
    except UnicodeEncodeError:
        return {}
    if len(content) > FILE_LIMIT_BYTES:
        return {}
    return {
        number: line[:LINE_LIMIT_BYTES].decode("utf-8", "replace")
        for number, line in enumerate(io.BytesIO(content), 1)
        if number in numbers
    }
