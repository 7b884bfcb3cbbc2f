"""Which tables, columns and view does the declaration of a sample type make?"""

from collections.abc import Mapping

from collectors.collector import all_collectors
from collectors.sample import FieldSpec, Sample, fields_of

Kinds = Mapping[str, type[Sample]]
"""Sample types by kind, which is also the name of their table."""

_TAKEN = frozenset(
    {"entity", "field", "kind", "meta", "minute", "minutes", "reading", "finding", "time", "profile", "profile_text",
     "profile_stack", "profile_count", "profile_line", "profile_detail", "profile_samples", "profile_seen", "tick", "document",
     "change", "judgement", "acknowledged", "rule_version"}
)  # fmt: skip


def producers() -> Mapping[str, tuple[str, ...]]:
    """Kinds of samples that several collectors make, with those collectors."""
    found: dict[str, list[str]] = {}
    for collector in all_collectors():
        for kind in collector.samples:
            found.setdefault(kind.kind, []).append(collector.name)
    return {kind: tuple(names) for kind, names in found.items() if len(names) > 1}


def known_kinds() -> dict[str, type[Sample]]:
    """The sample types of every collector that is installed."""
    return {kind.kind: kind for collector in all_collectors() for kind in collector.samples}


def table_sql(kind: type[Sample]) -> str:
    """The table of raw rows. SQLite keeps the comments, so `.schema` explains the columns."""
    columns = "".join(f"  {column_sql(spec)}, -- {_remark(spec)}\n" for spec in fields_of(kind))
    return (
        f"CREATE TABLE IF NOT EXISTS {quoted(table_name(kind))} (\n"
        "  time INTEGER NOT NULL, -- milliseconds since meta.epoch_unix_seconds\n"
        "  entity INTEGER NOT NULL, -- entity.id\n"
        f"{columns}"
        "  PRIMARY KEY (time, entity)\n"
        ") WITHOUT ROWID"
    )


def insert_sql(kind: type[Sample]) -> str:
    names = ["time", "entity", *(spec.name for spec in fields_of(kind))]
    columns = ", ".join(map(quoted, names))
    return f"INSERT OR REPLACE INTO {quoted(table_name(kind))} ({columns}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608


def view_sql(kind: type[Sample], epoch_unix_seconds: int) -> str:
    """The view KIND_rates: base units; a counter per second since the entity's row before, NULL where it was reset."""
    columns = ",\n".join(f"  {_view_column(spec)}" for spec in fields_of(kind))
    return (
        f"CREATE VIEW {quoted(table_name(kind) + '_rates')} AS SELECT\n"
        f"  {epoch_unix_seconds} + r.time / 1000.0 AS unix_seconds,\n"
        f"  e.key AS entity,\n  e.label AS label,\n{columns}\n"
        f"FROM {quoted(table_name(kind))} AS r JOIN entity AS e ON e.id = r.entity\n"
        "WINDOW w AS (PARTITION BY r.entity ORDER BY r.time)"
    )


def table_name(kind: type[Sample]) -> str:
    if kind.kind in _TAKEN or not kind.kind.isidentifier():
        raise ValueError(f"{kind.__name__}: kind {kind.kind!r} cannot name a table")
    return kind.kind


def column_sql(spec: FieldSpec) -> str:
    return f"{quoted(spec.name)} {'TEXT' if spec.text else 'INTEGER'}"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _remark(spec: FieldSpec) -> str:
    if spec.text:
        return "text"
    scale = "" if spec.scale == 1 else f", x {spec.scale:g}"
    return f"{spec.unit}{scale}{', counter' if spec.counter else ''}"


def _view_column(spec: FieldSpec) -> str:
    column = f"r.{quoted(spec.name)}"
    scale = "" if spec.scale == 1 else f" * {spec.scale!r}"
    if not spec.counter:
        return f"{column}{scale} AS {quoted(spec.metric_name)}"
    before = f"LAG({column}) OVER w"
    rate = f"({column} - {before}){scale} * 1000.0 / (r.time - LAG(r.time) OVER w)"
    return f"CASE WHEN {column} >= {before} THEN {rate} END AS {quoted(spec.metric_name + '_per_second')}"
