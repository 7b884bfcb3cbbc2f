"""Which C function does a source line call? Python shows no frame for those, so `orjson.loads(body)` looks like work of
the line itself. The line is read where the process has it, matched against known names, and never leaves the reader.
"""

import os
import re
import stat
from collections.abc import Collection, Mapping, Sequence

from collectors.inside.folder import ProcessFolder
from collectors.inside.tree import open_inside, parts_of, reopen
from collectors.native.driver import has_driver
from collectors.profiles.profile import Frame

FILES_LIMIT = 64
FILE_LIMIT_BYTES = 2 << 20
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
    lines: dict[str, list[str] | None] = {}
    found: dict[int, str] = {}
    for index in sorted(leaves, key=lambda leaf: -leaves[leaf]):
        frame = frames[index]
        if frame.native or frame.line is None or not frame.file.endswith(".py"):
            continue
        if frame.file not in lines:
            if len(lines) >= FILES_LIMIT:
                continue
            lines[frame.file] = _lines(folder, frame.file)
        text = lines[frame.file]
        if text is None or frame.line > len(text):
            continue
        if name := called_with_cuda(text[frame.line - 1], plain, cuda):
            found[index] = name
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


def _lines(folder: ProcessFolder, path: str) -> list[str] | None:
    """The lines of a plain file inside the process's root; None where there is none that we may read."""
    try:
        root = folder.open("root", os.O_PATH | os.O_DIRECTORY)
        try:
            inside = open_inside(root, parts_of(os.fsencode(path)))
        finally:
            os.close(root)
        try:
            status = os.fstat(inside)
            if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_LIMIT_BYTES:
                return None
            with open(reopen(inside, 0), "rb") as stream:
                return stream.read(FILE_LIMIT_BYTES).decode("utf-8", "replace").splitlines()
        finally:
            os.close(inside)
    except OSError:
        return None
