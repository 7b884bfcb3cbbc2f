"""Builds small ELF files: one executable segment, a table of symbols, and the sections that name them."""

import struct
from typing import NamedTuple

CODE_AT = 0x1000
CODE_SHIFT = 0x400000
"""How far the code's address is from its place in the file."""
CODE_BYTES = 0x40000
FUNCTION, LABEL, INDIRECT, OBJECT = 2, 0, 10, 1
LOCAL, GLOBAL, WEAK = 0, 1, 2


class Entry(NamedTuple):
    """A symbol, `at` from the begin of the code."""

    name: str
    at: int
    size: int
    kind: int = FUNCTION
    binding: int = GLOBAL
    section: int = 1


def address(at: int) -> int:
    """The virtual address of a place in the code."""
    return CODE_AT + CODE_SHIFT + at


def elf(entries: list[Entry], table_kind: int = 2, code_bytes: int = CODE_BYTES) -> bytes:
    """The file: header, segment, code (not written out), symbols, names, sections."""
    names = bytearray(b"\0")
    symbols = bytearray(24)
    for entry in entries:
        info = entry.binding << 4 | entry.kind
        symbols += struct.pack("<I2BH2Q", len(names), info, 0, entry.section, address(entry.at), entry.size)
        names += entry.name.encode() + b"\0"
    segment = struct.pack("<2I6Q", 1, 5, CODE_AT, address(0), address(0), code_bytes, code_bytes, 4096)
    symbols_at = 64 + len(segment)
    names_at = symbols_at + len(symbols)
    sections_at = names_at + len(names)
    sections = bytes(64)
    sections += struct.pack("<2I4Q2I2Q", 0, 1, 6, address(0), CODE_AT, code_bytes, 0, 0, 16, 0)
    sections += struct.pack("<2I4Q2I2Q", 0, table_kind, 0, 0, symbols_at, len(symbols), 3, 1, 8, 24)
    sections += struct.pack("<2I4Q2I2Q", 0, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<16s2HI3QI6H", ident, 3, 62, 1, 0, 64, sections_at, 0, 64, 56, 1, 64, 4, 0)
    return header + segment + bytes(symbols) + bytes(names) + sections
