"""How is a pickle followed without unpickling it? No name is looked up, nothing is called.

The opcodes move records of ours about: a class is its two names, an object its class, arguments and state. joblib
writes the data of an array raw behind the object that describes it; it is jumped over by that description.
"""

import re
from struct import Struct
from typing import Final

from collectors.model_headers.pickle_records import Built, Class, Made
from collectors.model_headers.pickle_stack import NO_PICKLE, Stack
from collectors.model_headers.source import BadHeader, Cursor, elements

KEPT: Final = 64
"""Items of a container that are kept; the others are not looked at."""
_TEXT_LIMIT_BYTES: Final = 256
_TEXTS_LIMIT_BYTES: Final = 2 << 20
"""All texts that are kept, together."""
_ITEM_SIZE = re.compile(r"[<>=|]?([a-zA-Z])(\d{1,6})")
_ARRAY = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_DTYPE = ("numpy", "dtype")
_MAKERS: Final = frozenset((("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor")))


class Ended(Exception):  # noqa: N818 - an expected end
    """What follows is not told."""


class Machine(Stack):
    """One method for each kind of opcode. All raise BadHeader where the bytes are no pickle."""

    def __init__(self, cursor: Cursor) -> None:
        super().__init__()
        self.built = Built()
        self._cursor = cursor
        self._texts_left = _TEXTS_LIMIT_BYTES

    def _number(self, form: Struct) -> int:
        return self._cursor.number(form)

    def _line(self) -> str:
        return self._text(self._cursor.line(_TEXT_LIMIT_BYTES))

    def _text(self, raw: bytes) -> str:
        self._texts_left -= len(raw)
        if self._texts_left < 0:
            raise Ended
        return raw.decode("utf-8", "replace")

    def text(self, form: Struct) -> None:
        length = self._number(form)
        if length > _TEXT_LIMIT_BYTES:
            self._cursor.skip(length)
            self.push(None)
        else:
            self.push(self._text(self._cursor.take(length)))

    def jump(self, form: Struct) -> None:
        """Bytes that say nothing here."""
        self._cursor.skip(self._number(form))
        self.push(None)

    def nothing(self, count: int = 0) -> None:
        """A value that says nothing here, `count` bytes long."""
        self._cursor.skip(count)
        self.push(None)

    def whole(self, form: Struct) -> None:
        self.push(self._number(form))

    def long(self, form: Struct) -> None:
        length = self._number(form)
        if length > 8:
            self._cursor.skip(length)
            self.push(None)
        else:
            self.push(int.from_bytes(self._cursor.take(length), "little", signed=True))

    def decimal(self) -> None:
        line = self._line().removesuffix("L")
        plain = line.isascii() and line.isdigit() and len(line) < 20
        self.push({"00": False, "01": True}.get(line, int(line) if plain else None))

    def quoted(self) -> None:
        self.push(self._line().strip("'\""))

    def line(self) -> None:
        self.push(self._line())

    def line_of_nothing(self) -> None:
        self._line()
        self.push(None)

    def tuple_of(self, count: int) -> None:
        items = [self.take() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def append(self) -> None:
        self._extend([self.take()])

    def _extend(self, items: list[object]) -> None:
        top = self.top()
        if isinstance(top, list):
            top.extend(items[: KEPT - len(top)] if len(top) < KEPT else ())

    def appends(self) -> None:
        self._extend(self.to_mark())

    def set_items(self) -> None:
        self._set(self.to_mark())

    def _set(self, items: list[object]) -> None:
        top = self.top()
        if isinstance(top, dict):
            for key, value in zip(items[::2], items[1::2], strict=False):
                if isinstance(key, str) and (len(top) < KEPT or key in top):
                    top[key] = value

    def set_item(self) -> None:
        value, key = self.take(), self.take()
        self._set([key, value])

    def dict_of_mark(self) -> None:
        items = self.to_mark()
        self.push({})
        self._set(items)

    def named(self) -> None:
        self._class(self._line(), self._line())

    def named_by_stack(self) -> None:
        name, module = self.take(), self.take()
        self._class(module, name)

    def _class(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise BadHeader(NO_PICKLE)
        named = Class(module, name)
        if len(self.built.classes) < KEPT:
            self.built.classes.append(named)
        self.push(named)

    def made(self) -> None:
        """REDUCE, NEWOBJ: what is called, and its arguments."""
        args, of = self.take(), self.take()
        if isinstance(of, Class) and (of.module, of.name) in _MAKERS and isinstance(args, tuple) and args:
            of, args = args[0], ()
        self.push(Made(of, args))

    def made_with_names(self) -> None:
        self.take()
        self.made()

    def made_of_mark(self) -> None:
        items = self.to_mark()
        self.push(Made(items[0] if items else None, tuple(items[1:])))

    def instance(self) -> None:
        self.named()
        of = self.take()
        self.push(Made(of, tuple(self.to_mark())))

    def build(self) -> None:
        state, top = self.take(), self.top()
        if not isinstance(top, Made):
            return
        if isinstance(state, tuple) and len(state) == 2 and isinstance(state[0], dict):
            state = state[0]
        top.state = state if isinstance(state, dict) else {}
        if top.is_a(_ARRAY):
            self.built.has_raw_arrays = True
            self._jump_over_array(top)

    def _jump_over_array(self, array: Made) -> None:
        """The raw data that joblib writes behind the wrapper of an array."""
        dtype, shape = array.state.get("dtype"), array.state.get("shape")
        args = dtype.args if isinstance(dtype, Made) and dtype.is_a(_DTYPE) else None
        code = args[0] if isinstance(args, tuple) and args else None
        size = _ITEM_SIZE.fullmatch(code) if isinstance(code, str) else None
        if size is None or size[1] == "O" or not isinstance(shape, tuple):
            raise Ended
        counts = [one for one in shape if type(one) is int]
        if len(counts) != len(shape):
            raise Ended
        if array.state.get("numpy_array_alignment_bytes") is not None:
            self._cursor.skip(self._cursor.byte())
        self._cursor.skip(elements(counts) * int(size[2]) * (4 if size[1] == "U" else 1))

    def replaced(self) -> None:
        """BINPERSID: what stands for an object elsewhere."""
        self.take()
        self.push(None)

    def set_of_mark(self) -> None:
        self.to_mark()
        self.push(None)

    def over(self, count: int) -> None:
        self._cursor.skip(count)

    def put_number(self, form: Struct) -> None:
        self.remember(self._number(form))

    def put_line(self) -> None:
        self.remember(self._index())

    def get_number(self, form: Struct) -> None:
        self.recall(self._number(form))

    def get_line(self) -> None:
        self.recall(self._index())

    def _index(self) -> int:
        line = self._line()
        if not (line.isascii() and line.isdigit() and len(line) < 20):
            raise BadHeader(NO_PICKLE)
        return int(line)
