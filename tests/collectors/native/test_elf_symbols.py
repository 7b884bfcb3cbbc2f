"""Functions by address: what the table means, real libraries against a plain search, and hostile files."""

import os
import random
import struct
import time
from collections.abc import Collection
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy._core import _multiarray_umath

from collectors.native import elf_symbols
from collectors.native.elf_symbols import BadElf, ElfFile, Symbol
from tests.collectors.native.elf_bytes import (
    CODE_AT,
    CODE_BYTES,
    INDIRECT,
    LABEL,
    LOCAL,
    OBJECT,
    WEAK,
    Entry,
    address,
    elf,
)  # fmt: skip

SMALL = Path(msgspec._core.__file__)  # type: ignore[attr-defined]
LARGE = Path(_multiarray_umath.__file__)


def symbols_of(data: bytes, addresses: Collection[int]) -> dict[int, Symbol]:
    descriptor = os.memfd_create("elf")
    try:
        os.write(descriptor, data)
        return ElfFile(descriptor).symbols(addresses)
    finally:
        os.close(descriptor)


def names(entries: list[Entry], *places: int) -> list[str | None]:
    found = symbols_of(elf(entries), [address(at) for at in places])
    return [found[address(at)].name if address(at) in found else None for at in places]


def test_a_function_holds_the_addresses_of_its_size_and_no_more() -> None:
    entries = [Entry("one", 0x100, 0x10), Entry("two", 0x200, 0x20)]
    places = (0xFF, 0x100, 0x10F, 0x110, 0x200, 0x21F, 0x220)
    assert names(entries, *places) == [None, "one", "one", None, "two", "two", None]


def exported(data: bytes, name: bytes) -> tuple[Symbol | None, int | None]:
    descriptor = os.memfd_create("elf")
    try:
        os.write(descriptor, data)
        file = ElfFile(descriptor)
        found = file.exported(name)
        return found, None if found is None else file.offset(found.begin)
    finally:
        os.close(descriptor)


def test_a_function_is_found_by_its_name_among_those_offered_to_others() -> None:
    entries = [Entry("not_the_loop", 0x80, 8), Entry("the_loop", 0x100, 0x10), Entry("elsewhere", 0x200, 8, section=0)]
    offered = elf(entries, table_kind=11)
    assert exported(offered, b"the_loop") == (Symbol(address(0x100), address(0x110), "the_loop"), CODE_AT + 0x100)
    assert exported(offered, b"loop") == (None, None)
    assert exported(offered, b"elsewhere") == (None, None)  # it takes it from another file
    with pytest.raises(BadElf):
        exported(elf(entries, table_kind=2), b"the_loop")


def test_the_order_of_the_table_does_not_matter() -> None:
    entries = [Entry(f"f{at:x}", at, 0x10) for at in range(0, 0x10000, 0x10)]
    places = range(3, 0x10000, 0x130)
    random.Random(4).shuffle(entries)
    assert names(entries, *places) == [f"f{at & ~0xF:x}" for at in places]


def test_one_without_a_size_reaches_to_the_next_or_to_the_end_of_its_section() -> None:
    entries = [Entry("bare", 0x100, 0), Entry("two", 0x200, 0x10)]
    assert names(entries, 0x1FF, 0x210) == ["bare", None]
    entries = [Entry("last", CODE_BYTES - 0x20, 0)]
    assert names(entries, CODE_BYTES - 1, CODE_BYTES) == ["last", None]


def test_one_without_a_size_reaches_64_kib_at_most() -> None:
    assert names([Entry("bare", 0, 0)], 0xFFFF, 0x10000, 0x20000) == ["bare", None, None]


def test_a_function_larger_than_64_kib_is_found_at_its_end() -> None:
    assert names([Entry("large", 0x10, 0x3FF00)], 0x10, 0x20000, 0x3FF0F, 0x3FF10) == ["large"] * 3 + [None]


def test_the_innermost_function_is_named_and_the_outer_one_around_it() -> None:
    entries = [Entry("outer", 0, 0x1000), Entry("inner", 0x100, 0x10), Entry("label", 0x300, 0, LABEL)]
    assert names(entries, 0xFF, 0x105, 0x110, 0x310) == ["outer", "inner", "outer", "outer"]


def test_of_several_names_of_one_place_the_global_one_is_shown() -> None:
    entries = [Entry("local", 0, 16, binding=LOCAL), Entry("global", 0, 16), Entry("weak", 0, 16, binding=WEAK)]
    assert names(entries, 5) == ["global"]
    assert names(entries[::-1], 5) == ["global"]


def test_only_functions_of_this_file_are_meant() -> None:
    entries = [
        Entry("data", 0, 16, OBJECT), Entry("elsewhere", 0x20, 16, section=0), Entry("chosen", 0x40, 16, INDIRECT),
        Entry("label", 0x60, 0, LABEL), Entry("$x", 0x20000, 0, LABEL),
    ]  # fmt: skip
    assert names(entries, 1, 0x21, 0x41, 0x61, 0x20001) == [None, None, "chosen", "label", None]


def test_a_stripped_file_has_the_names_that_it_exports() -> None:
    found = symbols_of(elf([Entry("exported", 0, 16)], table_kind=11), [address(1)])
    assert found == {address(1): Symbol(address(0), address(16), "exported")}


