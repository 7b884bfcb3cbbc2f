"""Lines of a maps file, and the files behind real mappings: present, deleted, replaced, inside another root."""

import mmap
import os
from pathlib import Path

import pytest

from collectors.entities import WorkerKey
from collectors.inside.folder import ProcessFolder
from collectors.native import mapped
from collectors.native.mapped import Mapping, Mappings, open_mapped, parse_mappings, read_mappings
from tests.collectors.native.forked import become_nobody, in_child
from tests.collectors.native.program import HOST, key_of
from tests.hosttree import HostTree

LINES = rb"""5500-5600 r--p 00000000 fe:00 12 /usr/bin/python3
5600-5a00 r-xp 00000100 fe:00 12 /usr/bin/python3
5a00-5b00 rw-p 00000000 00:00 0 [heap]
7000-7100 r-xp 00000000 00:00 0 
7100-7200 rwxp 00000000 00:01 7 /memfd:jit (deleted)
7200-7300 r-xs 00000000 00:01 8 /dev/zero (deleted)
7300-7400 r-xp 00002000 103:05 99                        /srv/my lib.so (deleted)
7400-7500 --xp 00000000 00:00 0 [anon:code]
7ffc-7ffd r-xp 00000000 00:00 0 [vdso]
nonsense
8000-8100 r-x
""".split(b"\n")  # fmt: skip  # noqa: W291


def test_executable_pieces_alone_are_kept_with_what_to_call_them() -> None:
    found = list(parse_mappings(iter(LINES)))
    assert [(one.begin, one.name, one.is_file) for one in found] == [
        (0x5600, "/usr/bin/python3", True),
        (0x7000, "[anonymous]", False),
        (0x7100, "[anonymous]", False),
        (0x7200, "[anonymous]", False),
        (0x7300, "/srv/my lib.so", True),
        (0x7400, "[anonymous]", False),
        (0x7FFC, "[vdso]", False),
    ]
    assert found[4] == Mapping(0x7300, 0x7400, 0x2000, b"103:05", 99, b"/srv/my lib.so (deleted)")


def test_an_address_is_looked_up_in_the_piece_that_holds_it() -> None:
    mappings = Mappings(list(parse_mappings(iter(LINES))))
    piece = mappings.at(0x5900)
    assert piece is not None
    assert piece.file_offset(0x5900) == 0x400
    assert [mappings.at(address) for address in (0, 0x55FF, 0x5A00, 0x7FFD, 1 << 64)] == [None] * 5


def test_a_process_with_very_many_pieces_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "MAPPINGS_LIMIT", 3)
    assert len(list(parse_mappings(iter(LINES)))) == 3


@pytest.fixture(name="folder")
def own_folder() -> object:
    with ProcessFolder(HOST, key_of(os.getpid())) as folder:
        yield folder


def mapping_of(folder: ProcessFolder, path: Path) -> Mapping:
    return next(one for one in read_mappings(folder)._found if one.path.startswith(os.fsencode(path)))


def map_executable(path: Path, content: bytes) -> object:
    """Map a file that holds `content` as code. It stays mapped while what is returned lives."""
    path.write_bytes(content.ljust(mmap.PAGESIZE, b"\0"))
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 8192).rstrip(b"\0")
    finally:
        os.close(descriptor)


def test_a_mapped_file_is_read(folder: ProcessFolder, tmp_path: Path) -> None:
    path = tmp_path / "with space.so"
    held = map_executable(path, b"content")
    assert held
    assert read(open_mapped(folder, mapping_of(folder, path))) == b"content"


def test_a_replaced_file_is_never_taken_for_the_mapped_one(folder: ProcessFolder, tmp_path: Path) -> None:
    path = tmp_path / "old.so"
    held = map_executable(path, b"old")
    assert held
    path.unlink()
    path.write_bytes(b"new")
    mapping = mapping_of(folder, path)
    assert mapping.name == str(path)
    try:
        assert read(open_mapped(folder, mapping)) == b"old"  # by the kernel's own link
    except FileNotFoundError:
        pass  # which takes a capability


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_without_the_capability_a_present_file_is_read_by_its_path_and_a_deleted_one_is_gone() -> None:
    folder_path = Path(f"/tmp/nodewright-mapped-{os.getpid()}")
    folder_path.mkdir(mode=0o755)
    present, deleted = folder_path / "present.so", folder_path / "deleted.so"
    try:
        held = [map_executable(present, b"present"), map_executable(deleted, b"deleted")]
        assert held
        deleted.unlink()

        def look() -> str:
            with ProcessFolder(HOST, key_of(os.getpid())) as folder:
                become_nobody()
                content = read(open_mapped(folder, mapping_of(folder, present)))
                try:
                    open_mapped(folder, mapping_of(folder, deleted))
                except FileNotFoundError:
                    return f"{content!r}, gone"
            return "read"

        assert in_child(look) == "b'present', gone"
    finally:
        present.unlink()
        folder_path.rmdir()


def test_a_file_is_looked_for_inside_the_processs_root(tmp_path: Path) -> None:
    machine = HostTree(tmp_path)
    machine.process(7, started=500)
    machine.file("proc/7/root/opt/lib.so", "inside")
    machine.file("outside.so", "outside")
    (tmp_path / "proc/7/root/opt/link.so").symlink_to("/opt/lib.so")
    (tmp_path / "proc/7/root/opt/escape.so").symlink_to("../../../../../outside.so")
    key = WorkerKey(7, 500)
    with ProcessFolder(machine.host, key) as folder:
        for path in (b"/opt/lib.so", b"/opt/link.so"):
            assert read(open_mapped(folder, Mapping(0, 1, 0, b"fe:00", 5, path))) == b"inside"
        for path in (b"/opt/escape.so", b"/opt/lib.so (deleted)"):
            with pytest.raises(FileNotFoundError):
                open_mapped(folder, Mapping(0, 1, 0, b"fe:00", 5, path))


def test_what_is_no_plain_file_is_not_opened(tmp_path: Path) -> None:
    machine = HostTree(tmp_path)
    machine.process(7, started=500)
    (tmp_path / "proc/7/root").mkdir()
    os.mkfifo(tmp_path / "proc/7/root/pipe.so")
    key = WorkerKey(7, 500)
    with ProcessFolder(machine.host, key) as folder, pytest.raises(OSError, match="Invalid argument"):
        open_mapped(folder, Mapping(0, 1, 0, b"fe:00", 5, b"/pipe.so"))
