"""What is a Pyroscope server sent of a profile?

Folded stacks to `POST URL/ingest`, one request for each side, in the form that Pyroscope 2 reads: the query in
pkg/ingester/pyroscope/ingest_handler.go, the name in api/model/labelset, the type of the profile (what follows the name's last
dot) in ingest_adapter.go, the lines in pkg/og/convert/parser.go.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from advisor.profiling.sides import totals
from advisor.profiling.stored import Side, StoredProfile
from agent.profiling.formats.collapsed import folded

_SCALED_HERTZ = 100
_MOST_LINE_BYTES = 60_000
"""The server reads lines of 64 KiB at most, and nothing after a longer one."""
_NO_NAME = re.compile(r"[^0-9A-Za-z_./-]")
"""What may not be in an application's name; the server refuses the profile with 400."""
_APPLICATION: dict[Side, str] = {"cpu": "", "gil": "/gil", "native": "/native"}
"""An application for each side that is sent, so that no graph adds up two of them. Waits are not: they are joined with stacks
at rare looks, and no seconds can be made of them."""


def requests_of(profile: StoredProfile, labels: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """Path with query, and body, of the requests that send a profile: one for each side that has samples.

    Counts over `sampleRate` are seconds of a thread. A rate that is no whole number is sent as 100, with counts scaled
    to it, and so are native samples, which together stand for the CPU time of the process where that was measured.
    """
    start = int(profile.at_unix_seconds)
    requests = []
    for side, total in totals(profile).items():
        if not total or side not in _APPLICATION:
            continue
        rate, factor = _rate(profile, side, total)
        stacks = folded(profile, side, threads=True)
        query = {
            "name": _name(profile, side, labels),
            "from": start,
            "until": max(start + 1, round(profile.at_unix_seconds + profile.seconds)),
            "format": "folded",
            "sampleRate": rate,
            "units": "samples",
            "spyName": "nodewright",
            "aggregationType": "sum",
        }
        lines = (_line(stack, round(count * factor)) for stack, count in stacks.items() if round(count * factor))
        requests.append((f"/ingest?{urlencode(query, quote_via=quote)}", b"".join(lines)))
    return requests


def _rate(profile: StoredProfile, side: Side, total: int) -> tuple[int, float]:
    """Looks a second, and what counts are multiplied with."""
    if side == "native" and profile.digest is not None and profile.digest.cores > 0:
        return _SCALED_HERTZ, profile.digest.cores * profile.digest.seconds * _SCALED_HERTZ / total
    if profile.hertz >= 1 and profile.hertz == int(profile.hertz):
        return int(profile.hertz), 1.0
    return _SCALED_HERTZ, _SCALED_HERTZ / profile.hertz if profile.hertz > 0 else 1.0


def _line(stack: str, count: int) -> bytes:
    """A stack with its count; of one that is too long the outermost frames are left out."""
    frames = stack.encode("utf-8", "replace")
    if len(frames) > _MOST_LINE_BYTES:
        frames = b"..." + frames[-_MOST_LINE_BYTES:].decode("utf-8", "ignore").encode()
        frames = b"...;" + (frames.partition(b";")[2] or frames[3:])
    return b"%s %d\n" % (frames, count)


def _name(profile: StoredProfile, side: Side, labels: Mapping[str, str]) -> str:
    """`SERVICE.cpu{side=cpu,slot=0,kind=burst}`: labels that stay few, so no pid. What follows the last dot is the type of
    the profile to the server."""
    service = profile.service or "unknown"
    own = {"side": side, "kind": profile.kind, "service": service}
    own |= {} if profile.slot is None else {"slot": str(profile.slot)}
    pairs = ",".join(f"{_clean(key)}={_clean(value)}" for key, value in sorted((dict(labels) | own).items()))
    return f"{_NO_NAME.sub('_', service)}{_APPLICATION[side]}.cpu{{{pairs}}}"


def _clean(text: str) -> str:
    """Without what separates names and labels."""
    return "".join(c if c.isprintable() and c not in '{}=," ' else "_" for c in text) or "_"
