"""The verdict on a project: its policy applied to its evidence, on the pinned day.

A refusal is a result like any other and is recorded like one. Nothing is trained, promoted or registered
here. Evidence that is missing, unreadable or about another model is never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clearance import files, params, paths
from clearance.documents import catalogue
from clearance.documents.evidence_document import Evidence, UnusableDocument
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import IntegrityError
from clearance.params import Section
from clearance.policy import judgement, policy_file


def read_evidence(root: Path) -> dict[str, Evidence]:
    """The evidence documents of the project at `root` by name; unusable ones say why they are."""
    model = root / paths.MODEL
    sha256 = files.sha256(model) if model.exists() else None
    return {name: unless_stale(read_document(root, name), sha256) for name in catalogue.EVIDENCE}


def read_document(root: Path, name: str) -> Evidence:
    """The evidence document of that name below `root`; a missing or unreadable one says so."""
    path = catalogue.EVIDENCE[name].path
    if not (root / path).exists():
        return UnusableDocument(status="missing", because=f"{path.as_posix()} was not written")
    try:
        content = files.read_json(root / path)
    except IntegrityError:
        return UnusableDocument(status="unreadable", because=f"{path.as_posix()} is not readable")
    return evidence_of(name, content)


def evidence_of(name: str, data: Any) -> Evidence:
    """The JSON value `data` as the evidence document `name`; an unusable document when it does not fit."""
    try:
        return catalogue.EVIDENCE[name].from_json(data)
    except IntegrityError as error:
        return UnusableDocument(status="unreadable", because=error.fault)


def unless_stale(document: Evidence, model: str | None) -> Evidence:
    """The document, unless it measured another model than the file `model` (SHA-256): then a stale one."""
    measured = document.model_digest
    if measured is None or measured == model:
        return document
    because = f"it is about model {measured[:12]}…, but the trained model is {str(model)[:12]}…"
    return UnusableDocument(status="stale", because=because)


def digests(root: Path, policy: str) -> dict[str, str]:
    """The SHA-256 of every file that the verdict rests on, by its path below `root`."""
    documents = (kind.path for kind in catalogue.EVIDENCE.values())
    judged = [*documents, paths.ORIGIN, paths.MODEL, Path(policy)]
    return {path.as_posix(): files.sha256(root / path) for path in judged if (root / path).exists()}


def is_what_if(overrides: Mapping[str, Any]) -> bool:
    """Whether a run judges by another policy or day than the project: such a run can never release a model.

    The keys of `overrides` are sections of params.yaml, or dotted keys such as `policy.as_of`.
    """
    return any(key.split(".")[0] == "policy" for key in overrides)


def judge(
    settings: params.Params, root: Path, attempt: int = 1, *, recorded: bool = False
) -> VerdictDocument:
    """The verdict of the project at `root` as an attempt. Raises ConfigurationError on a faulty policy.

    `recorded`: it was judged before, and its policy is read as it was then.
    """
    policy = policy_file.load(root / settings.policy.file, recorded=recorded)
    as_of = settings.policy.as_of
    evidence = read_evidence(root)
    declaration = judgement.declaration_of(settings.data)
    verdict = judgement.judge(policy, evidence, declaration, as_of, attempt)
    sha256 = digests(root, settings.policy.file)
    terms: dict[str, Section | None] = {"impact_table": policy.impact_table, "test_uses": policy.test_uses}
    if policy.attempts:
        terms["attempts"] = policy.attempts
    content = verdict.to_json() | {
        "name": settings.name,
        "policy": {
            "id": policy.id,
            "version": policy.version,
            "title": policy.title,
            "file": settings.policy.file,
            "sha256": sha256[Path(settings.policy.file).as_posix()],
            "as_of": as_of.isoformat(),
            **{name: part and part.model_dump(mode="json") for name, part in terms.items()},
        },
        "what_if": is_what_if(settings.overrides),
        "overrides": settings.overrides,
        "evidence": sha256,
    }
    if policy.spends(as_of):
        content["passes_until"] = judgement.passes_until(policy, evidence, declaration, as_of)
    return VerdictDocument.create(**content)


def same_decision(recorded: VerdictDocument, judged: VerdictDocument) -> bool:
    """Whether two verdicts decide the same from the same evidence, whatever words they use.

    The sentences of a verdict may change from one version of Clearance to the next; its values may not.
    """
    return _decision(recorded) == _decision(judged)


def _decision(verdict: VerdictDocument) -> VerdictDocument:
    """The verdict without its sentences, what would decide it, and the rates behind a figure."""
    findings = tuple(replace(finding, reason="", more_rows=None, rates=None) for finding in verdict.findings)
    return replace(verdict, reasons=(), findings=findings)
