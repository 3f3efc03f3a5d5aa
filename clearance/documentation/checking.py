"""Whether the documents of a project or a version still say what their artefacts say.

Every document is derived again from its artefacts and compared, sentence by sentence or line by line. It
changes nothing, and no stage runs again.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import TypeVar

from clearance import files, params, paths, registry, wording
from clearance.documentation import faults, recorded_copies, version_files
from clearance.documentation.recorded_copies import Copies
from clearance.documents.card_document import CardDocument
from clearance.documents.sentences import DerivedClaim, Statement
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import ClearanceError, IntegrityError
from clearance.params import data_contract
from clearance.policy import policy_file, project_verdict
from clearance.promotion import session, version_record
from clearance.reporting import impact_table, report
from clearance.reporting.card import card_text, formats, make
from clearance.reporting.claims import artefacts, check, claim
from clearance.reporting.claims.artefacts import Artefact, Artefacts
from clearance.reporting.claims.check import Problem

CARD, VERDICT = paths.CARD.as_posix(), paths.VERDICT.as_posix()
MOST_LINES = 5
"""The most differences that are shown of a page or an artefact."""
_OF_CARD_ALONE = ("markdown", "html")
"""The formats of the card that need nothing but the card."""
_MADE_BY_REPORT = (paths.REPORT_PAGE, paths.IMPACT_TABLE)
_Stored = TypeVar("_Stored", CardDocument, VerdictDocument)
_BEFORE, _SHOWN = 30, 90
"""How many characters are shown before a difference, and in all."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a document says otherwise than its artefacts. `document` is its path."""

    document: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.document} {self.problem}"


