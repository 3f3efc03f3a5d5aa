"""The record of mutation testing adds up, and every mutant that no test killed has its reason."""

import json

from assurance import mutants

RECORD = json.loads(mutants.RECORD.read_text())


def test_every_survivor_of_the_record_is_explained() -> None:
    assert set(RECORD) <= set(mutants.ROOMS)
    assert not [key for room in RECORD.values() for key, reason in room["survivors"].items() if not reason]


def test_nine_in_ten_are_killed_in_every_room() -> None:
    for name, room in RECORD.items():
        assert room["mutants"] == room["killed"] + room["words"] + len(room["survivors"]), name
        assert room["killed"] / room["mutants"] >= 0.9, name


def test_every_file_and_test_of_a_room_exists() -> None:
    for sources, tests in mutants.ROOMS.values():
        assert [pattern for pattern in sources if not list(mutants.ROOT.glob(pattern))] == []
        assert [name for name in tests if not (mutants.ROOT / f"tests/test_{name}.py").exists()] == []
