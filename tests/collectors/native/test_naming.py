"""Addresses of the tests' own process: which function of which library they are in."""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.inside.folder import ProcessFolder
from collectors.native import naming
from collectors.native.mapped import Mapping, Mappings, read_mappings
from collectors.native.naming import Naming
from collectors.native.symbol_cache import SymbolCache
from collectors.profiles.profile import Frame
from tests.collectors.native.elf_bytes import CODE_AT, Entry, elf
from tests.collectors.native.program import HOST, key_of

LIBC = ctypes.CDLL(None)


def place(function: object) -> int:
    found = ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type]
    assert found
    return found


@pytest.fixture(name="folder")
def own_folder() -> Iterator[ProcessFolder]:
    with ProcessFolder(HOST, key_of(os.getpid())) as folder:
        yield folder


def test_exported_functions_are_named(folder: ProcessFolder) -> None:
    repr_at, qsort_at = place(ctypes.pythonapi.PyObject_Repr) + 1, place(LIBC.qsort)
    named = Naming(folder, [read_mappings(folder)], SymbolCache())
    frames = named.frames({repr_at: 1, qsort_at: 5})
    assert (frames[repr_at].name, frames[repr_at].native) == ("PyObject_Repr", True)
    assert frames[qsort_at].name in ("qsort", "__libc_qsort")
    assert "libc" in frames[qsort_at].file
    assert named.notes == []


def test_what_was_found_before_is_not_looked_up_again(folder: ProcessFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, moments, at = SymbolCache(), [read_mappings(folder)], place(LIBC.qsort)
    first = Naming(folder, moments, cache).frames({at: 1})
    monkeypatch.setattr(naming, "SECONDS", -1.0)  # no time for any table
    assert Naming(folder, moments, cache).frames({at: 1}) == first
    late = Naming(folder, moments, SymbolCache())
    assert late.frames({at: 1})[at] == Frame("", first[at].file, None, True)
    assert late.notes == [f"{first[at].file}: no time was left for its symbols"]


def test_known_functions_keep_their_names_where_time_is_short(
    folder: ProcessFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, moments = SymbolCache(), [read_mappings(folder)]
    known, other = place(LIBC.qsort), place(LIBC.strtol)
    first = Naming(folder, moments, cache).frames({known: 1})
    monkeypatch.setattr(naming, "SECONDS", -1.0)
    assert Naming(folder, moments, cache).frames({known: 1, other: 1})[known] == first[known]


def test_memory_that_is_no_longer_mapped_is_unknown_and_an_older_moment_helps(folder: ProcessFolder) -> None:
    at, now = place(LIBC.qsort), Mappings([])
    assert Naming(folder, [now], SymbolCache()).frames({at: 1}) == {at: Frame("", "[unknown]", None, True)}
    assert Naming(folder, [now, read_mappings(folder)], SymbolCache()).frames({at: 1})[at].name != ""


def frames_of(folder: ProcessFolder, path: Path) -> tuple[dict[int, Frame], list[str]]:
    mapping = Mapping(0x7000, 0x9000, CODE_AT, b"fe:00", 5, os.fsencode(path))
    named = Naming(folder, [Mappings([mapping])], SymbolCache())
    return named.frames({0x7001: 1, 0x8001: 1}), named.notes


def test_a_name_is_readable_and_an_address_beyond_every_function_has_none(
    folder: ProcessFolder, tmp_path: Path
) -> None:
    path = tmp_path / "lib.so"
    path.write_bytes(elf([Entry("_ZN2at6native3addEv", 0, 0x100)]))
    frames, notes = frames_of(folder, path)
    assert frames == {
        0x7001: Frame("at::native::add", str(path), None, True),
        0x8001: Frame("", str(path), None, True),
    }
    assert notes == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no library", "cut short"),
        (bytes(100), "not a 64-bit little-endian ELF file"),
        (elf([], table_kind=1), "it has no symbols: stripped"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_tells_nothing_keeps_its_path_and_says_why(
    folder: ProcessFolder, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "lib.so"
    if content is not None:
        path.write_bytes(content)
    frames, notes = frames_of(folder, path)
    assert set(frames.values()) == {Frame("", str(path), None, True)}
    assert notes == [f"{path}: {reason}"]
