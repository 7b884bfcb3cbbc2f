"""For which library did a thread run code that every library shares, such as the interpreter's, or the C library's?

With each sample the kernel copies the registers and the top of the thread's stack. From there the walk goes up through the
frames of shared code alone, by the rules that the compiler left in its files: it ends at the first caller outside, or at
CPython's evaluation loop, as then a line of Python itself was at work. No frame pointers and no symbols are needed, and a
place that an earlier call left on the stack is never taken for a caller.
"""

import os
import re
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
_INTERPRETER = re.compile(r".*/(?:libpython[23][\d.]*[a-z]*\.so[\d.]*|python[\d.]*[a-z]*)")
_SHARED_FILE = re.compile(
    r".*/(?:(?:libc|libpthread|libm|librt|libdl|ld-linux-[\w-]+|ld-musl-\w+|libc\.musl-\w+|ld)(?:-[\d.]+)?"
    r"|libstdc\+\+|libc\+\+(?:abi)?|libgcc_s|libunwind|libatomic|libjemalloc|libtcmalloc\w*|libmimalloc\w*)"
    r"(?:-[0-9a-f]{8})?\.so[.\d]*"
)
_ADDRESS_BITS = (1 << 48) - 1
"""aarch64 signs return addresses in the bits above."""
_WORD = Struct("=Q")


class _Code(msgspec.Struct):
    """A piece of a file's code in memory. `loop`: the interpreter's loop in it."""

    mapping: Mapping
    shared: bool
    loop: tuple[int, int] = (0, 0)
    descriptor: int | None = None
    file: ElfFile | None = None
    rules: FrameRules | None = None

    def rule(self, address: int) -> Rule | None:
        """At an instruction in memory."""
        if self.file is None or self.rules is None:
            return None
        place = self.file.address(self.mapping.file_offset(address))
        return None if place is None else self.rules.at(place)


class Callers:
    """The code of one process at the moment of `mappings`. Keeps the files of its shared code open until `close`."""

    def __init__(self, folder: ProcessFolder, mappings: Mappings) -> None:
        self._codes = [_Code(one, _is_shared(one)) for one in mappings if one.is_file]
        self._begins = [code.mapping.begin for code in self._codes]
        self._rules: dict[int, Rule | None] = {}
        for code in self._codes:
            if code.shared:
                _open(folder, code)

    def close(self) -> None:
        for code in self._codes:
            if code.descriptor is not None:
                os.close(code.descriptor)
                code.descriptor = code.file = code.rules = None

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
            if len(self._rules) >= RULES_LIMIT:
                self._rules.clear()
            self._rules[address] = code.rule(address)
        return self._rules[address]


def _word(stack: bytes, at: int) -> int:
    """Raises struct.error where the copy does not hold it."""
    if at < 0:
        raise error
    value: int = _WORD.unpack_from(stack, at)[0]
    return value


def _is_shared(mapping: Mapping) -> bool:
    return bool(_SHARED_FILE.fullmatch(mapping.name) or _INTERPRETER.fullmatch(mapping.name))


def _open(folder: ProcessFolder, code: _Code) -> None:
    """Where its file cannot be read, or says nothing, walks end there."""
    try:
        code.descriptor = open_mapped(folder, code.mapping)
        code.file = ElfFile(code.descriptor)
        code.rules = FrameRules(code.file)
        if _INTERPRETER.fullmatch(code.mapping.name):
            code.loop = _loop(code.file, code.mapping)
    except (OSError, BadElf):
        pass


def _loop(file: ElfFile, mapping: Mapping) -> tuple[int, int]:
    """Where in memory the interpreter's loop is."""
    loop = file.exported(LOOP)
    offset = None if loop is None else file.offset(loop.begin)
    if loop is None or offset is None:
        return 0, 0
    begin = mapping.begin + offset - mapping.offset
    return begin, begin + loop.end - loop.begin
