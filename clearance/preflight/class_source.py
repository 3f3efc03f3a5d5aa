"""What a class takes and offers, read from its source without importing it.

An import of scikit-learn takes longer than everything else that is checked. Where the source does not say,
because a name is made at run time, the answer is None and the caller must import.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from clearance.preflight import argument_values

_DEPTH = 8
"""How many imports are followed from one module to the next."""

_ATTEMPTS = 5
"""How often a source is parsed while other threads interrupt."""

_PLAIN_BASES = {"object", "ABC", "Generic", "Protocol"}


@dataclass(frozen=True, kw_only=True)
class ClassSource:
    """A class: the `arguments` of its constructor (None: any), its methods, and the arguments of `fit`.

    `constraints` are what scikit-learn allows as the value of an argument, each as an expression; None for a
    class that states none.
    """

    arguments: tuple[str, ...] | None
    methods: frozenset[str]
    fit_arguments: frozenset[str]
    constraints: Mapping[str, Sequence[ast.expr]] | None = None

    def surely_takes(self, argument: str, value: Any) -> bool:
        """Whether the source shows that the argument may have this value; where it is silent, it does not."""
        if self.constraints is None:
            return True
        return any(
            argument_values.allows(constraint, value) for constraint in self.constraints.get(argument, ())
        )


@dataclass(frozen=True)
class _Module:
    """A parsed module: its name, whether it is a package, and its statements on the first level."""

    name: str
    is_package: bool
    body: tuple[ast.stmt, ...]


def read(path: str) -> ClassSource | None:
    """The class at an import path; None where its source, or that of a base, does not show it."""
    module, _, name = path.rpartition(".")
    lineage = _lineage(module, name)
    if lineage is None:
        return None
    functions: dict[str, ast.FunctionDef] = {}
    methods: set[str] = set()
    for definition in lineage:
        for statement in definition.body:
            if isinstance(statement, ast.FunctionDef):
                functions.setdefault(statement.name, statement)
                methods.add(statement.name)
    constructor, fit = functions.get("__init__"), functions.get("fit")
    return ClassSource(
        arguments=() if constructor is None else _arguments(constructor),
        methods=frozenset(methods),
        fit_arguments=frozenset((fit and _arguments(fit)) or ()),
        constraints=_constraints(lineage),
    )


def _constraints(lineage: list[ast.ClassDef]) -> Mapping[str, Sequence[ast.expr]] | None:
    """What the classes state in `_parameter_constraints`, the nearest first; None where none does."""
    stated: dict[str, Sequence[ast.expr]] = {}
    states_any = False
    for statement in (statement for definition in lineage for statement in definition.body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.value, ast.Dict):
            continue
        if isinstance(statement.target, ast.Name) and statement.target.id == "_parameter_constraints":
            states_any = True
            for key, allowed in zip(statement.value.keys, statement.value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(allowed, ast.List):
                    stated.setdefault(str(key.value), allowed.elts)
    return stated if states_any else None


def names(module: str) -> tuple[str, ...]:
    """The public names that a module defines or imports; empty where its source is not found."""
    found = _parse(module)
    return tuple(sorted(name for name in _public(found) if name[0].isupper())) if found else ()


def is_installed(module: str) -> bool:
    """Whether the module's source can be found."""
    return _parse(module) is not None


def _lineage(module: str, name: str, depth: int = _DEPTH) -> list[ast.ClassDef] | None:
    """The class and its bases, the nearest first; None where one is not found."""
    found = _find(module, name, depth)
    if found is None:
        return None
    home, definition = found
    lineage = [definition]
    for base in definition.bases:
        target = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(target, ast.Name) and target.id in _PLAIN_BASES:
            continue
        if not isinstance(target, ast.Name) or depth == 0:
            return None
        inherited = _lineage(home, target.id, depth - 1)
        if inherited is None:
            return None
        lineage += inherited
    return lineage


def _find(module: str, name: str, depth: int) -> tuple[str, ast.ClassDef] | None:
    """The module that defines the class, and its definition: imports of it are followed."""
    parsed = _parse(module)
    if parsed is None or depth == 0:
        return None
    for statement in parsed.body:
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            return module, statement
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    return _find(_absolute(parsed, statement), alias.name, depth - 1)
    return None


def _absolute(module: _Module, statement: ast.ImportFrom) -> str:
    if not statement.level:
        return statement.module or ""
    parts = module.name.split(".")
    kept = len(parts) - statement.level + (1 if module.is_package else 0)
    return ".".join([*parts[:kept], *([statement.module] if statement.module else [])])


def _public(module: _Module) -> Iterator[str]:
    for statement in module.body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in statement.names)


@cache
def _parse(module: str) -> _Module | None:
    spec = _spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        tree = _tree(Path(spec.origin).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None
    if tree is None:
        return None
    return _Module(module, spec.submodule_search_locations is not None, tuple(tree.body))


def _tree(source: str) -> ast.Module | None:
    """The source, parsed; None where it could not be.

    CPython 3.11 counts the depth of all parsers of a process together (its issue 106905): one that another
    thread interrupts fails, though the source is sound, and succeeds the next time.
    """
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(SystemError):
            return ast.parse(source)
    return None


def _spec(module: str) -> ModuleSpec | None:
    """Where the module lies; no parent of it is imported."""
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for index in range(len(parts)):
        where = None if spec is None else spec.submodule_search_locations
        if index and where is None:
            return None
        spec = PathFinder.find_spec(".".join(parts[: index + 1]), where)
        if spec is None:
            return None
    return spec


def _arguments(function: ast.FunctionDef) -> tuple[str, ...] | None:
    """The arguments besides `self`; None where it takes any."""
    if function.args.kwarg is not None:
        return None
    positional = [*function.args.posonlyargs, *function.args.args][1:]
    return tuple(argument.arg for argument in (*positional, *function.args.kwonlyargs))
