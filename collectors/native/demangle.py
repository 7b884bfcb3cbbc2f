"""What is a linker's symbol called in the source? C++ by the Itanium ABI, Rust in its old form and in v0.

Enough to recognise a function: nested names, without template arguments, parameters and return types. A name that is in
none of the forms stays as it is.
"""

import re

from collectors.native.demangle_cpp import cpp_name
from collectors.native.demangle_rust import legacy_name, v0_name
from collectors.native.mangled import BadName

SHOWN_LIMIT = 240
_CLONE = re.compile(r"(?:\.(?:cold|part|isra|constprop|lto_priv|llvm)(?:\.\d+)*)+$")
"""What compilers append to the name of a part or a copy of one function."""
_VERSION = re.compile(r"@@?[\w.]+$")
_LEGACY_END = re.compile(r"17h[0-9a-f]{16}E")


def readable(symbol: str) -> str:
    """The name to show for `symbol`, at most `SHOWN_LIMIT` characters."""
    plain = _VERSION.sub("", _CLONE.sub("", symbol)) or symbol
    try:
        return _name(plain)[:SHOWN_LIMIT]
    except BadName:
        return plain[:SHOWN_LIMIT]


def _name(plain: str) -> str:
    if plain.startswith("_R"):
        return v0_name(plain)
    if plain.startswith("_ZN") and (end := _LEGACY_END.search(plain)):
        return legacy_name(plain[: end.end()])
    if not plain.startswith("_Z"):
        return plain
    mangled, dot, suffix = plain.partition(".")  # `.omp_fn.0`: a region that a pool of threads runs
    return f"{cpp_name(mangled)} [{suffix}]" if dot else cpp_name(mangled)
