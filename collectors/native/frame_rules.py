"""How is a function of an ELF file left: where, at each of its instructions, are the caller's place and registers?

Compilers write it into `.eh_frame`, also of stripped files, and sort it by address in `.eh_frame_hdr`. Only what a walk up
the stack needs is read: the canonical frame address (the stack pointer before the call), the saved frame pointer, and the
return address. Nothing in the file is trusted. Sources: Linux Standard Base, Exception Frames; DWARF 5, 6.4; the registers'
numbers in the System V ABI of each machine.
"""

import platform
from array import array
from bisect import bisect_right
from struct import Struct, error

import msgspec

from collectors.native.elf_symbols import BadElf, ElfFile

INDEX_LIMIT_BYTES = 1 << 20
"""libpython has 70 kB, a C library 40 kB."""
ENTRY_LIMIT_BYTES = 4 << 10
_INSTRUCTIONS_LIMIT = 1024
_REMEMBERED_LIMIT = 16
_COMMONS_LIMIT = 64
_LONGEST_SHIFT = 63
_HEAD = Struct("<4BiI")  # version, three encodings, place of .eh_frame, number of functions
_ENCODINGS = (0x1B, 0x03, 0x3B)
"""What every linker writes: relative to the place, plain, relative to the index; all of four bytes."""
_ENTRY = Struct("<II")  # bytes that follow, distance to what functions have in common
_RANGE = Struct("<iI")  # begin relative to its own place, bytes
_RELATIVE = 0x1B
_POINTER_BYTES = {0x0: 8, 0x2: 2, 0x3: 4, 0x4: 8, 0xA: 2, 0xB: 4, 0xC: 8}
_LONG = 0xFFFFFFFF


class Machine(msgspec.Struct, frozen=True):
    """DWARF's numbers of the registers."""

    frame: int
    stack: int
    back: int


MACHINES = {"x86_64": Machine(6, 7, 16), "aarch64": Machine(29, 31, 30)}


class Rule(msgspec.Struct, frozen=True, gc=False):
    """Of one instruction: the canonical frame address is `offset` above the frame pointer (`by_frame`), or else the stack
    pointer. From there, where the caller's frame pointer and the return address were saved; None = still in a register."""

    by_frame: bool
    offset: int
    frame: int | None
    back: int | None


