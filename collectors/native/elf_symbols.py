"""Which function of an ELF file holds which address?

All addresses that are asked for are found in one pass over the symbol table, read in pieces into memory that is used
again: a table of 500,000 symbols costs 60 ms and half a megabyte. The file is read, not mapped: one that is
cut short under a mapping ends the reader. Nothing in it is trusted. Layout: elf(5), 64 bit, least significant byte first.
"""

import os
import time
from collections.abc import Collection, Iterator
from math import inf
from struct import Struct

import msgspec

from collectors.native.symbol_search import SYMBOL, Search, TooMuchWork
from collectors.procfs import safe_text

SEGMENTS_LIMIT = 256
SECTIONS_LIMIT = 8192
SYMBOLS_LIMIT = 4_000_000
NAME_LIMIT_BYTES = 4096
NAMES_LIMIT_BYTES = 2 << 20
EXPORTED_LIMIT = 100_000
"""Of a file whose exported functions are looked through by name: libpython has 2,000."""
_CHUNK_SYMBOLS = 8192

_HEADER = Struct("<16s2HI3QI6H")
_SEGMENT = Struct("<2I6Q")
_SECTION = Struct("<2I4Q2I2Q")
_MAGIC = b"\x7fELF\x02\x01"
_LOADED, _EXECUTABLE = 1, 1
_FRAME_INDEX = 0x6474E550
_SYMTAB, _DYNSYM = 2, 11


class BadElf(Exception):  # noqa: N818 - a state of the file
    """It cannot be read as ELF; the text says why."""


