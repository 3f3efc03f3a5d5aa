"""Whether the documents of a project or a version still say what their artefacts say.

Every document is derived again from its artefacts and compared, sentence by sentence or line by line. It
changes nothing, and no stage runs again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from clearance import files, params, paths, registry
from clearance.documentation import version_files
from clearance.documents.card_document import CardDocument
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import ClearanceError, IntegrityError
from clearance.params import data_contract
from clearance.policy import policy_file, project_verdict
from clearance.promotion import session, version_record
from clearance.reporting import impact_table, report
from clearance.reporting.card import card_text, formats, make
from clearance.reporting.claims import artefacts, check
from clearance.reporting.claims.artefacts import Artefact, Artefacts
from clearance.reporting.claims.check import Problem

MOST_LINES = 5
"""The most lines of a page in which a difference is shown."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a document says otherwise than its artefacts. `document` is its path."""

    document: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.document} {self.problem}"


@dataclass(frozen=True, kw_only=True)
class DocumentCheck:
    """What was checked, and what is wrong. `documents` are the paths of all that was looked at.

    `reworded` are sentences of a signed version that this Clearance would word otherwise: their numbers hold.
    """

    documents: tuple[str, ...]
    findings: tuple[Finding, ...]
    reworded: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Derived:
    """The documents as their artefacts give them. `texts` has the text of each file by its path.

    `unmade` says of a document that cannot be made why.
    """

    card: CardDocument
    verdict: VerdictDocument
    texts: Mapping[str, str]
    unmade: Mapping[str, str]


def check_project(root: Path) -> DocumentCheck:
    """Check the documents of the last run of the project at `root`.

    Raises ConfigurationError when its parameters, its policy or `card.yaml` is faulty.
    """
    return check_folder(root, params.load(root / paths.PARAMS))


def check_version(root: Path, number: int) -> DocumentCheck:
    """Check the documents of candidate `number`, as they were signed.

    Raises as `version_files.fetched` does.
    """
    names = (*version_files.DOCUMENTS, *version_files.ARTEFACTS, *version_files.FIGURES, paths.MODEL)
    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        record = version_record.fold(reader.entries(name), name, number, reader.roles)
        with version_files.fetched(reader, registry.connect(), record, names) as fetched:
            lost = [
                Finding(document=path, problem=_problem("", path, "", "what was signed", f"nothing: {why}"))
                for path, why in fetched.lost.items()
            ]
            checked = check_folder(fetched.folder, params.load(fetched.folder / paths.PARAMS))
    if lost:
        return DocumentCheck(documents=checked.documents, findings=(*lost, *checked.findings))
    return _signed(checked)


def _signed(checked: DocumentCheck) -> DocumentCheck:
    """The check of documents that are, byte for byte, what was signed: only their wording can differ."""
    wording = [finding for finding in checked.findings if not finding.problem.artefact]
    wrong = [finding for finding in checked.findings if finding.problem.artefact]
    return DocumentCheck(documents=checked.documents, findings=tuple(wrong), reworded=tuple(wording))


def check_folder(root: Path, settings: params.Params) -> DocumentCheck:
    """Check the documents below `root` against the artefacts there."""
    known = artefacts.read(root, make.READ)
    derived = derive(root, settings, known)
    stored = read_stored(root, derived)
    findings = [
        *changed_evidence(root, derived.verdict),
        *check_card(root, known, derived),
        *check_verdict(root, derived),
        *compare_all(stored, derived.texts),
        *(
            Finding(document=path, problem=_problem("", path, "", "the document", f"nothing: {why}"))
            for path, why in derived.unmade.items()
        ),
    ]
    documents = (paths.CARD.as_posix(), paths.VERDICT.as_posix(), *derived.texts, *derived.unmade)
    return DocumentCheck(documents=documents, findings=tuple(findings))


def derive(root: Path, settings: params.Params, known: Mapping[str, Artefact]) -> Derived:
    """Make every document below `root` again, in memory. Raises IntegrityError without a verdict."""
    policy = policy_file.load(root / settings.policy.file, recorded=True)
    text = card_text.load(root / paths.CARD_TEXT)
    lock = root / paths.REQUIREMENTS_LOCK
    locked = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    card = make.make(known, text, settings.name, settings.policy.as_of, policy)
    folder = paths.CARD_FORMATS.as_posix()
    texts = {f"{folder}/{name}": content for name, content in formats.texts(card, known, locked).items()}
    unmade: dict[str, str] = {}
    makers: Mapping[Path, Callable[[report.ReportEvidence], str]] = {
        paths.REPORT_PAGE: lambda evidence: report.render(evidence, settings.data, _contract(settings)),
        paths.IMPACT_TABLE: lambda evidence: impact_table.to_csv(report.impact_rows(evidence)),
    }
    try:
        evidence = report.read(root)
        texts |= {path.as_posix(): maker(evidence) for path, maker in makers.items()}
    except ClearanceError as error:
        unmade |= {path.as_posix(): error.fault for path in makers}
    return Derived(
        card=card,
        verdict=project_verdict.judge(settings, root, recorded=True),
        texts=texts,
        unmade=unmade,
    )


