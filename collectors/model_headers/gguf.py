"""What does the header of a GGUF file say? Versions 1 to 3, either byte order.

Magic, version, counts, then key-value pairs, then name, shape, type and offset of each tensor, then the data.
"""

from struct import Struct
from typing import Final

from collectors.model_file import ModelFile
from collectors.model_geometry import PERIODS, Geometry, Latent, windowed
from collectors.model_headers.source import BadHeader, Cursor, Source, add, elements, label

FORMAT = "gguf"
MAGIC = b"GGUF"
HEADER_LIMIT_BYTES: Final = 32 << 20
PAIRS_LIMIT: Final = 1 << 16
TENSORS_LIMIT: Final = 1 << 16
_NAME_LIMIT_BYTES: Final = 65536
_DIMENSIONS_LIMIT: Final = 8
_NESTING_LIMIT: Final = 4
_PER_LAYER_LIMIT: Final = 4096
_KEY_LIMIT_CHARACTERS: Final = 256
_HELD_LIMIT: Final = 64
_ALIGNMENT: Final = 32
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
_WHOLE = frozenset("BbHhIiQq")
_TYPES: Final = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
"""Type -> its name, elements of a block, bytes of a block."""
_ARCHITECTURE = "general.architecture"
_ALIGNMENT_KEY = "general.alignment"
_TOKENS = "tokenizer.ggml.tokens"
_NUMBERS: Final = frozenset((
    "block_count", "embedding_length", "attention.head_count", "attention.head_count_kv", "attention.key_length",
    "attention.value_length", "context_length", "expert_count", "expert_used_count", "vocab_size",
    "attention.sliding_window", "attention.kv_lora_rank", "ssm.state_size", "wkv.head_size", "full_attention_interval",
    "feed_forward_length", "expert_feed_forward_length", "expert_shared_count", "leading_dense_block_count",
    "attention.q_lora_rank", "rope.dimension_count", "attention.key_length_mla", "attention.value_length_mla",
    "attention.sliding_window_pattern",
))  # fmt: skip
_NOT_PLAIN: Final = ("attention.kv_lora_rank", "ssm.state_size", "wkv.head_size", "full_attention_interval")

Held = int | list[int] | str


class _Reader:
    """The cursor with the number forms of one file."""

    def __init__(self, cursor: Cursor, version: int, order: str) -> None:
        self.cursor = cursor
        self.u32 = Struct(order + "I")
        self.length = Struct(order + ("I" if version == 1 else "Q"))
        """Of texts, arrays and shapes, and how many there are."""
        self.u64 = Struct(order + "Q")
        self.scalars = {kind: Struct(order + form) for kind, form in _SCALARS.items()}

    def text(self) -> str:
        length = self.cursor.number(self.length)
        if length > _NAME_LIMIT_BYTES:
            raise BadHeader(f"a name is longer than {_NAME_LIMIT_BYTES} bytes")
        return self.cursor.take(length).decode("utf-8", "replace")

    def count(self, limit: int, what: str) -> int:
        number = self.cursor.number(self.length)
        if number > limit:
            raise BadHeader(f"it has {number} {what}; at most {limit} are read")
        return number

    def within(self) -> None:
        if self.cursor.position > HEADER_LIMIT_BYTES:
            raise BadHeader(f"its header is longer than {HEADER_LIMIT_BYTES} bytes")


