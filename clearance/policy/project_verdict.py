"""The verdict on a project: its policy applied to its evidence, on the pinned day.

A refusal is a result like any other and is recorded like one. Nothing is trained, promoted or registered
here. Evidence that is missing, unreadable or about another model is never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance import files, params
from clearance.errors import IntegrityError
from clearance.policy import judgement, policy_file, schema

MODEL = Path("models/trained/model.skops")
ORIGIN = Path("data/origin.json")


def evidence_path(document: str) -> Path:
    """The path of the evidence document of that name, relative to the project."""
    return Path("reports") / f"{document}.json"


def read_evidence(root: Path) -> dict[str, Any]:
    """The evidence documents that exist below `root`, by name; unusable ones say why they are."""
    documents = {
        name: _read(root / evidence_path(name))
        for name in schema.DOCUMENTS
        if (root / evidence_path(name)).exists()
    }
    return mark_stale(documents, files.sha256(root / MODEL) if (root / MODEL).exists() else None)


def _read(path: Path) -> Any:
    try:
        return files.read_json(path)
    except IntegrityError as error:
        return {"status": "unreadable", "because": error.fault}


def mark_stale(documents: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """The documents; one that measured another model than the file `model` (SHA-256) is marked stale."""
    marked = {}
    for name, document in documents.items():
        measured = _measured_model(document)
        stale = measured is not None and measured != model
        because = f"it is about model {str(measured)[:12]}…, but the trained model is {str(model)[:12]}…"
        marked[name] = {"status": "stale", "because": because} if stale else document
    return marked


def _measured_model(document: Any) -> Any:
    """The SHA-256 of the model that a document measured, or None."""
    if not isinstance(document, Mapping):
        return None
    model = document.get("model")
    return document.get("model_sha256") or (model.get("sha256") if isinstance(model, Mapping) else None)


def digests(root: Path, policy: str) -> dict[str, str]:
    """The SHA-256 of every file that the verdict rests on, by its path below `root`."""
    paths = [*map(evidence_path, schema.DOCUMENTS), ORIGIN, MODEL, Path(policy)]
    return {path.as_posix(): files.sha256(root / path) for path in paths if (root / path).exists()}


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
