"""The record of mutation testing adds up, and every mutant that no test killed has its reason."""

import ast
import json
from collections.abc import Iterator

from assurance import mutants

RECORD = json.loads(mutants.RECORD.read_text())


def defined(module: str) -> Iterator[str]:
    """The functions of a module, and the methods of its classes as `Class.method`."""
    for node in ast.parse((mutants.ROOT / f"{module}.py").read_text()).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef))


def test_every_survivor_of_the_record_is_explained() -> None:
    assert set(RECORD) <= set(mutants.ROOMS)
    assert not [key for room in RECORD.values() for key, reason in room["survivors"].items() if not reason]


def test_nine_in_ten_are_killed_in_every_room() -> None:
    for name, room in RECORD.items():
        assert room["mutants"] == room["killed"] + room["words"] + len(room["survivors"]), name
        assert room["killed"] / room["mutants"] >= 0.9, name


def test_every_survivor_is_in_code_that_exists() -> None:
    places = {tuple(key.split(": ")[0].split(":")) for room in RECORD.values() for key in room["survivors"]}
    functions = {module: set(defined(module)) for module, _ in places}
    assert [f"{module}:{name}" for module, name in sorted(places) if name not in functions[module]] == []


def test_every_file_and_test_of_a_room_exists() -> None:
    for sources, tests in mutants.ROOMS.values():
        assert [pattern for pattern in sources if not list(mutants.ROOT.glob(pattern))] == []
        assert [name for name in tests if not (mutants.ROOT / f"tests/test_{name}.py").exists()] == []