@dataclass(frozen=True, kw_only=True)
class ArtefactChange:
    """An artefact that is not what was recorded, or is missing.

    `changes` are the values that differ, as far as they are known: each with its pointer, what was recorded
    (`stated`) and what the file has now (`actual`). `resting` are the places of the card's sentences that
    rest on it.
    """

    path: str
    missing: bool
    changes: tuple[Problem, ...]
    resting: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DocumentCheck:
    """What was checked, and what is wrong. `documents` are the paths of all that was looked at; none: no run.

    `findings` are what documents say otherwise than the artefacts as they were recorded. `missing` says of
    each document or artefact that is not there why, or which command makes it. `unchecked` are documents that
    could not be derived again, because no copy of what they were made from is at hand. `reworded` are
    sentences of a signed version that this Clearance would word otherwise: their numbers hold.
    """

    documents: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    artefacts: tuple[ArtefactChange, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()
    reworded: tuple[Finding, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every document was derived again and says what its artefacts say."""
        return bool(self.documents) and not (
            self.findings or self.artefacts or self.missing or self.unchecked
        )


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
    """Check the documents of the last run of the project at `root`; without a run there are none.

    Raises ConfigurationError when its parameters, its policy or `card.yaml` is faulty.
    """
    settings = params.load(root / paths.PARAMS)
    if not any((root / path).exists() for path in (paths.CARD, paths.VERDICT, *_MADE_BY_REPORT)):
        return DocumentCheck(documents=())
    return check_folder(root, settings, recorded_copies.of_project(root))


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
            checked = check_folder(fetched.folder, params.load(fetched.folder / paths.PARAMS))
            lost = dict(fetched.lost)
    return replace(checked, missing={**checked.missing, **lost}) if lost else _signed(checked)


def _signed(checked: DocumentCheck) -> DocumentCheck:
    """The check of documents that are, byte for byte, what was signed: only their wording can differ."""
    wording = [finding for finding in checked.findings if not finding.problem.artefact]
    wrong = [finding for finding in checked.findings if finding.problem.artefact]
    return replace(checked, findings=tuple(wrong), reworded=tuple(wording))


def check_folder(root: Path, settings: params.Params, copies: Copies = recorded_copies.none) -> DocumentCheck:
    """Check the documents below `root` against what was recorded of the artefacts there.

    `copies` brings back what was recorded of a file that has changed since.
    """
    card, verdict = _stored(CardDocument, root), _stored(VerdictDocument, root)
    restored = copies(_changed(root, card.artefacts if card else {}))
    judged = VerdictDocument.from_json(json.loads(restored[VERDICT])) if VERDICT in restored else verdict
    recorded = {**(card.artefacts if card else {}), **(judged.evidence if judged else {})}
    changed = _changed(root, recorded)
    restored |= copies({path: digest for path, digest in changed.items() if path not in restored})
    lost = [path for path in changed if path not in restored]
    with _as_recorded(root, restored) as folder:
        known = artefacts.read(folder, make.READ)
        if lost:
            documents, findings, unchecked = _check_rest(root, settings, known, set(lost))
        else:
            documents, findings, unchecked = _check_all(root, folder, settings, known)
        changes = [
            _artefact_change(root, folder, path, card, known_now)
            for known_now in [artefacts.read(root, [Path(path) for path in recorded])]
            for path in changed
            if path not in (CARD, VERDICT)
        ]
    absent = [path for path in (*changed, *documents) if not (root / path).exists()]
    return DocumentCheck(
        documents=documents,
        findings=tuple(finding for finding in findings if finding.document not in absent),
        artefacts=tuple(change for change in changes if not change.missing),
        missing=dict.fromkeys(dict.fromkeys(absent), f"run `{claim.RUN}`"),
        unchecked=unchecked,
    )


_Checked = tuple[tuple[str, ...], list[Finding], tuple[str, ...]]
"""The documents that were looked at, what they say otherwise, and those that could not be derived again."""


def _check_all(root: Path, folder: Path, settings: params.Params, known: Artefacts) -> _Checked:
    """Every document below `root` beside what the artefacts below `folder`, all as recorded, give."""
    card, verdict = _stored(CardDocument, root), _stored(VerdictDocument, root)
    derived = derive(folder, settings, known)
    findings: list[Finding] = []
    if verdict is None:
        findings.append(_unreadable(VERDICT))
    else:
        actual = {path: files.sha256(folder / path) for path in verdict.evidence if (folder / path).is_file()}
        findings += check_verdict(verdict, derived.verdict, actual)
    findings += [_unreadable(CARD)] if card is None else check_card(card, known, derived.card)
    findings += compare_all(read_stored(root, derived.texts), derived.texts)
    for path, why in derived.unmade.items():
        problem = Problem(
            place="", artefact=path, pointer="", stated="the document", actual=f"nothing: {why}"
        )
        findings.append(Finding(document=path, problem=problem))
    return (CARD, VERDICT, *derived.texts, *derived.unmade), _once(findings), ()


def _check_rest(root: Path, settings: params.Params, known: Artefacts, lost: set[str]) -> _Checked:
    """What can be checked without the artefacts that are `lost`: the card's own sentences, and its pages."""
    card = _stored(CardDocument, root)
    written = {key: form for key, form in formats.FORMATS.items() if form.file is not None}
    files_of = {key: (paths.CARD_FORMATS / str(form.file)).as_posix() for key, form in written.items()}
    unchecked = [path for key, path in files_of.items() if key not in _OF_CARD_ALONE]
    unchecked += [path.as_posix() for path in _MADE_BY_REPORT]
    findings: list[Finding] = []
    if VERDICT in lost:
        findings += _check_other_verdict(root, settings, derivable=lost == {VERDICT})
    else:
        unchecked.insert(0, VERDICT)
    if card is None:
        findings.append(_unreadable(CARD))
    else:
        findings += [
            Finding(document=CARD, problem=problem)
            for problem in check.check(card, known)
            if problem.artefact not in lost
        ]
        texts = {files_of[key]: written[key].render(card, {}, "") for key in _OF_CARD_ALONE}
        findings += compare_all(read_stored(root, texts), texts)
    documents = tuple(dict.fromkeys((CARD, VERDICT, *files_of.values(), *unchecked)))
    present = tuple(path for path in unchecked if (root / path).exists())
    return documents, _once(findings), present


def _check_other_verdict(root: Path, settings: params.Params, *, derivable: bool) -> Iterator[Finding]:
    """What a verdict that the card was not made from says otherwise than its policy, if that is derivable."""
    verdict = _stored(VerdictDocument, root)
    if verdict is None:
        yield _unreadable(VERDICT)
    else:
        derived = project_verdict.judge(settings, root, recorded=True) if derivable else verdict
        found = list(check_verdict(verdict, derived, verdict.evidence))
        problem = Problem(
            place="", artefact=VERDICT, pointer="", stated="another verdict", actual=f"the one in {CARD}"
        )
        yield from found or [Finding(document=VERDICT, problem=problem)]


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """Each place of a document once; the first finding there names the artefact where one is known."""
    return list({(it.document, it.problem.place): it for it in reversed(list(findings))}.values())[::-1]


def _stored(kind: type[_Stored], root: Path) -> _Stored | None:
    """The document below `root`; None where it is missing or cannot be read."""
    try:
        return kind.read(root)
    except IntegrityError:
        return None


def _unreadable(document: str) -> Finding:
    problem = Problem(
        place="", artefact=document, pointer="", stated="a document", actual="nothing: it cannot be read"
    )
    return Finding(document=document, problem=problem)


def _changed(root: Path, recorded: Mapping[str, str]) -> dict[str, str]:
    """The recorded digest of each file below `root` that has another one now, or is missing."""
    return {
        path: digest
        for path, digest in recorded.items()
        if not (root / path).is_file() or files.sha256(root / path) != digest
    }


@contextmanager
def _as_recorded(root: Path, restored: Mapping[str, bytes]) -> Iterator[Path]:
    """The project with these copies in place of its files; the project itself where there are none."""
    if not restored:
        yield root
        return
    with tempfile.TemporaryDirectory() as temporary:
        recorded_copies.lay_out(root, restored, Path(temporary))
        yield Path(temporary)


def _artefact_change(
    root: Path, folder: Path, path: str, card: CardDocument | None, now: Artefacts
) -> ArtefactChange:
    """What is different in the file at `path` from its copy below `folder`, or from what the card says."""
    before = artefacts.read(folder, [Path(path)])
    rest = [] if card is None else [place for place, cited in _cited(card) if path in cited]
    if folder != root and path in before and path in now:
        changes = check.differences(before[path].content, now[path].content)
        changes = [replace(it, place="", artefact=path, pointer=it.place) for it in changes]
    else:
        problems = [] if card is None else check.check(card, now)
        changes = list({it.pointer: it for it in problems if it.artefact == path and it.pointer}.values())
    return ArtefactChange(
        path=path, missing=not (root / path).is_file(), changes=tuple(changes), resting=tuple(rest)
    )


def _cited(card: CardDocument) -> Iterator[tuple[str, Collection[str]]]:
    """The place of each sentence, and the artefacts that it rests on."""
    for place, sentence in check.sentences(card):
        if isinstance(sentence, DerivedClaim):
            yield place, sentence.digests
        elif isinstance(sentence, Statement):
            yield place, {sentence.source.artefact}


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
                "artefacts": [
                    {
                        "path": change.path,
                        "changes": [
                            {"pointer": it.pointer, "recorded": it.stated, "actual": it.actual}
                            for it in change.changes
                        ],
                        "resting": change.resting,
                    }
                    for change in checked.artefacts
                ],
                "missing": dict(checked.missing),
                "unchecked": checked.unchecked,
                "findings": [{"document": f.document, **vars(f.problem)} for f in checked.findings],
                "reworded": [{"document": f.document, **vars(f.problem)} for f in checked.reworded],
            }
        )
    )
    return content


