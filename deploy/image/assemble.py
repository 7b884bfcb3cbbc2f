"""What does the image hold? `assemble.py ENVIRONMENT BASE OUT`: the environment, and what it needs of this system and BASE
lacks.

That is the interpreter, its library without what only developers use, the shared libraries that any of it is linked with,
certificates, and two users. Every file gets SOURCE_DATE_EPOCH as its time, and compiled files hold no times.
"""

import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

from packages import tell_packages

UNUSED = ("test", "idlelib", "tkinter", "turtledemo", "turtle.py", "lib2to3", "pydoc_data", "ensurepip", "distutils",
          "site-packages", "dist-packages", "__pycache__", "*.exe", "config-*",
          "_test*.so", "_ctypes_test*.so", "xxlimited*.so")  # fmt: skip
KEPT_COMMANDS = {"python", "python3", "nodewright", "py-spy", "healthy"}
"""Of what lies in the environment's bin, beside the interpreter's own name."""
HELPERS = ("/usr/bin/setpriv",)
"""Of the system, where it has them: with it no profiler outlives a sidecar that was killed."""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
USER = 65532
STATE, SOCKETS = "/var/lib/nodewright", "/run/nodewright"
ELF = b"\x7fELF"


def main(environment: Path, base: Path, out: Path) -> None:
    python = Path(sys.executable).resolve()
    tidy(environment, python)
    shutil.copytree(environment, placed(out, environment), symlinks=True)
    if not inside(base, python).exists():
        put(python, out)
        library = Path(sysconfig.get_path("stdlib"))
        shutil.copytree(library, placed(out, library), symlinks=True, ignore=shutil.ignore_patterns(*UNUSED))
    for path in map(Path, HELPERS):
        if path.exists() and not inside(base, path).exists():
            put(path, out)
    for library in sorted(linked(out)):
        if not inside(base, library).exists():
            put(library, out)
    tell_packages([Path("/", path.relative_to(out)) for path in out.rglob("*") if path.is_file()], out)
    system_files(base, out)
    if not (base / "etc/ld.so.cache").exists():
        name_libraries(out)
    how = PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(out, 20, stripdir=str(out), prependdir="/", quiet=1, invalidation_mode=how):
        sys.exit("nodewright: image.compile: some file does not compile")
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in [out, *out.rglob("*")]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def tidy(environment: Path, python: Path) -> None:
    for path in (environment / "bin").iterdir():
        if path.name not in KEPT_COMMANDS and path.name != f"python{sys.version_info[0]}.{sys.version_info[1]}":
            path.unlink()
    for link in (environment / "bin").glob("python*"):
        link.unlink()
        link.symlink_to(python)
    for pattern in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
        for path in environment.rglob(f"*.dist-info/{pattern}"):
            path.unlink()
    shutil.rmtree(environment / "include", ignore_errors=True)


def linked(out: Path) -> set[Path]:
    """The shared libraries that programs and libraries below `out` are linked with, where this system has them."""
    found = set()
    for path in out.rglob("*"):
        if path.is_file() and not path.is_symlink() and is_elf(path):
            told = subprocess.run(["/usr/bin/ldd", str(path)], capture_output=True, text=True, check=False).stdout
            found |= {Path(name) for name in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, re.MULTILINE)}
    return {path for path in found if out not in path.parents}


def is_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == ELF


def put(path: Path, out: Path) -> None:
    """A file of the system, and the links by which it is called."""
    for step in steps(path):
        target = out / step.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_symlink() and not target.exists():
            shutil.copy2(step, target, follow_symlinks=False)


def steps(path: Path) -> Iterator[Path]:
    """`path` with its folders resolved, and where it is a link what that leads to."""
    path = path.parent.resolve() / path.name
    yield path
    if path.is_symlink():
        yield from steps(path.parent / path.readlink())


def placed(out: Path, path: Path) -> Path:
    target = out / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def name_libraries(out: Path) -> None:
    """For those outside the folders that the loader looks into by itself, such as /usr/local/lib."""
    for path in (Path("/etc/ld.so.conf"), Path("/etc/ld.so.conf.d")):
        if path.is_dir():
            shutil.copytree(path, placed(out, path), dirs_exist_ok=True)
        elif path.exists():
            shutil.copy(path, placed(out, path))
    subprocess.run(["/sbin/ldconfig", "-X", "-r", str(out)], check=True)
    shutil.rmtree(out / "var/cache", ignore_errors=True)


def inside(base: Path, path: Path) -> Path:
    """`path` as one that runs in `base` sees it, as far as folders are links there (lib -> usr/lib)."""
    seen = base
    for part in path.parts[1:]:
        seen = seen / part
        if seen.is_symlink():
            target = seen.readlink()
            seen = base / target.relative_to("/") if target.is_absolute() else seen.parent / target
    return seen


def system_files(base: Path, out: Path) -> None:
    """Folders that a bare image lacks, names of users, certificates; nothing that `base` has."""
    for name in ("lib", "lib64", "bin", "sbin"):
        if Path("/", name).is_symlink() and not os.path.lexists(base / name):
            (out / "usr" / name).mkdir(parents=True, exist_ok=True)
            (out / name).symlink_to(f"usr/{name}")
    for name, mode in (("proc", 0o555), ("sys", 0o555), ("dev", 0o755), ("run", 0o755), ("tmp", 0o1777)):
        if not (base / name).exists():
            (out / name).mkdir(exist_ok=True)
            (out / name).chmod(mode)
    users = f"root:x:0:0:root:/root:/bin/sh\nnodewright:x:{USER}:{USER}::{STATE}:/bin/false\n"
    for name, text in (
        ("passwd", users),
        ("group", f"root:x:0:\nnodewright:x:{USER}:\n"),
        ("nsswitch.conf", "hosts: files dns\n"),
    ):
        if not (base / "etc" / name).exists():
            placed(out, Path("/etc", name)).write_text(text)
    if CERTIFICATES.exists() and not inside(base, CERTIFICATES).exists():
        shutil.copy(CERTIFICATES.resolve(), placed(out, CERTIFICATES))
    # Root without CAP_DAC_OVERRIDE, which the sidecar is, writes here as a member of the group.
    for name, mode in ((STATE, 0o770), (SOCKETS, 0o2770)):
        folder = placed(out, Path(name))
        folder.mkdir()
        os.chown(folder, USER, USER)
        folder.chmod(mode)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
