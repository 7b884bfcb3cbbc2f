"""Runs a command in a mount namespace of its own in which folders below private ones can be reached by every user.

    python reachable.py FOLDER[:FOLDER...] COMMAND [ARG ...]

A private ancestor (mode 0700, such as a home folder) is covered with an empty public one that holds only the named folders.
Needs root; nothing outside the namespace changes.
"""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

CLONE_NEWNS = 0x00020000


def private_ancestor(folder: Path) -> Path | None:
    """The top-most ancestor that other users cannot enter."""
    for ancestor in reversed(folder.parents):
        if not ancestor.stat().st_mode & stat.S_IXOTH:
            return ancestor
    return None


def mount(*arguments: str) -> None:
    subprocess.run(["/usr/bin/mount", *arguments], check=True)


def main() -> None:
    folders = [Path(name) for name in sys.argv[1].split(":")]
    hidden = [(folder, private) for folder in folders if (private := private_ancestor(folder)) is not None]
    covered: dict[Path, Path] = {}
    for folder, private in hidden:
        if private not in covered:
            covered[private] = Path(tempfile.mkdtemp(prefix="kept-"))
            mount("--bind", str(private), str(covered[private]))
            mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(private))
        target = private / folder.relative_to(private)
        target.mkdir(parents=True, exist_ok=True)
        mount("--bind", str(covered[private] / folder.relative_to(private)), str(target))
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
