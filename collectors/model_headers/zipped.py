"""Of what kind is a zip file, by the name of the first file in it?"""

from struct import Struct

from collectors.model_headers.source import Source

_HEADER_BYTES = 30
_NAME_LENGTH = Struct("<H")
_NAME_LENGTH_AT = 26
_NAME_LIMIT_BYTES = 256
_TORCH = ("data.pkl", "constants.pkl", "version", "byteorder", ".format_version", ".storage_alignment")


def zip_format(source: Source) -> str:
    """`torch-zip`, `npz`, `keras`, or `zip`."""
    head = source.at(0, _HEADER_BYTES + _NAME_LIMIT_BYTES)
    if len(head) < _HEADER_BYTES:
        return "zip"
    (length,) = _NAME_LENGTH.unpack_from(head, _NAME_LENGTH_AT)
    folder, _, name = head[_HEADER_BYTES : _HEADER_BYTES + length].decode("utf-8", "replace").rpartition("/")
    if folder and name in _TORCH:
        return "torch-zip"
    if name.endswith(".npy"):
        return "npz"
    return "keras" if source.name.endswith(".keras") else "zip"
