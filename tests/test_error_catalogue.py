"""Each error kind has a code of its own, is raised somewhere, and gets the values that its sentences name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from types import ModuleType

import pytest

from clearance.errors import ErrorKind
from tools import error_reference

CATALOGUES = list(error_reference.catalogues())
KINDS = {
    f"{catalogue.__name__}.{name}": kind
    for catalogue in CATALOGUES
    for name, kind in error_reference.kinds(catalogue).items()
}
ROOMS = {catalogue.__name__.removesuffix(".faults").rpartition(".")[2] for catalogue in CATALOGUES}


class AnyValue(str):
    """A value that any format fits."""

    def __format__(self, _: str) -> str:
        return str(self)


@dataclass(frozen=True)
class Use:
    """Where code names an error kind; `values` are the keywords of a call that gives them one by one."""

    place: str
    kind: str
    values: frozenset[str] | None


def fields(kind: ErrorKind) -> frozenset[str]:
    """The values that the sentences of an error kind name."""
    templates = (kind.fault, kind.hint)
    names = [name for text in templates for _, name, _, _ in Formatter().parse(text) if name is not None]
    return frozenset(re.split(r"[.\[]", name)[0] for name in names)


def uses(path: Path) -> Iterator[Use]:
    """Every error kind that a module names, by an imported catalogue or, inside a catalogue, by itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = ".".join(path.relative_to(error_reference.ROOT).with_suffix("").parts)
    aliases = {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            kind = f"{aliases.get(node.value.id, '')}.{node.attr}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            kind = aliases.get(node.id, f"{module}.{node.id}")
        else:
            continue
        if kind in KINDS:
            yield Use(
                f"{path.relative_to(error_reference.ROOT)}:{node.lineno}", kind, _values(calls.get(id(node)))
            )


def _values(call: ast.Call | None) -> frozenset[str] | None:
    if call is None or any(keyword.arg is None for keyword in call.keywords):
        return None
    return frozenset(keyword.arg for keyword in call.keywords if keyword.arg)


USES = [
    use
    for room in error_reference.ROOMS
    for path in sorted((error_reference.ROOT / room).rglob("*.py"))
    for use in uses(path)
]


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda catalogue: catalogue.__name__)
def test_a_code_is_the_room_and_a_name_in_snake_case(catalogue: ModuleType) -> None:
    classes = error_reference.kinds(catalogue)
    codes = {name: kind.code for name, kind in classes.items()}
    assert {name for name, code in codes.items() if not re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", code)} == set()
    assert {code.partition(".")[0] for code in codes.values()} <= ROOMS | {"tasks"}


def test_a_module_without_a_catalogue_lists_its_own_kinds() -> None:
    assert {"files.missing", "run_lock.checkout_busy"} <= {kind.code for kind in KINDS.values()}


def test_no_two_kinds_share_a_code() -> None:
    counts = Counter(kind.code for kind in KINDS.values())
    assert [code for code, count in counts.items() if count > 1] == []


def test_every_kind_is_raised_somewhere() -> None:
    assert sorted(KINDS.keys() - {use.kind for use in USES}) == []


def test_a_call_gives_the_values_that_the_sentences_name() -> None:
    calls = [use for use in USES if use.values is not None]
    assert len(calls) > 100
    assert [
        f"{use.place}: {KINDS[use.kind].code} lacks {sorted(missing)}"
        for use in calls
        if (missing := fields(KINDS[use.kind]) - (use.values or frozenset()))
    ] == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.code)
def test_its_sentences_are_one_message_and_one_hint(kind: ErrorKind) -> None:
    error = kind(**{name: AnyValue(name) for name in fields(kind)})
    assert error.code == kind.code
    assert error.fault.strip() and error.hint.strip()
    assert not re.search(r"\bmend\b", f"{error.fault} {error.hint}")


def test_the_reference_lists_every_code() -> None:
    assert error_reference.PAGE.read_text(encoding="utf-8") == error_reference.page(), "run `make errors`"
