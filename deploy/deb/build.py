"""Builds the Debian package of this tree: `python deploy/deb/build.py FOLDER [--revision N]`.

What it runs with is installed from requirements.lock (versions and hashes) into /usr/lib/nodewright, a virtual environment of
the distribution's own python3. The same tree and SOURCE_DATE_EPOCH (else the last commit's time) give the same bytes.
"""

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PREFIX = "/usr/lib/nodewright"
SYSTEM_PYTHON = "/usr/bin/python3"
KEPT_COMMANDS = {"python", "nodewright", "py-spy"}
"""Of what lies in the environment's bin; the others' first lines name the folder in which it was built."""
UNITS = ("nodewright.service", "nodewright-sidecar.service", "nodewright-sidecar.socket", "nodewright-past@.service",
         "nodewright-past.socket")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the package goes")
    parser.add_argument("--revision", type=int, default=1, help="of the package, beside the version of the program")
    asked = parser.parse_args()
    if shutil.which("dpkg-deb") is None or not os.access(SYSTEM_PYTHON, os.X_OK):
        print(
            f"nodewright: deb.impossible: this needs dpkg-deb and {SYSTEM_PYTHON} (build it on Debian)", file=sys.stderr
        )
        return 2
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or told("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    os.environ.update(SOURCE_DATE_EPOCH=epoch, PYTHONDONTWRITEBYTECODE="1")
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="nodewright-deb-") as work:
        print(build(Path(work), asked.folder, asked.revision, int(epoch)))
    return 0


def build(work: Path, folder: Path, revision: int, epoch: int) -> Path:
    """The finished package."""
    tree = work / "tree"
    version = f"{program_version()}-{revision}"
    install_environment(work, tree)
    install_units(tree)
    install_documents(tree, version, epoch)
    put(tree / "etc/nodewright/nodewright.toml", (HERE / "nodewright.toml").read_text())
    control(tree, version)
    for path in sorted(tree.rglob("*"), reverse=True):
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / f"nodewright_{version}_{architecture()}.deb"
    done("dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", str(tree), str(package))
    return package


def install_environment(work: Path, tree: Path) -> None:
    """Compiled files are left to the installation, so that the bytes depend on nothing but their sources."""
    place = tree / PREFIX.lstrip("/")
    done(SYSTEM_PYTHON, "-m", "venv", "--without-pip", str(place))
    done(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(work / "wheel"), cwd=ROOT)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(place / "bin/python"), "install",
           "--quiet", "--no-deps", "--no-compile", "--no-input"]  # fmt: skip
    done(*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements.lock"))
    done(*pip, "--no-index", "--find-links", str(work / "wheel"), "nodewright")
    tidy(place)


def tidy(place: Path) -> None:
    """Nothing in it tells where it was built; dpkg knows which files are whose."""
    python = Path(SYSTEM_PYTHON).resolve()
    minor = told(SYSTEM_PYTHON, "-c", "import platform; print(platform.python_version())")
    (place / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {minor}\n")
    for path in (place / "bin").iterdir():
        if path.name not in KEPT_COMMANDS:
            path.unlink()
    (place / "bin/python").unlink()
    (place / "bin/python").symlink_to(os.path.relpath(python, f"{PREFIX}/bin"))
    launcher = place / "bin/nodewright"
    launcher.write_text(re.sub(r"^#!.*", f"#!{PREFIX}/bin/python", launcher.read_text(), count=1))
    for pattern in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
        for path in place.rglob(f"*.dist-info/{pattern}"):
            path.unlink()
    for name in ("include", "lib64", "share"):
        path = place / name
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
    for path in [place, *place.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent == place / "bin" else 0o644)


def install_units(tree: Path) -> None:
    for name in UNITS:
        text = (ROOT / "systemd" / name).read_text()
        put(tree / "lib/systemd/system" / name, text.replace("/opt/nodewright/", f"{PREFIX}/"))
    for kind in ("sysusers.d", "tmpfiles.d"):
        put(tree / "usr/lib" / kind / "nodewright.conf", (ROOT / "systemd" / kind / "nodewright.conf").read_text())
    command = tree / "usr/bin/nodewright"
    command.parent.mkdir(parents=True)
    command.symlink_to("../lib/nodewright/bin/nodewright")


def install_documents(tree: Path, version: str, epoch: int) -> None:
    place = tree / "usr/share/doc/nodewright"
    put(place / "README.md", (ROOT / "README.md").read_text())
    put(place / "copyright", (HERE / "copyright").read_text())
    put(place / "examples/gpu.conf", (ROOT / "systemd/nodewright.service.d/gpu.conf").read_text())
    put(tree / "usr/share/lintian/overrides/nodewright", (HERE / "lintian-overrides").read_text())
    day = datetime.fromtimestamp(epoch, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    entry = f"nodewright ({version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- {maintainer()}  {day}\n"
    for name, text in (("changelog.Debian.gz", entry), ("changelog.gz", (ROOT / "CHANGELOG.md").read_text())):
        (place / name).write_bytes(gzip.compress(text.encode(), mtime=0))
        (place / name).chmod(0o644)


def control(tree: Path, version: str) -> None:
    """Name, dependencies, settings that stay the owner's, and what runs on installing and removing."""
    kib = sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink()) // 1024
    minor = told(SYSTEM_PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    fields = {"VERSION": version, "ARCHITECTURE": architecture(), "SIZE": str(kib), "MAINTAINER": maintainer(), "PYTHON": minor,
              "NEXT": f"3.{int(minor.partition('.')[2]) + 1}"}  # fmt: skip
    put(tree / "DEBIAN/control", re.sub(r"@(\w+)@", lambda m: fields[m[1]], (HERE / "control").read_text()))
    put(tree / "DEBIAN/conffiles", "/etc/nodewright/nodewright.toml\n")
    for name in ("postinst", "prerm", "postrm"):
        put(tree / "DEBIAN" / name, (HERE / name).read_text(), 0o755)
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    outside = [str(path.relative_to(tree)) for path in files if (tree / "DEBIAN") not in path.parents]
    put(tree / "DEBIAN/md5sums", told("md5sum", *outside, cwd=tree) + "\n")


def put(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def program_version() -> str:
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "nodewright.py").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def maintainer() -> str:
    """As Debian's own tools take it."""
    name, address = os.environ.get("DEBFULLNAME", "nodewright"), os.environ.get("DEBEMAIL", "root@localhost")
    return f"{name} <{address}>"


def architecture() -> str:
    return told("dpkg", "--print-architecture")


def told(*argv: str, cwd: Path | None = None) -> str:
    return subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


def done(*argv: str, cwd: Path | None = None) -> None:
    """Silent where it goes well; else what it said, and the end."""
    answer = subprocess.run(argv, cwd=cwd, check=False, capture_output=True, text=True)
    if answer.returncode != 0:
        sys.exit(f"{answer.stdout}{answer.stderr}nodewright: deb.failed: {argv[0]} ended with {answer.returncode}")


if __name__ == "__main__":
    sys.exit(main())
