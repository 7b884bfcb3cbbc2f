"""What do the parts of an ONNX file say that can be read without its weights?

It is a protobuf message: fields of a number, a wire type and a value. Weights are jumped over, wherever they lie.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final

from collectors.model_file import ModelFile
from collectors.model_headers.source import CONVOLUTIONS, NUMBER_LIMIT, BadHeader, Cursor, Source, add, elements

FORMAT = "onnx"
NODES_LIMIT: Final = 4096
"""Nodes whose operator is looked at; the others are jumped over."""
FIELDS_LIMIT: Final = 1 << 18
_DIMENSIONS_LIMIT: Final = 64
_OPERATOR_LIMIT_BYTES: Final = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_VERSION, _MODEL_GRAPH = 1, 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_OPERATOR = 4
_DIMS, _DATA_TYPE, _STRING_DATA, _RAW_DATA, _DATA_LOCATION = 1, 2, 6, 9, 14
_EXTERNAL: Final = 1
_TYPED_DATA: Final = {4: (4, 4), 5: (1, 10), 7: (1, 10), 10: (8, 8), 11: (1, 10)}
"""Field -> bytes that one of its numbers takes at least and at most where they are packed: a varint has up to 10."""
_TYPES: Final = {
    1: ("FLOAT", 32), 2: ("UINT8", 8), 3: ("INT8", 8), 4: ("UINT16", 16), 5: ("INT16", 16), 6: ("INT32", 32),
    7: ("INT64", 64), 8: ("STRING", 0), 9: ("BOOL", 8), 10: ("FLOAT16", 16), 11: ("DOUBLE", 64), 12: ("UINT32", 32),
    13: ("UINT64", 64), 14: ("COMPLEX64", 64), 15: ("COMPLEX128", 128), 16: ("BFLOAT16", 16),
    17: ("FLOAT8E4M3FN", 8), 18: ("FLOAT8E4M3FNUZ", 8), 19: ("FLOAT8E5M2", 8), 20: ("FLOAT8E5M2FNUZ", 8),
    21: ("UINT4", 4), 22: ("INT4", 4), 23: ("FLOAT4E2M1", 4), 24: ("FLOAT8E8M0", 8), 25: ("UINT2", 2), 26: ("INT2", 2),
}  # fmt: skip
"""Data type -> its name, bits of an element."""
_TELLING: Final = {
    b"TreeEnsembleClassifier": "TreeEnsemble", b"TreeEnsembleRegressor": "TreeEnsemble",
    b"TreeEnsemble": "TreeEnsemble", b"LinearClassifier": "LinearClassifier", b"LinearRegressor": "LinearRegressor",
    b"SVMClassifier": "SVMClassifier", b"SVMRegressor": "SVMRegressor",
}  # fmt: skip
"""Operators that are a whole model, in the order of what says most."""
_ON_8_BITS: Final = frozenset((
    b"MatMulInteger", b"ConvInteger", b"QLinearMatMul", b"QLinearConv", b"QuantizeLinear", b"DynamicQuantizeLinear",
    b"DynamicQuantizeMatMul", b"DynamicQuantizeLSTM", b"MatMulIntegerToFloat", b"QAttention", b"QGemm",
))  # fmt: skip
"""Operators of models whose inputs of layers are quantised, too; of weights alone there is DequantizeLinear or MatMulNBits."""
_FIXED = {_FIXED64: Struct("<Q"), _FIXED32: Struct("<I")}


class _Walk:
    """The fields of nested messages, counted over all of them."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.fields = 0

    def message(self, end: int) -> Iterator[tuple[int, int, int]]:
        """(field, wire type, value) up to `end`; of bytes the value is where they end, and they are jumped over to
        there before the next field. Raises BadHeader."""
        cursor = self.cursor
        while cursor.position < end:
            self.fields += 1
            if self.fields > FIELDS_LIMIT:
                raise BadHeader(f"it has more than {FIELDS_LIMIT} fields")
            tag = self.varint()
            field, wire = tag >> 3, tag & 7
            if wire == _VARINT:
                yield field, wire, self.varint()
            elif wire in _FIXED:
                yield field, wire, cursor.number(_FIXED[wire])
            elif wire == _BYTES:
                length = self.varint()
                until = cursor.position + length
                if until > end:
                    raise BadHeader("cut short, or no protobuf: a field is longer than what it is in")
                yield field, wire, until
                if cursor.position > until:
                    raise BadHeader("no protobuf")
                cursor.skip(until - cursor.position)
            else:
                raise BadHeader("no protobuf")
            if field == 0 or cursor.position > end:
                raise BadHeader("no protobuf")

    def varint(self) -> int:
        byte = self.cursor.byte
        value = byte()
        if value < 0x80:
            return value
        value &= 0x7F
        for shift in range(7, 70, 7):
            part = byte()
            value |= (part & 0x7F) << shift
            if part < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF
        raise BadHeader("no protobuf")


