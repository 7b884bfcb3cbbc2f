"""Which packages of a Debian are files of the image from? What scanners read, and whose licences go along.

One file for each package in /var/lib/dpkg/status.d, which is where scanners look in images without a package manager, and its
copyright in /usr/share/doc. Nothing on a system without dpkg.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path


def tell_packages(files: Iterable[Path], out: Path) -> None:
    """`files` as they lie on this system."""
    dpkg = shutil.which("dpkg-query")
    if dpkg is None:
        return
    for package in sorted(owners(dpkg, files)):
        name = package.partition(":")[0]
        status = subprocess.run([dpkg, "--status", package], capture_output=True, text=True, check=True).stdout
        put(out / "var/lib/dpkg/status.d" / name, status)
        copyright_file = Path("/usr/share/doc", name, "copyright")
        if copyright_file.exists():
            put(out / "usr/share/doc" / name / "copyright", copyright_file.read_text(errors="replace"))


def owners(dpkg: str, files: Iterable[Path]) -> set[str]:
    """dpkg knows a file below /lib by the name that it had before /lib became a link."""
    names = [form for path in files for form in (str(path), str(path).removeprefix("/usr"))]
    told = subprocess.run([dpkg, "--search", *names], capture_output=True, text=True, check=False).stdout
    return {package for line in told.splitlines() for package in re.split(r", ?", line.rpartition(": ")[0]) if package}


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