class FrameRules:
    """The rules of one file. Raises BadElf where it has none that can be read, OSError as pread(2) does."""

    def __init__(self, file: ElfFile, machine: Machine | None = None) -> None:
        known = machine or MACHINES.get(platform.machine())
        if file.frame_index is None or known is None:
            raise BadElf("it does not say how its functions are left")
        self._file = file
        self._machine = known
        self._at, size = file.frame_index
        if size > INDEX_LIMIT_BYTES:
            raise BadElf(f"an index of {size} bytes")
        index = file.read(self._at, size)
        if len(index) < _HEAD.size:
            raise BadElf("cut short")
        version, *encodings, _, count = _HEAD.unpack_from(index)
        if version != 1 or tuple(encodings) != _ENCODINGS:
            raise BadElf("an index of frames of another form")
        pairs = array("i", index[_HEAD.size : _HEAD.size + min(count, (len(index) - _HEAD.size) // 8) * 8])
        self._begins, self._entries = pairs[::2], pairs[1::2]
        self._commons: dict[int, _Common] = {}

    def at(self, address: int) -> Rule | None:
        """At the instruction at the virtual address; None where nothing is said of it, or more than a `Rule` holds."""
        place = bisect_right(self._begins, address - self._at) - 1
        if place < 0:
            return None
        try:
            return self._of_function(self._at + self._entries[place], address)
        except (BadElf, IndexError, ValueError, OverflowError, OSError, error):
            return None

    def _of_function(self, at: int, address: int) -> Rule | None:
        data, distance = self._entry(at)
        place = at + 4
        common = self._common(place - distance)
        begin, length = _RANGE.unpack_from(data)
        begin += place + 4
        if not begin <= address < begin + length:
            return None
        reader = _Reader(data, _RANGE.size)
        reader.skip(reader.unsigned())
        state = _State(self._machine, common)
        if state.run(common.instructions(), None) and state.run(reader, address - begin):
            return state.rule()
        return None

    def _common(self, at: int) -> "_Common":
        if at not in self._commons:
            if len(self._commons) >= _COMMONS_LIMIT:
                self._commons.clear()
            self._commons[at] = _Common(self._entry(at)[0], self._machine)
        return self._commons[at]

    def _entry(self, at: int) -> tuple[bytes, int]:
        """What follows the two numbers at its begin, and the second of them."""
        length, distance = _ENTRY.unpack(self._file.read(at, _ENTRY.size))
        if length == _LONG or not 4 <= length <= ENTRY_LIMIT_BYTES:
            raise BadElf("a frame of another form")
        return self._file.read(at + _ENTRY.size, length - 4), distance


class _Reader:
    """Numbers of an entry in turn. IndexError at its end, and where one is longer than any machine's."""

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    @property
    def more(self) -> bool:
        return self.at < len(self._data)

    def byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def skip(self, count: int) -> None:
        self.at += count

    def whole(self, size: int) -> int:
        self.at += size
        if self.at > len(self._data):
            raise IndexError
        return int.from_bytes(self._data[self.at - size : self.at], "little")

    def unsigned(self) -> int:
        return self._sevens()[0]

    def signed(self) -> int:
        value, bits = self._sevens()
        return value - (1 << bits) if value >> bits - 1 else value

    def _sevens(self) -> tuple[int, int]:
        """A number of seven bits a byte, and how many bits it has."""
        value = bits = 0
        while bits <= _LONGEST_SHIFT:
            byte = self.byte()
            value |= (byte & 0x7F) << bits
            bits += 7
            if not byte & 0x80:
                return value, bits
        raise IndexError

    def text(self) -> bytes:
        end = self._data.index(b"\0", self.at)
        found = self._data[self.at : end]
        self.at = end + 1
        return found


class _Common:
    """What the functions of one compiler's run have in common."""

    def __init__(self, data: bytes, machine: Machine) -> None:
        reader = _Reader(data)
        version = reader.byte()
        augmentation = reader.text()
        self.code_step = reader.unsigned()
        self.data_step = reader.signed()
        back = reader.byte() if version == 1 else reader.unsigned()
        if version not in (1, 3) or back != machine.back:
            raise BadElf("frames of another form")
        if not augmentation.startswith(b"z"):
            raise BadElf("frames of another form")
        size = reader.unsigned()
        self._instructions_at = reader.at + size
        if self._encoding(reader, augmentation[1:]) != _RELATIVE:
            raise BadElf("places of functions of another form")
        self._data = data

    def instructions(self) -> _Reader:
        """Those with which each function begins."""
        return _Reader(self._data, self._instructions_at)

    @staticmethod
    def _encoding(reader: _Reader, augmentation: bytes) -> int:
        found = 0
        for letter in augmentation:
            match chr(letter):
                case "R":
                    found = reader.byte()
                case "P":
                    size = _POINTER_BYTES.get(reader.byte() & 0xF)
                    if size is None:
                        raise BadElf("frames of another form")
                    reader.skip(size)
                case "L":
                    reader.byte()
                case "S" | "B" | "G":
                    pass
                case _:
                    raise BadElf("frames of another form")
        return found


class _State:
    """The rules while the instructions of an entry are run."""

    def __init__(self, machine: Machine, common: _Common) -> None:
        self._machine = machine
        self._common = common
        self._register: int | None = None
        self._offset = 0
        self._saved: dict[int, int | None] = {}
        """By register: where it was saved; None = nowhere that is known."""
        self._initial: dict[int, int | None] = {}
        self._remembered: list[tuple[int | None, int, dict[int, int | None]]] = []

    def rule(self) -> Rule | None:
        machine = self._machine
        if self._register not in (machine.frame, machine.stack):
            return None
        saved = self._saved
        if any(register in saved and saved[register] is None for register in (machine.frame, machine.back)):
            return None
        return Rule(self._register == machine.frame, self._offset, saved.get(machine.frame), saved.get(machine.back))

    def run(self, reader: _Reader, until: int | None) -> bool:
        """Up to the instruction `until` bytes from the begin; None: all, which then is how each function begins. False: one
        is not understood."""
        left, at = _INSTRUCTIONS_LIMIT, 0
        while reader.more:
            left -= 1
            code = reader.byte()
            step = self._advance(code, reader)
            if step is not None:
                at += step * self._common.code_step
                if until is not None and at > until:
                    break
            elif left < 0 or not self._one(code, reader):
                return False
        if until is None:
            self._initial = dict(self._saved)
        return True

    @staticmethod
    def _advance(code: int, reader: _Reader) -> int | None:
        if code >> 6 == 1:
            return code & 0x3F
        return reader.whole(1 << code - 2) if code in (2, 3, 4) else None

    def _one(self, code: int, reader: _Reader) -> bool:
        step = self._common.data_step
        high, low = code >> 6, code & 0x3F
        if high == 2:
            self._save(low, reader.unsigned() * step)
        elif high == 3:
            self._restore(low)
        else:
            match code:
                case 0x00 | 0x2D:  # nothing; aarch64: the return address is signed from here on, or no longer
                    pass
                case 0x05:
                    register = reader.unsigned()
                    self._save(register, reader.unsigned() * step)
                case 0x06:
                    self._restore(reader.unsigned())
                case 0x07:
                    self._save(reader.unsigned(), None)
                case 0x08:
                    self._saved.pop(reader.unsigned(), None)
                case 0x09:
                    self._save(reader.unsigned(), None)
                    reader.unsigned()
                case 0x0A:
                    if len(self._remembered) >= _REMEMBERED_LIMIT:
                        return False
                    self._remembered.append((self._register, self._offset, dict(self._saved)))
                case 0x0B:
                    if not self._remembered:
                        return False
                    self._register, self._offset, self._saved = self._remembered.pop()
                case 0x0C:
                    self._register, self._offset = reader.unsigned(), reader.unsigned()
                case 0x0D:
                    self._register = reader.unsigned()
                case 0x0E:
                    self._offset = reader.unsigned()
                case 0x0F:
                    self._register = None
                    reader.skip(reader.unsigned())
                case 0x10 | 0x16:
                    self._save(reader.unsigned(), None)
                    reader.skip(reader.unsigned())
                case 0x11:
                    register = reader.unsigned()
                    self._save(register, reader.signed() * step)
                case 0x12:
                    self._register, self._offset = reader.unsigned(), reader.signed() * step
                case 0x13:
                    self._offset = reader.signed() * step
                case 0x14 | 0x15:
                    self._save(reader.unsigned(), None)
                    reader.unsigned()
                case 0x2E:
                    reader.unsigned()
                case _:
                    return False
        return True

    def _save(self, register: int, place: int | None) -> None:
        """Only what a rule tells is kept."""
        if register in (self._machine.frame, self._machine.back):
            self._saved[register] = place

    def _restore(self, register: int) -> None:
        if register in self._initial:
            self._saved[register] = self._initial[register]
        else:
            self._saved.pop(register, None)
