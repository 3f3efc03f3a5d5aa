"""A claim, and how it becomes a sentence: its template, with every value read from an artefact.

Pure: the same artefacts give the same sentence. What cannot be derived becomes a gap, never a guess.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from clearance.documents.sentences import DerivedClaim, Gap, Reference, Source
from clearance.reporting.claims import artefacts, formatters
from clearance.reporting.claims.artefacts import Artefact, Artefacts

RUN = "clearance run"
"""The command that writes the artefacts of a project."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence to derive: `template` names its values in braces, `sources` says where each is read.

    `about` names it where it cannot be derived, and `command` is what would fill that gap.
    """

    template: str
    sources: Mapping[str, Source]
    about: str
    command: str = RUN

    def __post_init__(self) -> None:
        named = placeholders(self.template)
        if named != set(self.sources):
            raise ValueError(f"the template names {sorted(named)}, the sources {sorted(self.sources)}")


def placeholders(template: str) -> set[str]:
    """The names in braces. Raises ValueError on a field that is not a plain name."""
    names = set()
    for _, name, form, conversion in string.Formatter().parse(template):
        if name is not None:
            if not name.isidentifier() or form or conversion:
                raise ValueError(f"{name!r} is not a plain name")
            names.add(name)
    return names


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with each value in place; what looks like a placeholder in a value stays text.

    After a value that ends in a full stop, the template adds none.
    """
    filled, value = "", ""
    for text, name, *_ in string.Formatter().parse(template):
        filled += text[1:] if text.startswith(".") and value.endswith(".") else text
        value = values[name] if name is not None else ""
        filled += value
    return filled


def derive(claim: Claim, known: Artefacts) -> DerivedClaim | Gap:
    """The claim as a sentence, or the gap that is in its place."""
    values, digests = {}, {}
    for name, source in claim.sources.items():
        try:
            values[name] = render(source, known)
        except artefacts.NothingThere as missing:
            return Gap(what=f"{claim.about}: {missing.args[0]}", command=claim.command)
        for reference in (source, *(source.beside or ())):
            digests[reference.artefact] = known[reference.artefact].sha256
    return DerivedClaim(
        template=claim.template,
        sources=dict(claim.sources),
        values=values,
        text=fill(claim.template, values),
        digests=dict(sorted(digests.items())),
    )


def render(source: Source, known: Artefacts) -> str:
    """The value at a source in words.

    Raises NothingThere, with a phrase that says what is missing, where there is no such artefact or value, or
    the value is not what its formatter words.
    """
    value = _look_up(source, known)
    ends = [
        end for reference in source.beside or () for end in formatters.limit_ends(_look_up(reference, known))
    ]
    if source.formatter in formatters.KEYS:
        value = artefacts.last_key(source.pointer)
    if (formatter := formatters.FORMATTERS.get(source.formatter)) is None:
        raise artefacts.NothingThere(f"there is no formatter {source.formatter}")
    try:
        return formatter(value, ends)
    except formatters.UnfitValue as unfit:
        place = f"{source.pointer or '/'} of {source.artefact}"
        raise artefacts.NothingThere(f"{place} is not {unfit}") from None


def _look_up(reference: Reference, known: Artefacts) -> object:
    artefact: Artefact | None = known.get(reference.artefact)
    if artefact is None:
        raise artefacts.NothingThere(f"{reference.artefact} is missing or cannot be read")
    content = artefact.content
    try:
        return artefacts.at(content, reference.pointer)
    except artefacts.NothingThere:
        if isinstance(content, Mapping) and content.get("status") == "blocked":
            because = f"{reference.artefact} was not measured: {content.get('because')}"
            raise artefacts.NothingThere(because) from None
        raise artefacts.NothingThere(f"{reference.artefact} has nothing at {reference.pointer}") from None
