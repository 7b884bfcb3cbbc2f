"""Into which stages of preparing inputs does CPU time go: decoding, tokenising, features?"""

import re
from collections.abc import Mapping

from advisor.profiling.view import ProfileView, Share, sampling_error

CLASSES = ("decode", "tokenise")
NAMES = {"decode": "decoding", "tokenise": "tokenising", "features": "features"}
COMPILED = "tokenise-compiled"
_COMPILED = re.compile(
    r"\.so\b|TokenizerFast|tokenization_utils_(?:fast|tokenizers)|\btokenizers[./]|tiktoken|sentencepiece",
    re.IGNORECASE,
)


def stages_of(limit: ProfileView) -> dict[str, Share]:
    """Shares of the stages. `features`: the rest of what the names of functions call preprocessing, less what takes
    payloads apart, with a binomial error."""
    classes = {name: limit.share(name) for name in CLASSES}
    cores = limit.cores or 1.0
    phase = sum(w.phases.get("preprocess", 0.0) * w.cores for w in limit.workers) / cores
    rest = max(0.0, phase - sum(s.value for s in classes.values()) - limit.share("serialise").value)
    return {**classes, "features": Share(rest, sampling_error(rest, limit.samples))}


def together(stages: Mapping[str, Share]) -> Share:
    return Share(sum(s.value for s in stages.values()), sum(s.error**2 for s in stages.values()) ** 0.5)


def largest(stages: Mapping[str, Share]) -> str:
    return max(stages, key=lambda name: stages[name].value)


def kind_of(name: str, limit: ProfileView) -> str:
    """The stage, or `COMPILED` for tokenising by a shared library, as functions of it or of what calls it show."""
    spots = [s for w in limit.workers for s in w.hot if s.work == "tokenise"]
    return COMPILED if name == "tokenise" and any(_COMPILED.search(spot.where) for spot in spots) else name


def stages_told(stages: Mapping[str, Share]) -> str:
    """`Decoding 70%, features 2%`, as a sentence begins."""
    parts = [f"{NAMES[name]} {s.value:.0%}" for name, s in stages.items() if s.value >= 0.01]
    return ", ".join(parts).capitalize()


def hottest(limit: ProfileView) -> str:
    """The two functions that take most of it, in brackets; empty where none is known."""
    spots = sorted((s for w in limit.workers for s in w.hot if s.work in CLASSES), key=lambda s: -s.share)
    names = list(dict.fromkeys(spot.where for spot in spots))[:2]
    return f" ({'; '.join(names)})" if names else ""
