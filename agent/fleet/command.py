"""Asks about every figure and hands the answers on."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from advisor.fleet.figures import Figures, Vector, figures_of
from advisor.fleet.items import FleetDocument
from advisor.fleet.judge import judged
from advisor.fleet.queries import Asking
from agent.errors import CliError, reason_of
from agent.fleet.prometheus import NO_ANSWER, Access, Prometheus

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHER = r'[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\\n]|\\.)*"'
_MATCHERS = re.compile(rf"\s*{_MATCHER}(?:\s*,\s*{_MATCHER})*\s*,?\s*")
MOST_SECRET_BYTES = 64 << 10


def asking(since_seconds: float, node_label: str, matchers: str | None) -> Asking:
    """Raises CliError (2) for what cannot stand in a query."""
    if not _LABEL.fullmatch(node_label):
        raise CliError("usage", f"--by {node_label!r} is no name of a label", "such as instance, node or pod")
    if matchers is not None and not _MATCHERS.fullmatch(matchers):
        raise CliError("usage", f"--match {matchers!r} is no list of matchers", 'such as \'job="nodewright",zone="a"\'')
    return Asking(since_seconds=since_seconds, node_label=node_label, matchers=(matchers or "").strip().rstrip(","))


def secret_of(file: Path | None) -> str | None:
    """What a token file holds, without the line's end. Raises CliError (2)."""
    if file is None:
        return None
    try:
        with file.open("rb") as stream:
            text = stream.read(MOST_SECRET_BYTES).decode("ascii").strip()
    except OSError as error:
        raise CliError("fleet.token", f"{file}: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        raise CliError("fleet.token", f"{file}: not a line of ASCII") from error
    if not text or not text.isprintable():
        raise CliError("fleet.token", f"{file}: empty, or more than one line")
    return text


def advice_of_fleet(url: str, access: Access, asked: Asking, timeout_seconds: float) -> FleetDocument:
    """Raises CliError: 2, 4 or 5."""
    server = Prometheus(url, access, timeout_seconds)
    vectors: dict[str, Vector] = {}
    warnings: dict[str, None] = {}
    not_numbers = 0
    try:
        for name, promql in asked.queries().items():
            answered = server.query(promql)
            vectors[name] = answered.vector
            warnings.update(dict.fromkeys(answered.warnings))
            not_numbers += answered.not_numbers
    finally:
        server.close()
    notes = [f"the server warns: {text[:200]}: what it left out is missing here" for text in list(warnings)[:5]]
    if not_numbers:
        notes.append(f"{not_numbers} values were no numbers (NaN or infinite) and are left out")
    return judged(_figures(server, asked, vectors), server.url, _now(), tuple(notes))


def _figures(server: Prometheus, asked: Asking, vectors: Mapping[str, Vector]) -> Figures:
    found = figures_of(asked, vectors)
    if found.all_nodes:
        return found
    some = any(True for _ in vectors["version"])
    what = f"no label {asked.node_label!r} on" if some else "no"
    message = f"{server.url} has {what} series of nodewright in the last {asked.since_seconds:g} s"
    hint = "--by names the label of the node" if some else "does it scrape /metrics of the agents? see docs/fleet.md"
    raise CliError("fleet.no-nodes", message, hint, NO_ANSWER)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
