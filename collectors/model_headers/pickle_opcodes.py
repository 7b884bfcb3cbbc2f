"""What does each opcode of a pickle do to the machine that follows it? Protocols 0 to 5."""

from collections.abc import Callable
from struct import Struct
from typing import Final

from collectors.model_headers.pickle_machine import KEPT, Ended, Machine
from collectors.model_headers.pickle_records import Built
from collectors.model_headers.pickle_stack import NO_PICKLE
from collectors.model_headers.source import BadHeader, Cursor

OPCODES_LIMIT: Final = 1 << 17
_U8, _U16, _U32, _U64, _I32 = (Struct(form) for form in ("<B", "<H", "<I", "<Q", "<i"))
_STOP = ord(".")
_STEPS: Final[dict[int, Callable[[Machine], None]]] = {
    ord("("): Machine.mark,
    ord("0"): Machine.pop,
    ord("1"): Machine.pop_mark,
    ord("2"): Machine.again,
    ord("F"): Machine.line_of_nothing,
    ord("I"): Machine.decimal,
    ord("J"): lambda m: m.whole(_I32),
    ord("K"): lambda m: m.whole(_U8),
    ord("L"): Machine.decimal,
    ord("M"): lambda m: m.whole(_U16),
    ord("N"): Machine.nothing,
    ord("P"): Machine.line_of_nothing,
    ord("Q"): Machine.replaced,
    ord("R"): Machine.made,
    ord("S"): Machine.quoted,
    ord("T"): lambda m: m.text(_U32),
    ord("U"): lambda m: m.text(_U8),
    ord("V"): Machine.line,
    ord("X"): lambda m: m.text(_U32),
    ord("a"): Machine.append,
    ord("b"): Machine.build,
    ord("c"): Machine.named,
    ord("d"): Machine.dict_of_mark,
    ord("}"): lambda m: m.push({}),
    ord("e"): Machine.appends,
    ord("g"): Machine.get_line,
    ord("h"): lambda m: m.get_number(_U8),
    ord("i"): Machine.instance,
    ord("j"): lambda m: m.get_number(_U32),
    ord("l"): lambda m: m.push(m.to_mark()[:KEPT]),
    ord("]"): lambda m: m.push([]),
    ord("o"): Machine.made_of_mark,
    ord("p"): Machine.put_line,
    ord("q"): lambda m: m.put_number(_U8),
    ord("r"): lambda m: m.put_number(_U32),
    ord("s"): Machine.set_item,
    ord("t"): lambda m: m.push(tuple(m.to_mark()[:KEPT])),
    ord(")"): lambda m: m.push(()),
    ord("u"): Machine.set_items,
    ord("G"): lambda m: m.nothing(8),
    ord("B"): lambda m: m.jump(_U32),
    ord("C"): lambda m: m.jump(_U8),
    0x80: lambda m: m.over(1),
    0x81: Machine.made,
    0x82: lambda m: m.nothing(1),
    0x83: lambda m: m.nothing(2),
    0x84: lambda m: m.nothing(4),
    0x85: lambda m: m.tuple_of(1),
    0x86: lambda m: m.tuple_of(2),
    0x87: lambda m: m.tuple_of(3),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    0x8A: lambda m: m.long(_U8),
    0x8B: lambda m: m.long(_U32),
    0x8C: lambda m: m.text(_U8),
    0x8D: lambda m: m.text(_U64),
    0x8E: lambda m: m.jump(_U64),
    0x8F: lambda m: m.push(None),
    0x90: Machine.pop_mark,
    0x91: Machine.set_of_mark,
    0x92: Machine.made_with_names,
    0x93: Machine.named_by_stack,
    0x94: Machine.memoize,
    0x95: lambda m: m.over(8),
    0x96: lambda m: m.jump(_U64),
    0x97: Machine.nothing,
    0x98: lambda m: None,
}


def follow(cursor: Cursor) -> Built:
    """What the opcodes at `cursor` build, up to `OPCODES_LIMIT` of them. Raises BadHeader where they are no pickle."""
    machine = Machine(cursor)
    built = machine.built
    try:
        for _ in range(OPCODES_LIMIT):
            code = cursor.byte()
            if code == _STOP:
                built.root = machine.take()
                return built
            step = _STEPS.get(code)
            if step is None:
                raise BadHeader(NO_PICKLE)
            step(machine)
        built.problem = f"it has more than {OPCODES_LIMIT} opcodes"
    except Ended:
        built.problem = "it was not read to its end: an array of objects, or too many texts"
    built.root = machine.outermost
    return built
