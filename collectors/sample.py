"""What is one raw reading, and where does each of its fields say what it is?

A field's unit, help text and kind are declared once, in its annotation; SQLite columns, the JSON schema, `/metrics`
names, columns on the screen and the reference docs are derived from that declaration.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, Literal, get_type_hints

import msgspec

Tier = Literal["raw", "notable", "memory"]
"""How far a sample travels: `raw` is always stored, `notable` only where `sample.notable` is true, `memory` never."""

_SUFFIX_OF_SCALE = {
    "_ns": 1e-9, "_us": 1e-6, "_ms": 1e-3, "_ticks": None, "_kib": 1024.0, "_ppm": 1e-6,
    "_mhz": 1e6, "_mw": 1e-3, "_mj": 1e-3,
}  # fmt: skip


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One declared field: `value_in_base_unit = stored_value * scale`."""

    name: str
    unit: str
    help: str
    counter: bool
    scale: float
    text: bool

    @property
    def metric_name(self) -> str:
        """The field's name on `/metrics`: base unit at the end, no `_total` (the client library adds it)."""
        for suffix in _SUFFIX_OF_SCALE:
            if self.name.endswith(suffix):
                return f"{self.name.removesuffix(suffix)}_{self.unit}"
        return self.name


def metric(unit: str, help: str, *, counter: bool = False, scale: float = 1.0) -> msgspec.Meta:  # noqa: A002
    """Declare a sample's field. `unit` is the base unit; `scale` turns the stored integer into it.

    A field holds what was read: a count of nanoseconds is `metric("seconds", …, counter=True, scale=1e-9)`.
    None in such a field means "not readable here"; 0 means zero.
    """
    return msgspec.Meta(extra={"unit": unit, "help": help, "counter": counter, "scale": scale})


class Sample(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One raw reading of one kind of thing at one instant. The instant stands in the Reading that carries it.

    `entity` names the thing, unique within the kind: `core:3`, `worker:812:40211` (pid, start in clock ticks).
    """

    kind: ClassVar[str]
    doc: ClassVar[str]
    tier: ClassVar[Tier] = "raw"

    entity: str

    @property
    def notable(self) -> bool:
        """Whether a sample of tier `notable` is worth storing by itself."""
        return True


@cache
def fields_of(kind: type[Sample]) -> Sequence[FieldSpec]:
    """The declared fields of a sample type, in order, without `entity`."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_spec(name, hints[name]) for name in kind.__struct_fields__ if name != "entity")


def _spec(name: str, hint: Any) -> FieldSpec:
    metas = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, msgspec.Meta) and m.extra]
    if not metas:
        raise TypeError(f"field {name!r} of a sample does not declare its unit with metric()")
    extra = metas[0].extra or {}
    text = str in getattr(hint.__origin__, "__args__", (hint.__origin__,))
    return FieldSpec(name=name, text=text, **extra)
