"""Makes the model card from artefacts. Pure: the same artefacts give the same card, on any day.

A section whose artefact is missing holds a gap; no number outlives the artefact that it came from.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from clearance import files, paths
from clearance.documents.card_document import TITLES, WRITTEN, CardDocument, ClaimTable, Section
from clearance.documents.sentences import Sentence
from clearance.documents.verdict_document import VerdictDocument
from clearance.policy.schema import Policy
from clearance.reporting.card import measured, statements
from clearance.reporting.card.card_text import CardText
from clearance.reporting.card.statements import Stated
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefacts

READ = (
    paths.ORIGIN,
    paths.SPLIT,
    paths.TRAINING,
    paths.PERFORMANCE,
    paths.FAIRNESS,
    paths.EXPLANATION,
    paths.REASONS,
    paths.VERDICT,
    paths.CARD_TEXT,
)
"""Every artefact that a card is made from."""


def read(root: Path, verdict: VerdictDocument) -> dict[str, artefacts.Artefact]:
    """The artefacts of the project at `root`; those that are missing or unreadable are left out.

    Raises IntegrityError when a file that was judged has changed since.
    """
    for path in READ:
        if (recorded := verdict.evidence.get(path.as_posix())) and (root / path).is_file():
            files.verify(root / path, recorded)
    return artefacts.read(root, READ)


def make(known: Artefacts, text: CardText, name: str, as_of: dt.date, policy: Policy) -> CardDocument:
    """The card of the model `name`, judged as of a day under `policy`, from what is known of it."""
    stated = Stated(text=text, model=name, terms=policy.documents_on(as_of), as_of=as_of)
    return CardDocument(
        name=name,
        as_of=as_of.isoformat(),
        sections=tuple(_section(key, known, stated) for key in TITLES),
        artefacts={path: artefact.sha256 for path, artefact in sorted(known.items())},
    )


def _section(key: str, known: Artefacts, stated: Stated) -> Section:
    written = list(statements.statements(key, stated, known)) if key in WRITTEN else []
    parts = list(_MEASURED[key](known)) if key in _MEASURED else []
    sentences = [part for part in parts if not isinstance(part, ClaimTable)]
    return Section(
        id=key,
        title=TITLES[key],
        sentences=(*written, *sentences),
        tables=tuple(part for part in parts if isinstance(part, ClaimTable)),
    )


def _details(known: Artefacts) -> Iterable[Sentence | ClaimTable]:
    yield from measured.details(known)
    yield from measured.libraries(known)


def _data(known: Artefacts) -> Iterable[Sentence | ClaimTable]:
    yield from measured.data(known)
    yield measured.groups(known)
    yield measured.findings(known, ("validation_raw", "validation_prepared", "split"), "Rules about the data")


def _performance(known: Artefacts) -> Iterable[Sentence | ClaimTable]:
    yield from measured.performance(known)
    yield measured.findings(known, ("performance",), "Rules about performance")
    yield from measured.measurements(known, measured.PERFORMANCE, "Everything measured on test rows")


def _fairness(known: Artefacts) -> Iterable[Sentence | ClaimTable]:
    yield from measured.fairness(known)
    yield measured.findings(known, ("fairness", "training"), "Rules about fairness")
    yield from measured.measurements(known, measured.FAIRNESS, "Everything measured between groups")


def _explanation(known: Artefacts) -> Iterable[Sentence | ClaimTable]:
    yield from measured.explanation(known)
    yield from measured.importance(known)


def _mitigation(known: Artefacts) -> Iterable[Sentence | ClaimTable]:
    yield from measured.mitigation(known)
    yield from measured.before_after(known)


_MEASURED: Mapping[str, Callable[[Artefacts], Iterable[Sentence | ClaimTable]]] = {
    "details": _details,
    "data": _data,
    "performance": _performance,
    "fairness": _fairness,
    "explanation": _explanation,
    "limits": measured.limits,
    "mitigation": _mitigation,
}