class Symbol(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One function: the addresses `begin` to `end` (not included) and its name as in the table, foreign bytes escaped."""

    begin: int
    end: int
    name: str


class _Section(msgspec.Struct, frozen=True, array_like=True, gc=False):
    kind: int
    address: int
    offset: int
    size: int
    link: int
    entry_bytes: int


class ElfFile:
    """An open ELF file; the descriptor stays the caller's. Raises BadElf if it is none, OSError as pread(2) does."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        head = self._at(0, _HEADER.size)
        if not head.startswith(_MAGIC):
            raise BadElf("not a 64-bit little-endian ELF file")
        (_, _, _, _, _, segments_at, self._sections_at, _, _, segment_bytes, segments, section_bytes, sections, _) = (
            _HEADER.unpack(head)
        )
        self._sections_count = sections
        if section_bytes != _SECTION.size:
            self._sections_at = 0
        if segment_bytes != _SEGMENT.size or not 0 < segments <= SEGMENTS_LIMIT:
            raise BadElf(f"{segments} segments of {segment_bytes} bytes")
        table = self._at(segments_at, segments * _SEGMENT.size)
        pieces = tuple(_SEGMENT.iter_unpack(table))
        self._mapped = tuple(
            (offset, offset + length, address - offset)
            for kind, _, offset, address, _, length, _, _ in pieces
            if kind == _LOADED
        )
        self._loaded = tuple(
            (offset, offset + length, address - offset)
            for kind, flags, offset, address, _, length, _, _ in pieces
            if kind == _LOADED and flags & _EXECUTABLE
        )
        self.frame_index = next(
            ((address, length) for kind, _, _, address, _, length, _, _ in pieces if kind == _FRAME_INDEX), None
        )
        """Virtual address and bytes of `.eh_frame_hdr`, which tells how frames of the stack are left."""

    def address(self, offset: int) -> int | None:
        """The virtual address of the code at `offset` of the file; None if no executable segment holds it."""
        return next((offset + shift for begin, end, shift in self._loaded if begin <= offset < end), None)

    def offset(self, address: int) -> int | None:
        """Where in the file the code of a virtual address is; the inverse of `address`."""
        return next((address - shift for begin, end, shift in self._loaded if begin <= address - shift < end), None)

    def read(self, address: int, size: int) -> bytes:
        """At most `size` bytes of what is loaded at a virtual address. BadElf if nothing is."""
        for begin, end, shift in self._mapped:
            offset = address - shift
            if begin <= offset < end:
                return self._at(offset, min(size, end - offset))
        raise BadElf("an address outside its segments")

    def symbols(self, addresses: Collection[int], until: float = inf) -> dict[int, Symbol]:
        """The function that holds each of the addresses; those that none holds are left out. `.symtab`, else `.dynsym`.

        Raises BadElf where the file has no readable table, or the clock (`time.monotonic`) passes `until`.
        """
        sections = self._sections()
        table, names = _table(sections, (_SYMTAB, _DYNSYM))
        search = Search(addresses, [one.address + one.size for one in sections])
        try:
            for chunk in self._chunks(table):
                search.take(chunk)
                if time.monotonic() > until:
                    raise BadElf("no time was left for its symbols")
        except TooMuchWork:
            raise BadElf("its symbols overlap too often") from None
        named = ((address, found, self._name(names, found.name)) for address, found in search.results())
        return {
            address: Symbol(found.begin, found.end, name)
            for address, found, name in named
            if name and not (found.is_label and name.startswith("$"))  # `$x`, `$d`: marks of aarch64's assemblers
        }

    def exported(self, name: bytes) -> Symbol | None:
        """The function of this name that the file offers to others; None if it offers none. BadElf as `symbols`."""
        table, names = _table(self._sections(), (_DYNSYM,))
        if names.size > NAMES_LIMIT_BYTES or table.size > EXPORTED_LIMIT * SYMBOL.size:
            raise BadElf(f"{names.size} bytes of names")
        place = self._at(names.offset, names.size).find(b"\0" + name + b"\0") + 1
        if place == 0:
            return None
        for chunk in self._chunks(table):
            for at, _, _, section, begin, size in SYMBOL.iter_unpack(chunk):
                if at == place and section and size:
                    return Symbol(begin, begin + size, safe_text(name))
        return None

    def _at(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes. BadElf if the file has fewer."""
        if offset + size <= self._size:
            data = os.pread(self._descriptor, size, offset)
            if len(data) == size:
                return data
        raise BadElf("cut short")

    def _sections(self) -> list[_Section]:
        if self._sections_at == 0:
            return []
        count = self._sections_count
        if count == 0:  # more than fit into the header: the first section says how many
            count = _SECTION.unpack(self._at(self._sections_at, _SECTION.size))[5]
        if count > SECTIONS_LIMIT:
            raise BadElf(f"more than {SECTIONS_LIMIT} sections")
        data = self._at(self._sections_at, count * _SECTION.size)
        return [
            _Section(kind, address, offset, size, link, entry_bytes)
            for _, kind, _, address, offset, size, link, _, _, entry_bytes in _SECTION.iter_unpack(data)
        ]

    def _chunks(self, table: _Section) -> Iterator[memoryview]:
        """The symbols, some thousand at a time, in a buffer that is used again."""
        count = table.size // SYMBOL.size
        if count > SYMBOLS_LIMIT:
            raise BadElf(f"more than {SYMBOLS_LIMIT} symbols")
        if table.offset + table.size > self._size:
            raise BadElf("cut short")
        buffer = bytearray(_CHUNK_SYMBOLS * SYMBOL.size)
        at, left = table.offset, count * SYMBOL.size
        while left:
            view = memoryview(buffer)[: min(left, len(buffer))]
            if os.preadv(self._descriptor, [view], at) != len(view):
                raise BadElf("cut short")
            yield view
            at += len(view)
            left -= len(view)

    def _name(self, names: _Section, at: int) -> str:
        length = min(NAME_LIMIT_BYTES, names.size - at)
        offset = names.offset + at
        if length <= 0 or offset >= self._size:
            return ""
        return safe_text(os.pread(self._descriptor, length, offset).partition(b"\0")[0])


def _table(sections: list[_Section], kinds: tuple[int, ...]) -> tuple[_Section, _Section]:
    """The table of symbols, the first of these kinds that there is, and that of their names."""
    for kind in kinds:
        table = next((one for one in sections if one.kind == kind), None)
        if table is not None:
            if table.entry_bytes != SYMBOL.size or table.link >= len(sections):
                raise BadElf("its symbols have no names or another form")
            return table, sections[table.link]
    raise BadElf("it has no symbols: stripped")
