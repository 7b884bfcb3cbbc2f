"""All hosts on which rules are tried: what their tests build without being told anything."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from advisor.facts import ServiceFacts
from advisor.view import View
from tests.advisor.built import facts

Host = tuple[View, ServiceFacts]
FOLDER = Path(__file__).parent / "rules"


@cache
def every_host() -> tuple[tuple[str, Host], ...]:
    """Names and hosts, each once. A test module that makes facts of a view has its hosts with those as well."""
    found: dict[str, Host] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(f"tests.advisor.rules.{path.stem}")
        for name, made in _made(module):
            if isinstance(made, View):
                for key, known in _known(module, made):
                    found.setdefault(f"{name}{key}", (made, known))
            elif isinstance(made, tuple) and [type(part) for part in made] == [View, ServiceFacts]:
                found.setdefault(name, made)
    return tuple(found.items())


def _functions(module: ModuleType, required: int) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Functions of the module and those that it imports from others here, with so many arguments that must be given."""
    for name, one in vars(module).items():
        if not inspect.isfunction(one) or not one.__module__.startswith("tests.advisor.") or name.startswith("test_"):
            continue
        arguments = inspect.signature(one).parameters.values()
        needed = [p for p in arguments if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        if len(needed) == required and not any(p.kind is p.VAR_POSITIONAL for p in arguments):
            yield f"{one.__module__}.{name}", one


def _made(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, build in _functions(module, 0):
        yield name, build()


def _known(module: ModuleType, seen: View) -> Iterator[tuple[str, ServiceFacts]]:
    yield "", facts(seen, environ={})
    yield " unread", facts(seen)
    for name, build in _functions(module, 1):
        told = inspect.get_annotations(build, eval_str=True)
        if build is not facts and told.get("return") is ServiceFacts and View in list(told.values())[:-1]:
            yield f" + {name}", build(seen)
