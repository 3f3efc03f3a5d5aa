"""How many people of which role are still missing, when each person fills one place only.

A matching: somebody with two roles takes the one that nobody else can, whatever order people agreed in.
"""

from __future__ import annotations

from collections.abc import Mapping


def assigned(able: Mapping[str, frozenset[str]], wanted: Mapping[str, int]) -> dict[str, list[str]]:
    """For each role in `wanted`, who fills its places (at most as many as wanted); as many as can be in all.

    `able` maps a person to the roles they could fill. The same for every order of people and roles:
    augmenting paths over sorted names.
    """
    filled: dict[str, list[str]] = {role: [] for role in sorted(wanted)}
    for person in sorted(able):
        _place(person, able, wanted, filled, set())
    return filled


def missing(able: Mapping[str, frozenset[str]], wanted: Mapping[str, int]) -> dict[str, int]:
    """How many people of each role are still needed; a role that is full is left out."""
    filled = assigned(able, wanted)
    return {role: wanted[role] - len(filled[role]) for role in filled if len(filled[role]) < wanted[role]}


def _place(
    person: str,
    able: Mapping[str, frozenset[str]],
    wanted: Mapping[str, int],
    filled: dict[str, list[str]],
    tried: set[str],
) -> bool:
    """Give the person a place, moving others to another of their roles where that makes one free."""
    for role in sorted(able[person] & filled.keys()):
        if role in tried:
            continue
        tried.add(role)
        if len(filled[role]) < wanted[role]:
            filled[role].append(person)
            return True
        for place, other in enumerate(filled[role]):
            if _place(other, able, wanted, filled, tried):
                filled[role][place] = person
                return True
    return False