def _contract(settings: params.Params) -> data_contract.DataContract:
    return data_contract.of_sections(
        settings.source, settings.data, settings.split, settings.evaluate.reference
    )


def read_stored(root: Path, derived: Derived) -> dict[str, str]:
    """The text of each document that is there, by its path."""
    return {
        path: (root / path).read_text(encoding="utf-8", errors="replace")
        for path in derived.texts
        if (root / path).is_file()
    }


def changed_evidence(root: Path, derived: VerdictDocument) -> Iterator[Finding]:
    """The files that the recorded verdict cites and that are not what it judged."""
    try:
        recorded = VerdictDocument.read(root).evidence
    except IntegrityError:
        recorded = derived.evidence
    for path, sha256 in recorded.items():
        actual = files.sha256(root / path) if (root / path).is_file() else "nothing: it is missing"
        if actual != sha256:
            problem = _problem(artefacts.pointer("evidence", path), path, "", sha256, actual)
            yield Finding(document=paths.VERDICT.as_posix(), problem=problem)


def check_card(root: Path, known: Artefacts, derived: Derived) -> Iterator[Finding]:
    """What the card says otherwise than its artefacts, number by number, and than the card made again."""
    document = paths.CARD.as_posix()
    try:
        card = CardDocument.read(root)
    except IntegrityError as error:
        problem = _problem("", "", "", "a card", f"nothing that can be read: {error.fault}")
        yield Finding(document=document, problem=problem)
        return
    for problem in (*check_digests(card, known), *check.check(card, known)):
        yield Finding(document=document, problem=problem)
    for problem in check.differences(card, derived.card):
        yield Finding(document=document, problem=problem)


def check_digests(card: CardDocument, known: Artefacts) -> Iterator[Problem]:
    """The artefacts of a card that are not those it was made from."""
    for path, sha256 in card.artefacts.items():
        actual = known[path].sha256 if path in known else "nothing: it is missing or cannot be read"
        if actual != sha256:
            yield _problem(artefacts.pointer("artefacts", path), path, "", sha256, actual)


def check_verdict(root: Path, derived: Derived) -> Iterator[Finding]:
    """What the recorded verdict says otherwise than its policy says about the evidence."""
    document = paths.VERDICT.as_posix()
    try:
        recorded = VerdictDocument.read(root)
    except IntegrityError as error:
        problem = _problem("", "", "", "a verdict", f"nothing that can be read: {error.fault}")
        yield Finding(document=document, problem=problem)
        return
    policy = "" if project_verdict.same_decision(recorded, derived.verdict) else recorded.policy.file
    for problem in check.differences(recorded, derived.verdict):
        yield Finding(document=document, problem=replace(problem, artefact=policy))


def compare_all(stored: Mapping[str, str], derived: Mapping[str, str]) -> Iterator[Finding]:
    """What the documents, by their path, say otherwise than those that were made again."""
    for path, text in derived.items():
        yield from compare(path, stored.get(path), text)


def compare(path: str, stored: str | None, derived: str) -> Iterator[Finding]:
    """The first lines in which a document differs from the one that was made again."""
    if stored is None:
        yield Finding(document=path, problem=_problem("", "", "", "nothing: it is missing", "a document"))
        return
    if stored == derived:
        return
    pairs = enumerate(zip_longest(stored.split("\n"), derived.split("\n")), 1)
    different = ((number, mine, right) for number, (mine, right) in pairs if mine != right)
    for _, (number, mine, right) in zip(range(MOST_LINES), different, strict=False):
        stated, actual = ("nothing" if line is None else line for line in (mine, right))
        yield Finding(document=path, problem=_problem(f"line {number}", "", "", stated, actual))


def _problem(place: str, artefact: str, pointer: str, stated: str, actual: str) -> Problem:
    return Problem(place=place, artefact=artefact, pointer=pointer, stated=stated, actual=actual)


def to_json(checked: DocumentCheck) -> dict[str, object]:
    """The check as a JSON value."""
    content: dict[str, object] = json.loads(
        json.dumps(
            {
                "documents": checked.documents,
                "findings": [{"document": f.document, **vars(f.problem)} for f in checked.findings],
                "reworded": [{"document": f.document, **vars(f.problem)} for f in checked.reworded],
            }
        )
    )
    return content
