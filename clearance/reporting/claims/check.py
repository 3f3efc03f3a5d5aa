"""Whether a document still says what its artefacts say: every value and every sentence, derived again.

Pure: it reads a document and artefacts, and changes neither. A document is any typed value that holds
sentences; the technical file and the model card are checked alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from clearance.documents import codec
from clearance.documents.sentences import DerivedClaim, Gap, Sentence, Statement
from clearance.reporting.claims import artefacts, claim
from clearance.reporting.claims.artefacts import Artefacts


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that a document says and its artefacts do not.

    `place` is a JSON Pointer into the document. `pointer` leads to the value in the artefact; empty where the
    whole artefact is meant. `stated` is what the document has there, `actual` what is right.
    """

    place: str
    artefact: str
    pointer: str
    stated: str
    actual: str

    def __str__(self) -> str:
        source = " ".join(part for part in (self.artefact, self.pointer) if part)
        by = f" by {source}" if source else ""
        return f"{self.place or 'as a whole'}: it has {self.stated!r}, right{by} is {self.actual!r}"


def sentences(document: Any, place: str = "") -> Iterator[tuple[str, Sentence]]:
    """Every sentence in a document, with the JSON Pointer to it."""
    if isinstance(document, DerivedClaim | Statement | Gap):
        yield place, document
    elif is_dataclass(document):
        for field in fields(document):
            yield from sentences(getattr(document, field.name), f"{place}/{field.name}")
    elif isinstance(document, Mapping):
        for key, value in document.items():
            yield from sentences(value, place + artefacts.pointer(key))
    elif isinstance(document, list | tuple):
        for index, value in enumerate(document):
            yield from sentences(value, f"{place}/{index}")


def gaps(document: Any) -> list[Gap]:
    """Every gap in a document."""
    return [sentence for _, sentence in sentences(document) if isinstance(sentence, Gap)]


def check(document: Any, known: Artefacts) -> list[Problem]:
    """What the sentences of a document say otherwise than the artefacts; empty where all of it holds."""
    return [
        problem
        for place, sentence in sentences(document)
        for problem in _check_sentence(place, sentence, known)
    ]


def _check_sentence(place: str, sentence: Sentence, known: Artefacts) -> Iterator[Problem]:
    if isinstance(sentence, DerivedClaim):
        yield from _check_claim(place, sentence, known)
    elif isinstance(sentence, Statement):
        yield from _check_statement(place, sentence, known)


def _check_claim(place: str, sentence: DerivedClaim, known: Artefacts) -> Iterator[Problem]:
    yield from _check_digests(place, sentence.digests, known)
    for name, source in sentence.sources.items():
        try:
            actual = claim.render(source, known)
        except artefacts.NothingThere as missing:
            actual = f"nothing: {missing.args[0]}"
        stated = sentence.values.get(name, "")
        if stated != actual:
            yield Problem(
                place=f"{place}/values/{name}",
                artefact=source.artefact,
                pointer=source.pointer,
                stated=stated,
                actual=actual,
            )
    try:
        text = claim.fill(sentence.template, sentence.values)
    except (KeyError, ValueError):
        text = "a sentence whose template and values fit"
    if text != sentence.text:
        yield Problem(place=f"{place}/text", artefact="", pointer="", stated=sentence.text, actual=text)
    cited = {reference.artefact for s in sentence.sources.values() for reference in (s, *(s.beside or ()))}
    if missing_digests := sorted(cited - set(sentence.digests)):
        yield Problem(
            place=f"{place}/digests",
            artefact=missing_digests[0],
            pointer="",
            stated="no digest",
            actual=known[missing_digests[0]].sha256 if missing_digests[0] in known else "nothing",
        )


def _check_statement(place: str, sentence: Statement, known: Artefacts) -> Iterator[Problem]:
    source = sentence.source
    yield from _check_digests(place, {source.artefact: sentence.digest}, known)
    try:
        written = artefacts.at(known[source.artefact].content, source.pointer)
    except (KeyError, artefacts.NothingThere):
        written = {}
    for name in ("text", "by", "on"):
        actual = str(written.get(name, "nothing")) if isinstance(written, Mapping) else "nothing"
        if getattr(sentence, name) != actual:
            yield Problem(
                place=f"{place}/{name}",
                artefact=source.artefact,
                pointer=f"{source.pointer}/{name}",
                stated=getattr(sentence, name),
                actual=actual,
            )


def _check_digests(place: str, digests: Mapping[str, str], known: Artefacts) -> Iterator[Problem]:
    for name, sha256 in digests.items():
        actual = known[name].sha256 if name in known else "nothing: it is missing or cannot be read"
        if sha256 != actual:
            yield Problem(place=place, artefact=name, pointer="", stated=sha256, actual=actual)


def differences(stored: Any, derived: Any) -> list[Problem]:
    """Where a document differs from the one that was derived again, as JSON, place by place.

    A sentence that somebody changed, added, moved or took away is named here even where it is consistent.
    """
    return list(_differences(codec.write(stored), codec.write(derived), ""))


def _differences(stored: Any, derived: Any, place: str) -> Iterator[Problem]:
    if isinstance(stored, Mapping) and isinstance(derived, Mapping):
        for key in dict.fromkeys((*derived, *stored)):
            below = place + artefacts.pointer(key)
            yield from _differences(stored.get(key, _ABSENT), derived.get(key, _ABSENT), below)
    elif isinstance(stored, list) and isinstance(derived, list):
        for index in range(max(len(stored), len(derived))):
            before, after = (items[index] if index < len(items) else _ABSENT for items in (stored, derived))
            yield from _differences(before, after, f"{place}/{index}")
    elif stored != derived or type(stored) is not type(derived):
        yield Problem(place=place, artefact="", pointer="", stated=_shown(stored), actual=_shown(derived))


_ABSENT = object()


def _shown(value: Any) -> str:
    return "nothing" if value is _ABSENT else str(value)