class _Data:
    """What a tensor has of data beside its shape: numbers and texts at least and at most, without reading them."""

    def __init__(self) -> None:
        self.raw_bytes = 0
        self.least, self.most = 0, 0
        self.external = False

    def take(self, field: int, wire: int, value: int, length: int) -> None:
        """`length`: of a field of bytes."""
        if field == _RAW_DATA and wire == _BYTES:
            self.raw_bytes = length
        elif field == _DATA_LOCATION and wire == _VARINT:
            self.external = value == _EXTERNAL
        elif field == _STRING_DATA or (field in _TYPED_DATA and wire != _BYTES):
            self.least, self.most = self.least + 1, self.most + 1
        elif field in _TYPED_DATA:
            narrow, wide = _TYPED_DATA[field]
            self.least, self.most = self.least - (-length // wide), self.most + length // narrow

    def holds(self, count: int, bits: int, name: str) -> bool:
        """Whether it is that of so many elements; of another file nobody can tell. `bits` 0: not known."""
        if self.raw_bytes:
            return self.raw_bytes == -(-count * bits // 8) if bits else count <= 8 * self.raw_bytes
        if self.external:
            return True
        if name.startswith("TYPE"):
            return count <= 8 * self.most
        numbers = 2 * count if name.startswith("COMPLEX") else -(-count * bits // 8) if 0 < bits < 8 else count
        return self.least <= numbers <= self.most


class _Graph:
    def __init__(self) -> None:
        self.dtypes: dict[str, int] = {}
        self.bytes = 0
        self.convolutions = self.matrices = 0
        self.sized = True
        """Whether the size of an element is known of each type."""
        self.operators: set[bytes] = set()
        self.nodes = 0
        self.found = False


def read_onnx(source: Source) -> ModelFile:
    """Elements and bytes of its initializers by type, also of those whose data lies in another file. Raises BadHeader where it
    is no ONNX model, or a tensor's data is neither there nor said to be elsewhere."""
    walk = _Walk(source.cursor())
    graph = _Graph()
    version = 0
    for field, wire, value in walk.message(source.size):
        if field == _MODEL_VERSION and wire == _VARINT:
            version = value
        elif field == _MODEL_GRAPH and wire == _BYTES:
            _read_graph(walk, value, graph)
    if not graph.found or not version:
        raise BadHeader("no ONNX model: it has no version or no graph")
    whole = next((name for operator, name in _TELLING.items() if operator in graph.operators), None)
    return ModelFile(
        path=source.path,
        format=FORMAT,
        size_bytes=source.size,
        parameters=sum(graph.dtypes.values()) if graph.dtypes else None,
        weights_bytes=graph.bytes if graph.dtypes and graph.sized and whole is None else None,
        dtypes=graph.dtypes,
        convolution_share=graph.convolutions / max(1, sum(graph.dtypes.values())) if graph.dtypes else None,
        matrices=graph.matrices if graph.dtypes else None,
        architecture=whole,
        quantization="w8a8" if graph.operators & _ON_8_BITS and graph.dtypes.keys() & {"INT8", "UINT8"} else None,
    )


def _read_graph(walk: _Walk, end: int, graph: _Graph) -> None:
    graph.found = True
    for field, wire, value in walk.message(end):
        if wire != _BYTES:
            continue
        if field == _GRAPH_INITIALIZER:
            _read_initializer(walk, value, graph)
        elif field == _GRAPH_NODE and graph.nodes < NODES_LIMIT:
            graph.nodes += 1
            graph.operators.update(_operator(walk, value))


def _operator(walk: _Walk, end: int) -> Iterator[bytes]:
    for field, wire, until in walk.message(end):
        if field == _NODE_OPERATOR and wire == _BYTES:
            length = until - walk.cursor.position
            if length <= _OPERATOR_LIMIT_BYTES:
                name = walk.cursor.take(length)
                if name in _TELLING or name in _ON_8_BITS:
                    yield name


def _read_initializer(walk: _Walk, end: int, graph: _Graph) -> None:
    shape: list[int] = []
    kind, data = 0, _Data()
    for field, wire, value in walk.message(end):
        if field == _DIMS and wire == _VARINT:
            shape.append(_dimension(value))
        elif field == _DIMS and wire == _BYTES:
            while walk.cursor.position < value and len(shape) <= _DIMENSIONS_LIMIT:
                shape.append(_dimension(walk.varint()))
        elif field == _DATA_TYPE and wire == _VARINT:
            kind = value & 0xFFFFFFFF
        else:
            data.take(field, wire, value, value - walk.cursor.position)
        if len(shape) > _DIMENSIONS_LIMIT:
            raise BadHeader(f"a tensor has more than {_DIMENSIONS_LIMIT} dimensions")
    name, bits = _TYPES.get(kind, (f"TYPE{kind}", 0))
    count = elements(shape)
    size = -(-count * bits // 8)
    if not data.holds(count, bits, name):
        raise BadHeader("a tensor's data is not of its shape")
    add(graph.dtypes, name, count)
    graph.convolutions += count if len(shape) in CONVOLUTIONS else 0
    graph.matrices += len(shape) > 1
    graph.bytes += size
    graph.sized = graph.sized and bits > 0


def _dimension(value: int) -> int:
    if value > NUMBER_LIMIT:
        raise BadHeader("a tensor has an impossible shape")
    return value
