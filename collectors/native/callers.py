"""For which library did a thread run code that every library shares, such as the interpreter's, or the C library's?

With each sample the kernel copies the registers and the top of the thread's stack. From there the walk goes up through the
frames of shared code alone, by the rules that the compiler left in its files: it ends at the first caller outside, or at
CPython's evaluation loop, as then a line of Python itself was at work. No frame pointers and no symbols are needed, and a
place that an earlier call left on the stack is never taken for a caller.
"""

import os
import re
import time
from bisect import bisect_right
from struct import Struct, error

import msgspec

from collectors.inside.folder import ProcessFolder
from collectors.native.elf_symbols import BadElf, ElfFile
from collectors.native.frame_rules import FrameRules, Rule
from collectors.native.mapped import Mapping, Mappings, open_mapped

LOOP = b"_PyEval_EvalFrameDefault"
"""The function that runs Python's bytecode; every build of CPython since 3.6 exports it."""
FRAMES_LIMIT = 32
RULES_LIMIT = 20_000
"""Instructions of one profile whose rules are kept."""
FILES_LIMIT = 16
"""Files of shared code that are read; a process has about five. In others every walk ends."""
RULES_SECONDS = 2.0
"""CPU time for the rules of one profile; a busy server takes a hundredth of it."""
_INTERPRETER = re.compile(r".*/(?:libpython[23][\d.]*[a-z]*\.so[\d.]*|python[\d.]*[a-z]*)")
_SHARED_FILE = re.compile(
    r".*/(?:(?:libc|libpthread|libm|librt|libdl|ld-linux-[\w-]+|ld-musl-\w+|libc\.musl-\w+|ld)(?:-[\d.]+)?"
    r"|libstdc\+\+|libc\+\+(?:abi)?|libgcc_s|libunwind|libatomic|libjemalloc|libtcmalloc\w*|libmimalloc\w*)"
    r"(?:-[0-9a-f]{8})?\.so[.\d]*"
)
_ADDRESS_BITS = (1 << 48) - 1
"""aarch64 signs return addresses in the bits above."""
_WORD = Struct("=Q")


class _File(msgspec.Struct):
    """A file of shared code, open. `loop`: the addresses in it of the interpreter's loop."""

    descriptor: int
    elf: ElfFile
    rules: FrameRules
    loop: tuple[int, int]


class _Code(msgspec.Struct):
    """A piece of a file's code in memory; of one that is not shared, or cannot be read, `file` is None."""

    mapping: Mapping
    shared: bool
    file: _File | None = None
    loop: tuple[int, int] = (0, 0)

    def rule(self, address: int) -> Rule | None:
        """At an instruction in memory."""
        if self.file is None:
            return None
        place = self.file.elf.address(self.mapping.file_offset(address))
        return None if place is None else self.file.rules.at(place)


class Callers:
    """The code of one process at the moment of `mappings`. Keeps the files of its shared code open until `close`."""

    def __init__(self, folder: ProcessFolder, mappings: Mappings) -> None:
        self._codes = [_Code(one, _is_shared(one)) for one in mappings if one.is_file]
        self._begins = [code.mapping.begin for code in self._codes]
        self._rules: dict[int, Rule | None] = {}
        self._left_seconds = RULES_SECONDS
        self._files: dict[tuple[bytes, int, bytes], _File | None] = {}
        for code in self._codes:
            if code.shared:
                self._join(folder, code)

    def close(self) -> None:
        for file in self._files.values():
            if file is not None:
                os.close(file.descriptor)
        self._files.clear()
        for code in self._codes:
            code.file = None

    def _join(self, folder: ProcessFolder, code: _Code) -> None:
        """The piece with its file, which is read once."""
        mapping = code.mapping
        identity = mapping.device, mapping.inode, mapping.path
        if identity not in self._files:
            if len(self._files) >= FILES_LIMIT:
                return
            self._files[identity] = _read(folder, mapping)
        code.file = self._files[identity]
        if code.file is not None and code.file.loop[1]:
            offset = code.file.elf.offset(code.file.loop[0])
            if offset is not None:
                begin = mapping.begin + offset - mapping.offset
                code.loop = begin, begin + code.file.loop[1] - code.file.loop[0]

    def caller(self, address: int, registers: tuple[int, ...], stack: bytes) -> int | None:
        """The place of the call in the nearest code that is not shared, of a thread at `address` with these registers
        (`Look.registers`) and this on its stack. None: it is in such code itself, the interpreter's loop called, or nothing
        tells."""
        code = self._code(address)
        if code is None or not code.shared or len(registers) < 2:
            return None
        frame, back, top = registers[0], registers[1] if len(registers) > 2 else None, registers[-1]
        begin, place = top, address
        try:
            for _ in range(FRAMES_LIMIT):
                if code.loop[0] <= place < code.loop[1]:
                    return None
                rule = self._rule(code, place)
                if rule is None:
                    return None
                above = (frame if rule.by_frame else top) + rule.offset
                if rule.back is not None:
                    back = _word(stack, above + rule.back - begin)
                if rule.frame is not None:
                    frame = _word(stack, above + rule.frame - begin)
                if back is None or above < top or (above == top and rule.back is not None):
                    return None  # a walk goes up
                place, top, back = (back & _ADDRESS_BITS) - 1, above, None
                code = self._code(place)
                if code is None or not code.shared:
                    return None if code is None else place
        except error:  # it goes on above what was copied
            pass
        return None

    def _code(self, address: int) -> _Code | None:
        at = bisect_right(self._begins, address) - 1
        return self._codes[at] if at >= 0 and address < self._codes[at].mapping.end else None

    def _rule(self, code: _Code, address: int) -> Rule | None:
        if address not in self._rules:
            if self._left_seconds <= 0:
                return None
            if len(self._rules) >= RULES_LIMIT:
                self._rules.clear()
            began = time.thread_time()
            self._rules[address] = code.rule(address)
            self._left_seconds -= time.thread_time() - began
        return self._rules[address]


def _word(stack: bytes, at: int) -> int:
    """Raises struct.error where the copy does not hold it."""
    if not 0 <= at <= len(stack) - _WORD.size:
        raise error
    value: int = _WORD.unpack_from(stack, at)[0]
    return value


def _is_shared(mapping: Mapping) -> bool:
    return bool(_SHARED_FILE.fullmatch(mapping.name) or _INTERPRETER.fullmatch(mapping.name))


def _read(folder: ProcessFolder, mapping: Mapping) -> _File | None:
    """None where the file cannot be read or says nothing: walks end in it."""
    try:
        descriptor = open_mapped(folder, mapping)
    except OSError:
        return None
    try:
        elf = ElfFile(descriptor)
        loop = elf.exported(LOOP) if _INTERPRETER.fullmatch(mapping.name) else None
        return _File(descriptor, elf, FrameRules(elf), (loop.begin, loop.end) if loop is not None else (0, 0))
    except (OSError, BadElf):
        os.close(descriptor)
        return None
