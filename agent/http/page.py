"""How is a page of `/metrics` written quickly? prometheus-client writes a family once; after that only its values are new.

Which series a family has changes rarely, and escaping their labels is most of the work.
"""

from collections.abc import Callable, Iterable
from threading import Lock
from typing import NamedTuple

from agent.http.family import Family, metric_of
from agent.http.labels import Labels

_END = "# EOF\n"
_MOST_FORMATS = 4
"""That one Prometheus, a person and a test ask for; beyond that what was kept is dropped."""


class _Written(NamedTuple):
    """A family as it was written last: its help and type, and each of its lines up to the value."""

    series: tuple[Labels, ...]
    text: str
    top: str
    heads: tuple[str, ...]


class Pages:
    """Any thread may ask; one page is written at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._formats: dict[str, dict[str, _Written]] = {}

    def written(self, families: Iterable[Family], accept: str) -> tuple[bytes, str]:
        """The page and its content type, in the format that the header `Accept` asks for."""
        from prometheus_client.exposition import choose_encoder

        encode, content_type = choose_encoder(accept)
        with self._lock:
            if content_type not in self._formats and len(self._formats) >= _MOST_FORMATS:
                self._formats.clear()
            before = self._formats.get(content_type, {})
            now: dict[str, _Written] = {}
            parts = [self._family(family, encode, before, now) for family in families]
            self._formats[content_type] = now
        end = _END if content_type.startswith("application/openmetrics-text") else ""
        return "".join((*parts, end)).encode(), content_type

    @staticmethod
    def _family(
        family: Family, encode: Callable[..., bytes], before: dict[str, _Written], now: dict[str, _Written]
    ) -> str:
        from prometheus_client import utils

        number: Callable[[float], str] = utils.floatToGoString
        known = before.get(family.name)
        if known is None or known.text != family.text or known.series != tuple(family.values):
            known = _write(family, encode)
        now[family.name] = known
        values = family.values.values()
        return known.top + "".join([f"{head} {number(v)}\n" for head, v in zip(known.heads, values, strict=True)])


def _write(family: Family, encode: Callable[..., bytes]) -> _Written:
    metric = metric_of(family)
    lines = (
        encode(_One(metric)).decode().removesuffix(_END).removesuffix("\n").split("\n")
    )  # a label may hold \r or U+2028
    split = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    heads = tuple(line.rpartition(" ")[0] for line in lines[split:])
    return _Written(tuple(family.values), family.text, "".join(f"{line}\n" for line in lines[:split]), heads)


class _One:
    """A collector of one family."""

    def __init__(self, metric: object) -> None:
        self._metric = metric

    def collect(self) -> tuple[object, ...]:
        return (self._metric,)
