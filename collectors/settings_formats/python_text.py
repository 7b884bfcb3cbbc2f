"""What does a configuration in Python set to plain values? Nothing is run.

Only assignments of literals in the body of the module count. A name that is bound in any other way is computed, and
where the code may bind any name no name is known.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Final

from collectors.settings_formats.values import NotUnderstood, Unknown, Value, text_of

LIMIT_BYTES: Final = 64 * 1024
_NESTING_LIMIT: Final = 24
"""Of brackets: the time of Python's parser may double with each."""
_MARKS_LIMIT: Final = 1 << 14
_DOTS_LIMIT: Final = 64
"""Of one dotted name: its parser's memory grows with their square."""
_REACHES_ALL: Final = frozenset(("exec", "eval", "globals", "locals", "vars", "setattr", "__import__", "execfile"))
_ATTRIBUTES: Final = frozenset(("modules", "__dict__", "__globals__", "f_globals"))
_COMPUTES = Unknown("computes")
_BRACKETS = re.compile(rb"[()\[\]{}]")
_MARKS = re.compile(rb"[^\w\s\\.\x80-\xff]|\n")
_NO_DOTTED_NAME = re.compile(rb"[^\w\s\\.\x80-\xff]+")
_Statement = ast.stmt | ast.ExceptHandler | ast.match_case


def parse_python(content: bytes) -> Value:
    """Name -> value of the module; Unknown where it is computed; `import PACKAGE` -> True for what it imports anywhere.
    Raises NotUnderstood, which tells the imports too."""
    tree = _tree(content)
    imports: dict[str, Value] = {f"import {package}": True for package in _imported(tree)}
    try:
        _refuse_what_reaches_all(tree)
        return imports | _assigned(tree)
    except NotUnderstood as no:
        raise NotUnderstood(no.reason, imports) from no
    except RecursionError as error:  # `elif` after `elif`: each is nested in the one before
        raise NotUnderstood("nested too deep", imports) from error


def _assigned(tree: ast.Module) -> dict[str, Value]:
    names: dict[str, Value] = {}
    for statement in tree.body:
        for name, value in _bound(statement):
            names[name] = _COMPUTES if value is None else _literal(value)
    for name in _bound_elsewhere(tree):
        names[name] = _COMPUTES
    for name in _used_containers(tree, names):
        names[name] = _COMPUTES
    return names


def _tree(content: bytes) -> ast.Module:
    if len(content) > LIMIT_BYTES:
        raise NotUnderstood(f"longer than {LIMIT_BYTES} bytes")
    depth = 0
    for bracket in _BRACKETS.findall(content):
        depth = depth + 1 if bracket in b"([{" else max(depth - 1, 0)
        if depth > _NESTING_LIMIT:
            raise NotUnderstood(f"brackets are nested deeper than {_NESTING_LIMIT}")
    if len(_MARKS.findall(content)) > _MARKS_LIMIT:
        raise NotUnderstood(f"more than {_MARKS_LIMIT} lines and operators")
    if any(run.count(b".") > _DOTS_LIMIT for run in _NO_DOTTED_NAME.split(content)):
        raise NotUnderstood(f"more than {_DOTS_LIMIT} dots in a row")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text_of(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotUnderstood("not Python of this version") from error


def _imported(tree: ast.Module) -> Iterator[str]:
    """The packages that are imported, wherever that stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _refuse_what_reaches_all(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _REACHES_ALL:
            raise NotUnderstood(f"uses {node.id}, which may set anything")
        if isinstance(node, ast.Attribute) and node.attr in _ATTRIBUTES:
            raise NotUnderstood(f"uses {node.attr}, which may set anything")
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            raise NotUnderstood("imports *, which may set anything")


def _bound(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    """(name, value) that a statement of the module's body binds; the value is None where it is not a plain one."""
    if isinstance(statement, ast.Assign):
        plain = all(isinstance(target, ast.Name) for target in statement.targets)
        if len(statement.targets) > 1 and not isinstance(statement.value, ast.Constant):
            plain = False  # one list under several names
        for target in statement.targets:
            for name in _names(target):
                yield name, statement.value if plain else None
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        if statement.value is not None:
            yield statement.target.id, statement.value
    else:
        for name in _bindings(statement):
            yield name, None


def _names(target: ast.AST) -> Iterator[str]:
    """The names that are set, changed in part, or deleted by a target."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            yield node.id


def _bindings(statement: _Statement) -> Iterator[str]:
    """The names that a statement binds in the module, however deep in its blocks."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
            return
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in aliases)
            return
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            for target in targets:
                yield from _names(target)
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            yield from _names(target)
        case ast.For(target=target) | ast.AsyncFor(target=target):
            yield from _names(target)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            for item in items:
                yield from _names(item.optional_vars) if item.optional_vars else ()
        case ast.ExceptHandler(name=str(caught)):
            yield caught
        case ast.match_case(pattern=pattern):
            yield from _captured(pattern)
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _bindings(child)


def _captured(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def _bound_elsewhere(tree: ast.Module) -> Iterator[str]:
    """Names that a function may bind in the module, and those of `:=`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
            yield node.target.id


def _used_containers(tree: ast.Module, names: dict[str, Value]) -> Iterator[str]:
    """Lists and maps that are used again: they may be changed in place."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Name)
            and not isinstance(node.ctx, ast.Store)
            and isinstance(names.get(node.id), list | dict)
        ):
            yield node.id


def _literal(node: ast.expr) -> Value:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if number is not True:
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item) for item in items]
        case ast.Dict(keys=keys, values=values) if all(_is_text(key) for key in keys):
            texts = [key.value for key in keys if isinstance(key, ast.Constant)]
            return {str(text): _literal(value) for text, value in zip(texts, values, strict=True)}
        case _:
            return _COMPUTES


def _is_text(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str)
