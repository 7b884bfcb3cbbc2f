"""The image, built from the Dockerfile by the command of docs/install.md: what it holds, how large it is, and whether the same
tree gives the same bytes, on nothing and on a base of one's own."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodewright import __version__
from tests.machine import debian
from tests.machine.commands import commands
from tests.machine.podman import EPOCH, Podman, lacking, podman

ROOT = Path(__file__).parents[2]
MOST_BYTES = 150_000_000

pytestmark = [pytest.mark.root, pytest.mark.heavy, pytest.mark.skipif(bool(lacking), reason=lacking)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with podman(tmp_path_factory.mktemp("image") / "podman") as one:
        one.sh(commands(ROOT / "docs/install.md", "Container")[0], cwd=ROOT)
        yield one


def build(engine: Podman, source: Path, name: str, *options: str) -> None:
    base = ["build", "--no-cache", "--format", "docker", "--isolation", "chroot", "--timestamp", EPOCH]
    engine.run(*base, *options, "--tag", name, str(source))


def layers(engine: Podman, image: str) -> list[str]:
    return engine.inspect(image, "{{range .RootFS.Layers}}{{.}} {{end}}", "image").split()


def tree(engine: Podman, image: str) -> Path:
    return Path(engine.run("image", "mount", image).strip())


def size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def test_all_of_it_is_smaller_than_the_limit(engine: Podman) -> None:
    """On nothing, so that there is no base to be left out of the count."""
    folder = tree(engine, "nodewright")
    image, files = int(engine.inspect("nodewright", "{{.Size}}", "image")), size_of(folder)
    print(f"image: {image / 1e6:.1f} MB as podman counts it, {files / 1e6:.1f} MB of files, all layers, uncompressed")
    for part in ("opt/nodewright/lib", "opt/nodewright/bin", "usr/lib", "usr/bin"):
        print(f"  /{part}: {size_of(folder / part) / 1e6:.1f} MB")
    assert max(image, files) <= MOST_BYTES


def test_the_same_tree_gives_the_same_layers(engine: Podman, tmp_path: Path) -> None:
    """Copied elsewhere, so that its files have other times and lie in another order."""
    build(engine, ROOT, "first")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True, check=True).stdout  # fmt: skip
    for name in sorted(listed.split("\0"), reverse=True):
        if name and (ROOT / name).is_file() and not name.startswith("tests/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tmp_path / name)
            (tmp_path / name).chmod((ROOT / name).stat().st_mode)
    build(engine, tmp_path, "second")
    assert layers(engine, "first") == layers(engine, "second")


def test_it_starts_as_a_user_without_rights_and_there_is_nothing_to_gain_them_with(engine: Podman) -> None:
    config = json.loads(engine.inspect("nodewright", "{{json .Config}}", "image"))
    assert config["User"] == "65532:65532"
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    health = json.loads(engine.inspect("nodewright", "{{json .HealthCheck}}", "image"))
    assert health["Test"] == ["CMD", "/opt/nodewright/bin/healthy"]
    folder = tree(engine, "nodewright")
    assert not any((folder / name).exists() for name in ("bin/sh", "usr/bin/apt", "usr/bin/dpkg"))
    modes = {str(path.relative_to(folder)): path.lstat().st_mode for path in folder.rglob("*") if not path.is_symlink()}
    assert [name for name, mode in modes.items() if mode & 0o4000] == []
    assert [name for name, mode in modes.items() if mode & 0o002] == ["tmp"]
    own = [name for name in modes if (folder / name).lstat().st_uid != 0]
    assert sorted(own) == ["run/nodewright", "var/lib/nodewright"]


def test_every_command_works_in_it(engine: Podman) -> None:
    """Without a network, on a root that cannot be written to."""
    options = ["--rm", "--network", "none", "--cap-drop", "ALL", "--read-only", "--tmpfs", "/tmp"]
    assert engine.run("run", *options, "nodewright", "--version").split() == ["nodewright", __version__]
    assert "Ready: advice has what it needs" in engine.run("run", *options, "nodewright", "doctor")
    assert "ok           py-spy" in engine.run("run", *options, "nodewright", "doctor")
    assert "no model server was found" in engine.run("run", *options, "nodewright", "advise", "--seconds", "2")
    assert "nodewright top" in engine.run("run", *options, "nodewright", "top", "--help")


def test_scanners_find_its_packages_and_readers_their_licences(engine: Podman) -> None:
    folder = tree(engine, "nodewright")
    known = {path.name for path in (folder / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "libssl3", "libsqlite3-0", "libpython3.11-stdlib"} <= known
    assert all((folder / "usr/share/doc" / name / "copyright").stat().st_size > 0 for name in known)
    assert "Apache License" in (folder / "usr/share/doc/nodewright/LICENSE").read_text()
    assert list((folder / "opt/nodewright/lib/python3.11/site-packages").glob("pip*")) == []


def test_on_a_base_of_ones_own_nothing_of_that_is_replaced(engine: Podman) -> None:
    """A whole Debian with its python3: only the environment and what that lacks is added."""
    engine.import_tree("own", (debian.bare_debian(), "/"))
    build(engine, ROOT, "on-own", "--build-arg", "BASE=localhost/own")
    assert "Ready: advice has what it needs" in engine.run("run", "--rm", "--network", "none", "on-own", "doctor")
    below, whole = (int(engine.inspect(name, "{{.Size}}", "image")) for name in ("own", "on-own"))
    print(f"on a Debian with python3 ({below / 1e6:.1f} MB): {(whole - below) / 1e6:.1f} MB in layers above it")
    base, folder = tree(engine, "own"), tree(engine, "on-own")
    for name in ("etc/passwd", "usr/bin/python3.11", "usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/python3.11/os.py"):
        assert (folder / name).read_bytes() == (base / name).read_bytes()
        assert (folder / name).stat().st_mtime == (base / name).stat().st_mtime
