"""What can be sent to a model of the V2 inference protocol, from what it says of its inputs?"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

MOST_ELEMENTS = 4_000_000
_VALUES: Mapping[str, Any] = {"BOOL": True, "BYTES": "a short text"}
"""Ordinary values: zeros are a case of their own in some models."""


class _Tensor(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]


class _Metadata(msgspec.Struct):
    inputs: list[_Tensor] = []


def infer_body(metadata: bytes) -> bytes:
    """One request with every input, of the stated shape; a dimension of any size (-1) is 1. Raises ValueError with one
    clause where the metadata do not say enough."""
    try:
        inputs = msgspec.json.decode(metadata, type=_Metadata).inputs
    except msgspec.DecodeError as error:
        raise ValueError(f"its metadata are not of the V2 protocol ({error})") from error
    if not inputs:
        raise ValueError("its metadata name no inputs")
    return msgspec.json.encode({"inputs": [_input(tensor) for tensor in inputs]})


def _input(tensor: _Tensor) -> dict[str, object]:
    shape = [max(1, size) for size in tensor.shape] or [1]
    elements = math.prod(shape)
    if elements > MOST_ELEMENTS:
        raise ValueError(f"its input {tensor.name!r} has {elements} elements")
    value = _VALUES.get(tensor.datatype, 0.5 if tensor.datatype.startswith(("FP", "BF")) else 1)
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": shape, "data": [value] * elements}