def lines(checked: DocumentCheck) -> Iterator[str]:
    """The check in lines for a terminal: the artefacts that changed first, then each document once."""
    if not checked.documents:
        yield f"nothing has been run yet: `{claim.RUN}`"
        return
    for path, why in checked.missing.items():
        yield f"{path} is missing: {why}"
    for change in checked.artefacts:
        yield f"{change.path} is not what was recorded"
        yield from _first(f"{it.pointer}: recorded {_quoted(it.stated, it.actual)}" for it in change.changes)
        if not change.changes:
            yield "  which values differ is not known: no copy of what was recorded is at hand"
        if change.resting:
            number = wording.counted(len(change.resting), "sentence")
            yield f"  {number} of {CARD} rest on it, the first at {change.resting[0]}"
    yield from _by_document(checked.findings, " is not what its artefacts give", "should be")
    if checked.unchecked:
        yield f"not checked, because an artefact has changed: {wording.join_names(checked.unchecked)}"
    if checked.reworded:
        yield "the numbers hold; this Clearance would word some sentences otherwise:"
        yield from _by_document(checked.reworded, "", "would now be")
    if checked.holds:
        yield f"all hold: {', '.join(checked.documents)}"


def _by_document(findings: Iterable[Finding], says: str, right: str) -> Iterator[str]:
    documents: dict[str, list[Problem]] = {}
    for finding in findings:
        documents.setdefault(finding.document, []).append(finding.problem)
    for document, problems in documents.items():
        yield f"{document}{says}"
        yield from _first(
            f"{it.place or 'as a whole'}: {right} {_quoted(it.actual, it.stated)}" for it in problems
        )


def _first(found: Iterable[str]) -> Iterator[str]:
    listed = list(found)
    yield from (f"  {line}" for line in listed[:MOST_LINES])
    if len(listed) > MOST_LINES:
        yield f"  and {len(listed) - MOST_LINES} more; `--json` lists all"


def _quoted(right: str, stated: str) -> str:
    """What is right and what a file says, each around the first character in which they differ."""
    pairs = enumerate(zip_longest(right, stated))
    start = max(0, next((place for place, (a, b) in pairs if a != b), 0) - _BEFORE)
    return " but the file has ".join(_around(text, start) for text in (right, stated))


def _around(text: str, start: int) -> str:
    cut = text[start : start + _SHOWN]
    return f"{'…' if start else ''}{cut}{'…' if start + _SHOWN < len(text) else ''}".join("''")
