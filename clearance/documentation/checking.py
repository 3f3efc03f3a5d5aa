"""Whether the documents of a project or a version still say what their artefacts say.

Every document is derived again from its artefacts and compared, sentence by sentence or line by line. It
changes nothing, and no stage runs again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path

from clearance import files, params, paths, registry
from clearance.documentation import faults, version_files
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

CARD, VERDICT = paths.CARD.as_posix(), paths.VERDICT.as_posix()
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
    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        record = version_record.fold(reader.entries(name), name, number, reader.roles)
        with version_files.fetched(reader, registry.connect(), record) as fetched:
            if CARD not in fetched.bundle.evidence.outs:
                raise faults.NO_CARD(version=fetched.version, number=number)
            lost = [
                Finding(
                    document=path,
                    problem=Problem(
                        place="", artefact=path, pointer="", stated="nothing that was signed", actual=why
                    ),
                )
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
    findings = [*_check_verdict(root, derived.verdict), *_check_card(root, known, derived.card)]
    findings += compare_all(read_stored(root, derived.texts), derived.texts)
    for path, why in derived.unmade.items():
        problem = Problem(
            place="", artefact=path, pointer="", stated="the document", actual=f"nothing: {why}"
        )
        findings.append(Finding(document=path, problem=problem))
    documents = (CARD, VERDICT, *derived.texts, *derived.unmade)
    return DocumentCheck(documents=documents, findings=tuple(findings))


def _check_card(root: Path, known: Artefacts, derived: CardDocument) -> Iterator[Finding]:
    try:
        yield from check_card(CardDocument.read(root), known, derived)
    except IntegrityError as error:
        yield _unreadable(CARD, error)


def _check_verdict(root: Path, derived: VerdictDocument) -> Iterator[Finding]:
    try:
        recorded = VerdictDocument.read(root)
    except IntegrityError as error:
        yield _unreadable(VERDICT, error)
        return
    actual = {path: files.sha256(root / path) for path in recorded.evidence if (root / path).is_file()}
    yield from check_verdict(recorded, derived, actual)


def _unreadable(document: str, error: IntegrityError) -> Finding:
    problem = Problem(
        place="", artefact=document, pointer="", stated="a document", actual=f"nothing: {error.fault}"
    )
    return Finding(document=document, problem=problem)


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


def read_stored(root: Path, paths_: Iterable[str]) -> dict[str, str]:
    """The text of each document that is there, by its path."""
    return {
        path: (root / path).read_text(encoding="utf-8", errors="replace")
        for path in paths_
        if (root / path).is_file()
    }


def check_card(card: CardDocument, known: Artefacts, derived: CardDocument) -> Iterator[Finding]:
    """What a card says otherwise than its artefacts, number by number, and than the card made again."""
    actual = {path: artefact.sha256 for path, artefact in known.items()}
    for problem in (*changed_artefacts("artefacts", card.artefacts, actual), *check.check(card, known)):
        yield Finding(document=CARD, problem=problem)
    for problem in check.differences(card, derived):
        yield Finding(document=CARD, problem=problem)


def check_verdict(
    recorded: VerdictDocument, derived: VerdictDocument, actual: Mapping[str, str]
) -> Iterator[Finding]:
    """What a verdict says otherwise than its policy says about the evidence.

    `actual` are the digests of the files that it cites and that are there.
    """
    for problem in changed_artefacts("evidence", recorded.evidence, actual):
        yield Finding(document=VERDICT, problem=problem)
    policy = "" if project_verdict.same_decision(recorded, derived) else recorded.policy.file
    for problem in check.differences(recorded, derived):
        yield Finding(document=VERDICT, problem=replace(problem, artefact=policy))


def changed_artefacts(key: str, recorded: Mapping[str, str], actual: Mapping[str, str]) -> Iterator[Problem]:
    """The artefacts that are not those a document was made from; `key` is where it lists their digests."""
    for path, sha256 in recorded.items():
        digest = actual.get(path, "nothing: it is missing or cannot be read")
        if digest != sha256:
            yield Problem(
                place=artefacts.pointer(key, path), artefact=path, pointer="", stated=sha256, actual=digest
            )


def compare_all(stored: Mapping[str, str], derived: Mapping[str, str]) -> Iterator[Finding]:
    """What the documents, by their path, say otherwise than those that were made again."""
    for path, text in derived.items():
        yield from compare(path, stored.get(path), text)


def compare(path: str, stored: str | None, derived: str) -> Iterator[Finding]:
    """The first lines in which a document differs from the one that was made again."""
    lines = [] if stored is None else stored.split("\n")
    pairs = enumerate(zip_longest(lines, derived.split("\n")), 1)
    different = ((number, mine, right) for number, (mine, right) in pairs if mine != right)
    for number, mine, right in islice(different, MOST_LINES):
        stated, actual = ("nothing" if line is None else line for line in (mine, right))
        problem = Problem(place=f"line {number}", artefact="", pointer="", stated=stated, actual=actual)
        yield Finding(document=path, problem=problem)


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
