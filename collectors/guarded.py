"""What if a framework's file has a fault? It costs that framework its own answer, and not the search for services."""

import functools
import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger("nodewright.frameworks")


def guard(kind: type, answers: dict[str, Callable[..., Any]]) -> None:
    """Let each method of `kind` that is named in `answers` give that answer where it raises. The first time of each is
    logged with its traceback."""
    for name, otherwise in answers.items():
        method = vars(kind).get(name)
        if callable(method):
            setattr(kind, name, _guarded(method, otherwise))


def _guarded(method: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def answer(self: Any, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except Exception:
            where = f"{type(self).__name__}.{method.__name__}"
            log.exception("%s failed; it goes on without", where, extra={"once": f"framework {where}"})
            return otherwise(self, *arguments)

    return answer
