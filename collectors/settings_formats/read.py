"""By which format is a settings file read, by the ending of its name?"""

from collections.abc import Callable

from collectors.settings_formats.values import NotUnderstood, Value

__all__ = ["NotUnderstood", "parser_of"]

Parse = Callable[[bytes], Value]
"""The content of a file as nested maps, lists and plain values. Raises NotUnderstood."""


def parser_of(name: bytes) -> Parse | None:
    """What reads a file of this name; None if nothing does. Each format is loaded when it is first needed."""
    stem, dot, ending = name.rpartition(b".")
    return _PARSERS.get(ending) if stem and dot else None


def _json(content: bytes) -> Value:
    from collectors.settings_formats.json_text import parse_json

    return parse_json(content)


def _toml(content: bytes) -> Value:
    from collectors.settings_formats.toml_text import parse_toml

    return parse_toml(content)


def _yaml(content: bytes) -> Value:
    from collectors.settings_formats.yaml_text import parse_yaml

    return parse_yaml(content)


def _properties(content: bytes) -> Value:
    from collectors.settings_formats.properties_text import parse_properties

    return parse_properties(content)


def _pbtxt(content: bytes) -> Value:
    from collectors.settings_formats.pbtxt import parse_pbtxt

    return parse_pbtxt(content)


def _python(content: bytes) -> Value:
    from collectors.settings_formats.python_text import parse_python

    return parse_python(content)


_PARSERS: dict[bytes, Parse] = {
    b"json": _json,
    b"toml": _toml,
    b"yaml": _yaml,
    b"yml": _yaml,
    b"properties": _properties,
    b"pbtxt": _pbtxt,
    b"textproto": _pbtxt,
    b"config": _pbtxt,
    b"txt": _pbtxt,
    b"py": _python,
}
"""`.config` and `.txt` are how TensorFlow Serving's files in protobuf's text format are called in its documentation."""
