"""What does the header of a safetensors file say?

Eight bytes of length, least significant first, then a JSON object: name -> type, shape and place of each tensor. The
places must follow each other without a hole to the end of the file, as the format demands.
"""

import re
from collections.abc import Iterator
from struct import Struct
from typing import Annotated

import msgspec

from collectors.model_file import ModelFile
from collectors.model_headers.source import CONVOLUTIONS, NUMBER_LIMIT, BadHeader, Source, add, elements, label
from collectors.model_headers.zeros import ZeroSample

FORMAT = "safetensors"
INDEX_FORMAT = "safetensors-index"
HEADER_LIMIT_BYTES = 8 << 20
INDEX_LIMIT_BYTES = 16 << 20
SHARDS_LIMIT = 1024
_LENGTH = Struct("<Q")
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
_PACKED = re.compile(rb"\.(?:qweight|weight_packed)$|_blocks$|\.quant_state\.|\.absmax$")
"""Names of tensors in which one element holds several weights (GPTQ, AWQ, compressed-tensors, MXFP4, bitsandbytes)."""
_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 4096
_SHARD = re.compile(rb':\s{0,8}"([A-Za-z0-9_][\w.-]{0,127}\.safetensors)"')
_TOTAL = re.compile(rb'"total_size"\s{0,8}:\s{0,8}(\d{1,18})(?![\d.eE])')
_PARAMETERS = re.compile(rb'"total_parameters"\s{0,8}:\s{0,8}(\d{1,18})(?![\d.eE])')

_ENTRY = re.compile(
    rb'\s*+"((?:[^"\\]++|\\.)*+)"\s*+:\s*+(\{(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+\})\s*+([,}])', re.DOTALL
)
"""One entry of the header: name, flat object, and whether another follows. Read one by one: all at once take ten times
the room of the text."""
_ENTRY_LIMIT_BYTES = 4096
_CHECK_EVERY = 1024
_EMPTY = re.compile(rb"\s*+\{\s*+\}\s*+\Z")
_METADATA = b"__metadata__"
_NO_TENSORS = "its header is no JSON of tensors"

_Count = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_LIMIT)]


class _Tensor(msgspec.Struct, gc=False):
    dtype: str
    shape: list[_Count]
    data_offsets: tuple[_Count, _Count]


class Index(msgspec.Struct, frozen=True):
    """What model.safetensors.index.json says: its shards, and the bytes and parameters of all of them."""

    shards: tuple[str, ...]
    total_bytes: int | None
    parameters: int | None


def read_safetensors(source: Source) -> ModelFile:
    """Parameters by type, and how many of them are zero. Raises BadHeader where it is not as the format demands."""
    head = source.at(0, _LENGTH.size)
    if len(head) < _LENGTH.size:
        raise BadHeader("cut short")
    (length,) = _LENGTH.unpack(head)
    data_bytes = source.size - _LENGTH.size - length
    if data_bytes < 0:
        raise BadHeader(f"cut short: a header of {length} bytes was promised, the file has {source.size}")
    if length > HEADER_LIMIT_BYTES:
        raise BadHeader(f"its header is longer than {HEADER_LIMIT_BYTES} bytes")
    dtypes: dict[str, int] = {}
    places: list[int] = []
    packed, convolutions, matrices = False, 0, 0
    sample = ZeroSample(data_bytes)
    for name, tensor in _entries(source, source.at(_LENGTH.size, length)):
        places.append(_place(tensor, dtypes))
        convolutions += elements(tensor.shape) if len(tensor.shape) in CONVOLUTIONS else 0
        matrices += len(tensor.shape) > 1
        packed = packed or bool(_PACKED.search(name))
        sample.note(tensor.dtype, *tensor.data_offsets)
    _check(sorted(places), data_bytes)
    return ModelFile(
        path=source.path,
        format=FORMAT,
        size_bytes=source.size,
        parameters=None if packed or not dtypes else sum(dtypes.values()),
        weights_bytes=data_bytes if dtypes else None,
        dtypes=dtypes,
        convolution_share=None if packed or not dtypes else convolutions / max(1, sum(dtypes.values())),
        matrices=None if packed or not dtypes else matrices,
        zero_share=None if packed else sample.share(source, _LENGTH.size + length),
        problem="packed weights: their elements are not parameters" if packed else None,
    )


