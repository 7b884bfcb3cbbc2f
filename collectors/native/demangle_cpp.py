"""What is a C++ function called whose symbol follows the Itanium ABI (section 5.1, mangling)?

Types and template arguments are passed by without being kept, so that no table of substitutions is needed: a function's
own name comes before the first of them.
"""

from collectors.native.mangled import BadName, Walk

_DIGITS = "0123456789"
_SEQUENCE = _DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_STANDARD = {
    "t": "std", "a": "std::allocator", "b": "std::basic_string", "s": "std::string", "i": "std::istream",
    "o": "std::ostream", "d": "std::iostream",
}  # fmt: skip
_OPERATORS = {
    "nw": "new", "na": "new[]", "dl": "delete", "da": "delete[]", "ps": "+", "ng": "-", "ad": "&", "de": "*", "co": "~",
    "pl": "+", "mi": "-", "ml": "*", "dv": "/", "rm": "%", "an": "&", "or": "|", "eo": "^", "aS": "=", "pL": "+=",
    "mI": "-=", "mL": "*=", "dV": "/=", "rM": "%=", "aN": "&=", "oR": "|=", "eO": "^=", "ls": "<<", "rs": ">>",
    "lS": "<<=", "rS": ">>=", "eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "ss": "<=>", "nt": "!",
    "aa": "&&", "oo": "||", "pp": "++", "mm": "--", "cm": ",", "pm": "->*", "pt": "->", "cl": "()", "ix": "[]",
}  # fmt: skip
_UNARY = ("ps", "ng", "ad", "de", "co", "nt", "sz", "az", "nx", "pp_", "mm_", "sp", "te")
_BINARY = (
    "pl", "mi", "ml", "dv", "rm", "an", "or", "eo", "ls", "rs", "eq", "ne", "lt", "gt", "le", "ge", "ss", "aa", "oo", "cm",
    "ix",
)  # fmt: skip
_BUILT_IN = "vwbcahstijlmxynofdegz"
_SPECIAL = {"TV": "vtable", "TT": "VTT", "TI": "typeinfo", "TS": "typeinfo name"}


def cpp_name(symbol: str) -> str:
    """The nested name of `symbol`, which begins with `_Z`. Raises BadName."""
    walk = _Cpp(symbol, 2)
    try:
        return walk.encoding(whole=True) or symbol
    except BadName:
        if walk.known:  # what comes after is in a form that we do not know
            return "::".join((*walk.known, "…"))
        raise


