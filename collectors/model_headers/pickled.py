"""Which estimator does a file of pickle or joblib hold, also if it is compressed with zlib or gzip?"""

from typing import Final

from collectors.model_file import ModelFile
from collectors.model_headers.pickle_opcodes import follow
from collectors.model_headers.pickle_records import Built, Class, Made
from collectors.model_headers.source import BadHeader, Cursor, Source, label

PICKLE, JOBLIB = "pickle", "joblib"
INFLATED_LIMIT_BYTES: Final = 8 << 20
_STEPS_LIMIT: Final = 16
_PACKAGES: Final = frozenset(("sklearn", "xgboost", "lightgbm", "catboost", "imblearn"))
_PARTS: Final = (
    "sklearn.utils", "sklearn.metrics", "sklearn._loss", "sklearn.tree._tree", "sklearn.externals", "sklearn.base",
)  # fmt: skip
"""Modules of what estimators are made of."""
_ZLIB_AND_GZIP: Final = 47
_CHUNK_BYTES: Final = 65536
COMPRESSED: Final = (
    (b"\x1f\x8b", True), (b"\x78\x01", True), (b"\x78\x5e", True), (b"\x78\x9c", True), (b"\x78\xda", True),
    (b"BZh", False), (b"\xfd7zXZ\x00", False), (b"\x5d\x00\x00", False), (b"\x04\x22\x4d\x18", False),
)  # fmt: skip
"""How a compressed file begins, and whether it is looked into."""


def read_pickled(source: Source) -> ModelFile:
    """The estimator that the opcodes name. Raises BadHeader where it is no pickle."""
    form = PICKLE if source.name.endswith((".pkl", ".pickle")) else JOBLIB
    head = source.at(0, 8)
    inflate = next((known for magic, known in COMPRESSED if head.startswith(magic)), None)
    if inflate is False:
        return ModelFile(path=source.path, format=form, size_bytes=source.size, problem="compressed")
    built = follow(_inflated(source) if inflate else source.cursor())
    return ModelFile(
        path=source.path,
        format=JOBLIB if built.has_raw_arrays else form,
        size_bytes=source.size,
        architecture=architecture_of(built),
        problem=built.problem,
    )


def architecture_of(built: Built) -> str | None:
    """`RandomForestClassifier`, `Pipeline(StandardScaler, SVC)`; None if no estimator was named."""
    of = built.root.of if isinstance(built.root, Made) else None
    if isinstance(of, Class) and _is_estimator(of):
        return _with_steps(of.name, built.root)
    return next((named.name for named in built.classes if _is_estimator(named)), None)


def _is_estimator(named: Class) -> bool:
    known = named.module.partition(".")[0] in _PACKAGES and not named.module.startswith(_PARTS)
    return known and named.name[:1].isupper() and label(named.name) is not None


def _with_steps(name: str, made: object) -> str:
    steps = made.state.get("steps") if name == "Pipeline" and isinstance(made, Made) else None
    if not isinstance(steps, list) or not 0 < len(steps) <= _STEPS_LIMIT:
        return name
    names = [_step(step) for step in steps]
    return name if None in names else f"{name}({', '.join(filter(None, names))})"


def _step(step: object) -> str | None:
    does = step[1] if isinstance(step, tuple) and len(step) == 2 else None
    if isinstance(does, Made):
        return label(does.of.name) if isinstance(does.of, Class) else None
    return does if isinstance(does, str) and does in ("passthrough", "drop") else None


def _inflated(source: Source) -> Cursor:
    """The inflated bytes, at most `INFLATED_LIMIT_BYTES`, read once from the begin on."""
    import zlib  # few models are compressed

    inflater = zlib.decompressobj(_ZLIB_AND_GZIP)
    read = 0
    held = b""
    begin = 0

    def at(offset: int, count: int) -> bytes:
        nonlocal read, held, begin
        while begin + len(held) < offset + count and not inflater.eof:
            if begin + len(held) < offset:
                begin, held = begin + len(held), b""
            raw = inflater.unconsumed_tail or source.at(read, _CHUNK_BYTES)
            read += 0 if inflater.unconsumed_tail else len(raw)
            source.budget.check()
            try:
                more = inflater.decompress(raw, _CHUNK_BYTES)
            except zlib.error as error:
                raise BadHeader("its compressed data is broken") from error
            if not more and not raw:
                break
            held += more
        held, begin = held[offset - begin :], offset
        return held[:count]

    return Cursor(at, INFLATED_LIMIT_BYTES)