def _entries(source: Source, header: bytes) -> Iterator[tuple[bytes, _Tensor]]:
    """Name, as written, and description of each tensor."""
    decode = msgspec.json.Decoder(_Tensor).decode
    at = len(header) - len(header.lstrip())
    if _EMPTY.match(header):
        return
    more = header[at : at + 1] == b"{"
    at += 1
    count = 0
    while more:
        match = _ENTRY.match(header, at)
        if match is None:
            raise BadHeader(_NO_TENSORS)
        at, more = match.end(), match[3] == b","
        count += 1
        if count % _CHECK_EVERY == 0:
            source.budget.check()
        if match[1] == _METADATA:
            continue
        if match.end(2) - match.start(2) > _ENTRY_LIMIT_BYTES:
            raise BadHeader(f"a tensor's description is longer than {_ENTRY_LIMIT_BYTES} bytes")
        try:
            yield match[1], decode(match[2])
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise BadHeader("a tensor has no type, shape or place") from error
    if header[at:].strip() or not count:
        raise BadHeader(_NO_TENSORS)


def _place(tensor: _Tensor, dtypes: dict[str, int]) -> int:
    """Begin and end of a tensor's data as one number, after it was counted."""
    dtype = label(tensor.dtype)
    if dtype is None:
        raise BadHeader("a tensor has no type, shape or place")
    count = elements(tensor.shape)
    begin, end = tensor.data_offsets
    bits = _BITS.get(dtype)
    if end < begin or (bits is not None and (end - begin) * 8 != count * bits):
        raise BadHeader("a tensor's place is not of its shape")
    add(dtypes, dtype, count)
    return begin << 64 | end


def _check(places: list[int], data_bytes: int) -> None:
    last = 0
    for place in places:
        begin, end = place >> 64, place & NUMBER_LIMIT
        if begin != last:
            raise BadHeader("its tensors overlap" if begin < last else "there is a hole between its tensors")
        last = end
    if last != data_bytes:
        short = last > data_bytes
        raise BadHeader(f"{'cut short' if short else 'too long'}: tensors of {last} bytes, data of {data_bytes}")


def read_index(source: Source) -> Index:
    """The index of a model in several files, found in its text as it stands: it may be too large to hold as objects.
    Raises BadHeader where it is too long or names no file."""
    if source.size > INDEX_LIMIT_BYTES:
        raise BadHeader(f"longer than {INDEX_LIMIT_BYTES} bytes")
    shards: dict[bytes, None] = {}
    totals: list[int | None] = [None, None]
    for offset in range(0, source.size, _CHUNK_BYTES - _OVERLAP_BYTES):
        chunk = source.at(offset, _CHUNK_BYTES)
        for match in _SHARD.finditer(chunk):
            shards[match[1]] = None
            if len(shards) > SHARDS_LIMIT:
                raise BadHeader(f"it names more than {SHARDS_LIMIT} files")
        for at, form in enumerate((_TOTAL, _PARAMETERS)):
            if totals[at] is None and (found := form.search(chunk)):
                totals[at] = int(found[1])
    if not shards:
        raise BadHeader("it names no file")
    return Index(tuple(shard.decode("ascii") for shard in shards), *totals)


def read_index_file(source: Source) -> ModelFile:
    """Size and parameters of all files of the model, as the index states them. Raises BadHeader."""
    index = read_index(source)
    return ModelFile(
        path=source.path,
        format=INDEX_FORMAT,
        size_bytes=index.total_bytes or source.size,
        parameters=index.parameters,
        weights_bytes=index.total_bytes or None,
        problem=f"{len(index.shards)} files, of which no header was read",
    )