class _Cpp(Walk):
    def __init__(self, text: str, at: int) -> None:
        super().__init__(text, at)
        self.known: tuple[str, ...] = ()
        """The outermost nested name as far as it is read."""
        self._outermost = True

    def encoding(self, *, whole: bool = False) -> str:
        """A function's name; the types of its parameters are passed by, unless it is the whole."""
        with self.deeper():
            if special := self.take(*_SPECIAL):
                self._type()
                return _SPECIAL[special]
            if self.take("Th", "Tv"):
                self._offset()
            elif self.take("Tc"):
                self._offset()
                self._offset()
            name = self._name()
            if not whole:
                while self.next not in ("", "E", "."):
                    self._type()
            return name

    def _offset(self) -> None:
        """Of a thunk: one or two numbers."""
        for _ in range(2):
            self.take("h", "v")
            self.take("n")
            if not self.run(_DIGITS):
                return
            self.need("_")

    def _name(self) -> str:
        with self.deeper():
            if self.take("N"):
                return self._nested()
            if self.take("Z"):
                return self._local()
            name = self._standard() if self.next == "S" else ""
            if name in ("", "std"):
                own = self._unqualified(name)
                name = f"{name}::{own}" if name else own
            if self._outermost:
                self.known, self._outermost = (name,), False
            while self.next in ("I", "B"):
                self._arguments_or_tag()
            return name

    def _nested(self) -> str:
        outermost, self._outermost = self._outermost, False
        self.run("rVKROH")
        parts: list[str] = []
        while not self.take("E"):
            if self.next in ("I", "B"):
                self._arguments_or_tag()
            elif self.next == "S":
                parts.extend(filter(None, [self._standard()]))
            elif self.next == "T" or self.text.startswith(("Dt", "DT"), self.at):
                self._type()
            elif not self.take("M"):
                parts.append(self._unqualified(parts[-1] if parts else ""))
            if outermost:
                self.known = tuple(parts)
        return "::".join(parts)

    def _local(self) -> str:
        function = self.encoding()
        self.need("E")
        if self.take("s"):
            entity = "{string}"
        else:
            if self.take("d"):
                self.run(_DIGITS)
                self.need("_")
            entity = self._name()
        if self.take("__"):
            self.number()
            self.need("_")
        elif self.take("_"):
            self.run(_DIGITS)
        return f"{function}::{entity}"

    def _standard(self) -> str:
        """A substitution: the name of one of the standard's, empty for an earlier part of the symbol."""
        self.need("S")
        letter = self.take(*_STANDARD)
        if letter:
            return _STANDARD[letter]
        self.run(_SEQUENCE)
        self.need("_")
        return ""

    def _unqualified(self, owner: str) -> str:
        self.take("L")
        if self.next in _DIGITS and self.next:
            return self._source_name()
        if self.take("Ul"):
            while not self.take("E"):
                self._type()
            self._discriminator()
            return "{lambda}"
        if self.take("Ut"):
            self._discriminator()
            return "{unnamed}"
        if self.take("DC"):
            while not self.take("E"):
                self._source_name()
            return "{binding}"
        if self.take("CI"):
            self.piece(1)
            self._type()
            return owner
        if self.next in ("C", "D"):
            kind = self.piece(2)
            if kind[1] not in _DIGITS:
                raise BadName(self.text)
            return f"~{owner}" if kind[0] == "D" else owner
        if self.take("cv"):
            self._type()
            return "operator cast"
        if self.take("li"):
            return f'operator"" {self._source_name()}'
        operator = self.take(*_OPERATORS)
        if not operator:
            raise BadName(self.text)
        return f"operator{' ' if operator in ('nw', 'na', 'dl', 'da') else ''}{_OPERATORS[operator]}"

    def _source_name(self) -> str:
        name = self.piece(self.number())
        return "(anonymous)" if name.startswith("_GLOBAL__N") else name

    def _discriminator(self) -> None:
        self.run(_DIGITS)
        self.need("_")

    def _arguments_or_tag(self) -> None:
        if self.take("B"):
            self._source_name()
            return
        self.need("I")
        self._until_end()

    def _until_end(self) -> None:
        """Template arguments up to their `E`."""
        while not self.take("E"):
            with self.deeper():
                if self.take("J"):
                    self._until_end()
                elif self.take("X"):
                    self._expression()
                    self.need("E")
                elif self.next == "L":
                    self._literal()
                else:
                    self._type()

    def _literal(self) -> None:
        self.need("L")
        if self.take("_Z"):
            self.encoding()
        else:
            self._type()
            end = self.text.find("E", self.at)
            self.at = len(self.text) if end < 0 else end
        self.need("E")

    def _type(self) -> None:
        """Pass one type by."""
        with self.deeper():
            while self.run("rVKPROCG") or self.take("U"):
                if self.text[self.at - 1] == "U":
                    self._source_name()
                    if self.next == "I":
                        self._arguments_or_tag()
            letter = self.next
            if letter and letter in _BUILT_IN:
                self.at += 1
            elif letter == "D":
                self._d_type()
            elif self.take("F"):
                self.take("Y")
                while not self.take("E"):
                    if not self.take("RE", "OE"):
                        self._type()
                    else:
                        return
            elif self.take("A"):
                if not self.run(_DIGITS) and self.next != "_":
                    self._expression()
                self.need("_")
                self._type()
            elif self.take("M"):
                self._type()
                self._type()
            elif letter == "T":
                self._parameter()
            elif self.take("u"):
                self._source_name()
            else:
                self._name_as_type()
            while self.next == "I":
                self._arguments_or_tag()

    def _name_as_type(self) -> None:
        """A class, or an earlier part of the symbol."""
        begin = self.at
        if self.next == "S" and self.text[begin + 1 : begin + 2] != "t":
            self._standard()
        elif self.next and self.next in "NZS" + _DIGITS:
            outermost, self._outermost = self._outermost, False
            self._name()
            self._outermost = outermost
        else:
            raise BadName(self.text)

    def _parameter(self) -> None:
        self.need("T")
        if self.take("s", "u", "e"):
            self._name()
            return
        self.run(_DIGITS)
        self.need("_")

    def _d_type(self) -> None:
        self.need("D")
        if self.take("p"):
            self._type()
        elif self.take("t", "T", "O"):
            self._expression()
            self.need("E")
            if self.next == "F":
                self._type()
        elif self.take("v"):
            if not self.run(_DIGITS):
                self._expression()
            self.need("_")
            self._type()
        elif self.take("F", "B", "U"):
            self.run(_DIGITS)
            if not self.take("x", "b"):
                self.need("_")
        elif self.take("o", "x"):
            self._type()
        elif not self.take(*"adefhisucnN"):
            raise BadName(self.text)

    def _expression(self) -> None:
        with self.deeper():
            if self.next == "L":
                self._literal()
            elif self.next == "T":
                self._parameter()
            elif self.take("fpT"):
                return
            elif self.take("fp", "fL"):
                self.run(_DIGITS + "rVKp")
                self.need("_")
            elif self.take("sr"):
                self._type()
                self._unqualified("")
                if self.next == "I":
                    self._arguments_or_tag()
            elif self.take("sZ"):
                self._parameter() if self.next == "T" else self._expression()
            elif self.take("st", "at", "ti"):
                self._type()
            elif self.take("cl", "il"):
                while not self.take("E"):
                    self._expression()
            elif self.take("cv", "tl"):
                self._type()
                if self.take("_") or self.text[self.at - 1] == "l":
                    while not self.take("E"):
                        self._expression()
                else:
                    self._expression()
            elif self.take(*_UNARY):
                self._expression()
            elif self.take(*_BINARY):
                self._expression()
                self._expression()
            elif self.take("qu"):
                for _ in range(3):
                    self._expression()
            elif self.next and self.next in _DIGITS:
                self._source_name()
                if self.next == "I":
                    self._arguments_or_tag()
            else:
                raise BadName(self.text)