def read_gguf(source: Source) -> ModelFile:
    """Parameters by type, architecture and geometry. Raises BadHeader where it is not as the format demands."""
    cursor = source.cursor()
    if cursor.take(4) != MAGIC:
        raise BadHeader("not GGUF")
    raw = cursor.take(4)
    order = "<" if int.from_bytes(raw, "little") & 0xFFFF else ">"
    version = int.from_bytes(raw, "little" if order == "<" else "big")
    if version not in (1, 2, 3):
        raise BadHeader(f"version {version} is not known")
    reader = _Reader(cursor, version, order)
    tensors = reader.count(TENSORS_LIMIT, "tensors")
    held = _pairs(reader, reader.count(PAIRS_LIMIT, "keys"))
    dtypes: dict[str, int] = {}
    unknown = False
    end = total = 0
    for _ in range(tensors):
        kind, count, offset = _tensor(reader)
        name, per_block, block_bytes = _TYPES.get(kind, (f"type{kind}", 1, 0))
        unknown = unknown or not block_bytes
        add(dtypes, name, count)
        size = -(-count // per_block) * block_bytes
        total, end = total + size, max(end, offset + size)
    if total > end:
        raise BadHeader("its tensors overlap")
    alignment = held.get(_ALIGNMENT_KEY)
    _check_end(cursor.position, alignment if isinstance(alignment, int) and alignment else _ALIGNMENT, end, source)
    architecture = held.get(_ARCHITECTURE)
    return ModelFile(
        path=source.path,
        format=FORMAT,
        size_bytes=source.size,
        parameters=sum(dtypes.values()) if dtypes else None,
        weights_bytes=total if dtypes and not unknown else None,
        dtypes=dtypes,
        architecture=label(architecture),
        geometry=_geometry(held, str(architecture)),
        problem="it has tensors of a type that is not known" if unknown else None,
    )


def _check_end(position: int, alignment: int, data_bytes: int, source: Source) -> None:
    end = -(-position // alignment) * alignment + data_bytes
    if data_bytes and end > source.size:
        raise BadHeader(f"cut short: its tensors end at byte {end}, the file has {source.size}")


def _pairs(reader: _Reader, count: int) -> dict[str, Held]:
    """The key-value pairs that matter here."""
    held: dict[str, Held] = {}
    for _ in range(count):
        key = reader.text()
        kind = reader.cursor.number(reader.u32)
        wanted = key in (_ARCHITECTURE, _ALIGNMENT_KEY, _TOKENS) or key.partition(".")[2] in _NUMBERS
        wanted = wanted and len(key) <= _KEY_LIMIT_CHARACTERS and len(held) < _HELD_LIMIT
        value = _value(reader, kind, wanted, 0)
        if wanted and value is not None:
            held[key] = value
        reader.within()
    return held


def _value(reader: _Reader, kind: int, wanted: bool, depth: int) -> Held | None:
    """The value if it is `wanted` and a whole number, a text or a few whole numbers; the length of other arrays."""
    if kind == _STRING:
        if wanted:
            return reader.text()
        reader.cursor.skip(reader.cursor.number(reader.length))
        return None
    if kind == _ARRAY:
        return _array(reader, wanted, depth)
    form = reader.scalars.get(kind)
    if form is None:
        raise BadHeader(f"type {kind} is not known")
    if wanted and form.format[-1] in _WHOLE:
        return reader.cursor.number(form)
    reader.cursor.skip(form.size)
    return None


def _array(reader: _Reader, wanted: bool, depth: int) -> Held | None:
    kind = reader.cursor.number(reader.u32)
    count = reader.cursor.number(reader.length)
    if kind == _ARRAY:
        if depth >= _NESTING_LIMIT or count > _PER_LAYER_LIMIT:
            raise BadHeader("its arrays are nested too deep")
        for _ in range(count):
            _array(reader, False, depth + 1)
            reader.within()
        return count
    if kind == _STRING:
        reader.cursor.skip_prefixed(count, reader.length, HEADER_LIMIT_BYTES)
        return count
    form = reader.scalars.get(kind)
    if form is None:
        raise BadHeader(f"type {kind} is not known")
    if wanted and count <= _PER_LAYER_LIMIT and form.format[-1] in _WHOLE:
        return [reader.cursor.number(form) for _ in range(count)]
    reader.cursor.skip(count * form.size)
    return count


def _tensor(reader: _Reader) -> tuple[int, int, int]:
    """(type, elements, offset in the data) of the next tensor."""
    cursor = reader.cursor
    cursor.skip(cursor.number(reader.length))
    dimensions = cursor.number(reader.u32)
    if dimensions > _DIMENSIONS_LIMIT:
        raise BadHeader(f"a tensor has {dimensions} dimensions")
    count = elements([cursor.number(reader.length) for _ in range(dimensions)])
    kind, offset = cursor.number(reader.u32), cursor.number(reader.u64)
    reader.within()
    return kind, count, offset


def _geometry(held: dict[str, Held], architecture: str) -> Geometry | None:
    def number(key: str) -> int | None:
        return _number(held, f"{architecture}.{key}")

    heads, kv_heads, head_size = (number(f"attention.{key}") for key in ("head_count", "head_count_kv", "key_length"))
    varied = any(len(set(value)) > 1 for value in held.values() if isinstance(value, list))
    value_size, window, context = (
        number(key) for key in ("attention.value_length", "attention.sliding_window", "context_length")
    )
    slides = window is not None and (context is None or window < context)
    tokens = held.get(_TOKENS)
    geometry = Geometry(
        layers=number("block_count"),
        hidden_size=number("embedding_length"),
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        vocabulary=number("vocab_size") or (tokens if isinstance(tokens, int) and tokens else None),
        context=context,
        experts=number("expert_count"),
        active_experts=number("expert_used_count"),
        plain_attention=not (varied or slides or value_size != head_size or any(number(key) for key in _NOT_PLAIN)),
        family=label(architecture),
        feed_forward=number("feed_forward_length"),
        expert_feed_forward=number("expert_feed_forward_length"),
        shared_experts=number("expert_shared_count"),
        dense_layers=number("leading_dense_block_count"),
        window=window,
        window_layers=None if window is None else _window_layers(held, architecture),
        latent=_latent(held, architecture),
    )
    bare = Geometry(plain_attention=geometry.plain_attention, family=geometry.family)
    return geometry if geometry != bare else None


def _window_layers(held: dict[str, Held], architecture: str) -> int:
    """Where neither the file nor its family tells, none: llama.cpp keeps all tokens then."""
    layers = _number(held, f"{architecture}.block_count") or 0
    said = held.get(f"{architecture}.attention.sliding_window_pattern")
    if isinstance(said, list):  # one for each layer
        return sum(map(bool, said))
    period = said if isinstance(said, int) and said >= 0 else PERIODS.get(architecture)
    return 0 if period is None else windowed(layers, period)


def _number(held: dict[str, Held], key: str) -> int | None:
    value = held.get(key)
    if isinstance(value, list):  # one for each layer
        value = value[0] if len(set(value)) == 1 else None
    return value if isinstance(value, int) and 0 < value < 1 << 32 else None


def _latent(held: dict[str, Held], architecture: str) -> Latent | None:
    """Key and value lengths are those of one head as the model computes it; newer files keep them under names of their own,
    beside those of the cache."""

    def number(*keys: str) -> int | None:
        return next((found for key in keys if (found := _number(held, f"{architecture}.attention.{key}"))), None)

    rank, rope = number("kv_lora_rank"), _number(held, f"{architecture}.rope.dimension_count")
    if rank is None or rope is None:
        return None
    key = number("key_length_mla", "key_length")
    return Latent(
        kv_rank=rank,
        rope_size=rope,
        nope_size=key - rope if key is not None and key > rope else None,
        value_size=number("value_length_mla", "value_length"),
        q_rank=number("q_lora_rank"),
    )
