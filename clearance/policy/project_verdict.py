"""The verdict on a project: its policy applied to its evidence, on the pinned day.

A refusal is a result like any other and is recorded like one. Nothing is trained, promoted or registered
here. Evidence that is missing, unreadable or about another model is never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance import files, params, paths
from clearance.documents import catalogue
from clearance.documents.document import Evidence, UnusableDocument
from clearance.errors import IntegrityError
from clearance.policy import judgement, policy_file, schema


def read_evidence(root: Path) -> dict[str, Evidence]:
    """The evidence documents that exist below `root`, by name; an unusable one states the reason."""
    documents = {name: _read(root, name) for name in schema.DOCUMENTS if (root / paths.report(name)).exists()}
    model = files.sha256(root / paths.MODEL) if (root / paths.MODEL).exists() else None
    return {name: _unless_stale(document, model) for name, document in documents.items()}


def evidence_of(name: str, data: Any) -> Evidence:
    """The JSON value `data` as the evidence document `name`; an unusable document when it does not fit."""
    try:
        return catalogue.EVIDENCE[name].from_json(data)
    except IntegrityError as error:
        return UnusableDocument(status="unreadable", because=error.fault)


def _read(root: Path, name: str) -> Evidence:
    try:
        return evidence_of(name, files.read_json(root / paths.report(name)))
    except IntegrityError as error:
        return UnusableDocument(status="unreadable", because=error.fault)


def _unless_stale(document: Evidence, model: str | None) -> Evidence:
    because = stale_because(document.model_digest, model)
    return UnusableDocument(status="stale", because=because) if because else document


def stale_because(measured: str | None, model: str | None) -> str | None:
    """Why a document about model `measured` says nothing about model `model` (SHA-256), or None."""
    if measured is None or measured == model:
        return None
    return f"it is about model {measured[:12]}…, but the trained model is {str(model)[:12]}…"


def digests(root: Path, policy: str) -> dict[str, str]:
    """The SHA-256 of every file that the verdict rests on, by its path below `root`."""
    evidence = [*map(paths.report, schema.DOCUMENTS), paths.ORIGIN, paths.MODEL, Path(policy)]
    return {path.as_posix(): files.sha256(root / path) for path in evidence if (root / path).exists()}


def is_what_if(overrides: Mapping[str, Any]) -> bool:
    """Whether a run judges by another policy or day than the project: such a run can never release a model.

    The keys of `overrides` are sections of params.yaml, or dotted keys such as `policy.as_of`.
    """
    return any(key.split(".")[0] == "policy" for key in overrides)


def judge(settings: params.Params, root: Path) -> dict[str, Any]:
    """The verdict document of the project at `root`. Raises ConfigurationError on a faulty policy."""
    policy = policy_file.load(root / settings.policy.file)
    as_of = settings.policy.as_of
    evidence = read_evidence(root)
    verdict = judgement.judge(policy, evidence, judgement.declaration_of(settings.data), as_of)
    sha256 = digests(root, settings.policy.file)
    terms = {"impact_table": policy.impact_table, "test_uses": policy.test_uses}
    return verdict.to_json() | {
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


def same_decision(recorded: Mapping[str, Any], judged: Mapping[str, Any]) -> bool:
    """Whether two verdict documents decide the same from the same evidence, whatever words they use.

    The sentences of a verdict may change from one version of Clearance to the next; its values may not.
    """
    return _without_sentences(recorded) == _without_sentences(judged)


def _without_sentences(verdict: Mapping[str, Any]) -> dict[str, Any]:
    words = {"reason", "more_rows"}
    return {key: value for key, value in verdict.items() if key != "reasons"} | {
        "findings": [
            {key: value for key, value in finding.items() if key not in words}
            for finding in verdict.get("findings", [])
        ]
    }
