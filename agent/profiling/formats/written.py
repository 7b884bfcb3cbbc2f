"""Which bytes does a profile become in each format, and as what are they served?"""

from typing import Literal, get_args

import msgspec

from advisor.profiling.stored import Side, StoredProfile

Format = Literal["speedscope", "collapsed", "svg", "text"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA = {
    "speedscope": "application/json",
    "collapsed": "text/plain",
    "svg": "image/svg+xml",
    "text": "text/plain",
}


def written(profile: StoredProfile, style: Format, side: Side | None = None) -> bytes:
    """The profile as `style`; `side` None: the first that it has (speedscope holds all). What is rarely used is loaded
    here only."""
    match style:
        case "speedscope":
            from agent.profiling.formats.speedscope import speedscope

            return msgspec.json.encode(speedscope(profile))
        case "collapsed":
            from agent.profiling.formats.collapsed import collapsed

            return collapsed(profile, side=side).encode("utf-8", "replace")
        case "svg":
            from agent.profiling.formats.flamegraph import flamegraph

            return flamegraph(profile, side=side).encode("utf-8", "replace")
        case "text":
            from agent.profiling.formats.text import profile_text

            return profile_text(profile, side).encode("utf-8", "replace")
