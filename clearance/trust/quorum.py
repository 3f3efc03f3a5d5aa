"""How many people of each role are still missing, when each person fills only one place.

A maximum matching: a person with two roles takes the one that nobody else can, in whatever order they agreed.
"""

from __future__ import annotations

from collections.abc import Mapping


def assigned(able: Mapping[str, frozenset[str]], places: Mapping[str, int]) -> dict[str, list[str]]:
    """For each role in `places`, the people who fill its places; as many places as possible are filled.

    `able` maps a person to the roles they could fill. The result does not depend on the order of people and
    roles: augmenting paths over sorted names.
    """
    filled: dict[str, list[str]] = {role: [] for role in sorted(places)}
    for person in sorted(able):
        _place(person, able, places, filled, set())
    return filled


def missing(able: Mapping[str, frozenset[str]], places: Mapping[str, int]) -> dict[str, int]:
    """The number of people still needed for each role; a role that is full is left out."""
    filled = assigned(able, places)
    return {role: places[role] - len(filled[role]) for role in filled if len(filled[role]) < places[role]}


def _place(
    person: str,
    able: Mapping[str, frozenset[str]],
    places: Mapping[str, int],
    filled: dict[str, list[str]],
    tried: set[str],
) -> bool:
    """Give the person a place, moving others to another of their roles where that frees one."""
    for role in sorted(able[person] & filled.keys()):
        if role in tried:
            continue
        tried.add(role)
        if len(filled[role]) < places[role]:
            filled[role].append(person)
            return True
        for place, other in enumerate(filled[role]):
            if _place(other, able, places, filled, tried):
                filled[role][place] = person
                return True
    return False