def test_a_file_without_any_table_is_called_stripped() -> None:
    with pytest.raises(BadElf, match="stripped"):
        symbols_of(elf([], table_kind=1), [address(1)])


def test_places_in_the_file_become_addresses_in_executable_segments_alone() -> None:
    descriptor = os.memfd_create("elf")
    try:
        os.write(descriptor, elf([]))
        file = ElfFile(descriptor)
    finally:
        os.close(descriptor)
    assert [file.address(at) for at in (CODE_AT - 1, CODE_AT, CODE_AT + CODE_BYTES)] == [None, address(0), None]


def plainly(data: bytes, addresses: Collection[int]) -> dict[int, tuple[int, int]]:
    """Begin and end of each address's function, by looking at every symbol for every address."""
    sections_at, count = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<H", data, 60)[0]
    sections = [struct.unpack_from("<2I4Q2I2Q", data, sections_at + 64 * at) for at in range(count)]
    _, _, _, _, offset, size, *_ = next((s for s in sections if s[1] == 2), None) or next(
        s for s in sections if s[1] == 11
    )
    functions = [
        (value, value + length)
        for _, info, _, section, value, length in struct.iter_unpack("<I2BH2Q", data[offset : offset + size])
        if section and info & 15 in (2, 10) and length
    ]
    holding = {a: [f for f in functions if f[0] <= a < f[1]] for a in addresses}
    return {a: max(found) for a, found in holding.items() if found}


@pytest.mark.parametrize("library", [SMALL, LARGE], ids=lambda path: path.name.partition(".")[0])
def test_real_libraries_agree_with_a_plain_search(library: Path) -> None:
    data = library.read_bytes()
    with library.open("rb") as file:
        elf_file = ElfFile(file.fileno())
        choice = random.Random(5)
        addresses = {a for _ in range(600) if (a := elf_file.address(choice.randrange(len(data)))) is not None}
        found = elf_file.symbols(addresses)
    expected = plainly(data, addresses)
    assert len(expected) > 20
    assert {a: (s.begin, s.end) for a, s in found.items() if a in expected} == expected
    assert all(symbol.name.isprintable() for symbol in found.values())


def test_a_search_that_takes_too_long_is_given_up() -> None:
    with LARGE.open("rb") as file, pytest.raises(BadElf, match="no time"):
        ElfFile(file.fileno()).symbols([0x1000], until=time.monotonic() - 1)


def try_hostile(data: bytes) -> None:
    try:
        found = symbols_of(data, [address(at) for at in range(0, 0x300, 7)])
    except BadElf:
        return
    assert all(symbol.name.isprintable() for symbol in found.values())


ENTRIES = [Entry(f"f{at}", at, 0x10) for at in range(0, 0x200, 0x10)] + [
    Entry("large", 0, 0x20000),
    Entry("bare", 0x250, 0),
]
WHOLE = elf(ENTRIES)


@settings(deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_a_file_cut_short_anywhere_is_said_so(length: int) -> None:
    try_hostile(WHOLE[:length])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_no_changed_byte_does_harm(changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, value in changes:
        data[at] = value
    try_hostile(bytes(data))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_change_to_the_head_or_the_sections_of_a_real_library_does_harm(drawn: st.DataObject) -> None:
    data = bytearray(SMALL.read_bytes())
    (sections_at,) = struct.unpack_from("<Q", data, 40)
    for _ in range(drawn.draw(st.integers(1, 6))):
        at = drawn.draw(st.one_of(st.integers(0, 600), st.integers(sections_at, len(data) - 1)))
        data[at] ^= 1 << drawn.draw(st.integers(0, 7))
    end = drawn.draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    try_hostile(bytes(data[:end]))


def test_symbols_that_all_hold_everything_are_given_up() -> None:
    entries = [Entry("everywhere", at, 0x30000) for at in range(3000)]
    with pytest.raises(BadElf, match="overlap"):
        symbols_of(elf(entries), [address(at) for at in range(3000, 5000)])


def test_a_table_that_promises_too_much_is_refused() -> None:
    data = bytearray(WHOLE)
    (sections_at,) = struct.unpack_from("<Q", data, 40)
    struct.pack_into("<Q", data, sections_at + 2 * 64 + 32, 24 * (elf_symbols.SYMBOLS_LIMIT + 1))
    with pytest.raises(BadElf, match="more than 4000000 symbols"):
        symbols_of(bytes(data), [address(1)])
    struct.pack_into("<H", data, 60, elf_symbols.SECTIONS_LIMIT + 1)
    with pytest.raises(BadElf, match="more than 8192 sections"):
        symbols_of(bytes(data), [address(1)])


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(60), b"\x7fELF\x02\x02" + bytes(60), b"#!/bin/sh\n" * 9]
)
def test_what_is_no_elf_file_of_ours_is_said_so(data: bytes) -> None:
    with pytest.raises(BadElf):
        symbols_of(data, [1])


def test_control_characters_in_names_are_escaped() -> None:
    assert names([Entry("a\x1b[31mb\n", 0, 16)], 1) == ["a\\x1b[31mb\\x0a"]
