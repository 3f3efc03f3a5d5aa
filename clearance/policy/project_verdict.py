"""The verdict: the policy held against whatever evidence there is, on the pinned day.

A refusal is a result like any other and is written down like one. Nothing is trained, promoted or
recorded here, and evidence that is missing, unreadable or about another model is never a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearance import files as artifacts
from clearance import params
from clearance.errors import IntegrityError
from clearance.policy import judgement, policy_file, schema

MODEL = Path("models/trained/model.skops")
ORIGIN = Path("data/origin.json")


def evidence_path(document: str) -> Path:
    """Where the evidence document of that name lies."""
    return Path("reports") / f"{document}.json"


def read_evidence(root: Path) -> dict[str, Any]:
    """The evidence documents that exist below `root`, by name, each one vouched for or named unusable."""
    found = {
        name: _read(root / evidence_path(name))
        for name in schema.DOCUMENTS
        if (root / evidence_path(name)).exists()
    }
    return disown_strangers(found, artifacts.sha256(root / MODEL) if (root / MODEL).exists() else None)


def _read(path: Path) -> Any:
    try:
        return artifacts.read_json(path)
    except IntegrityError as error:
        return {"status": "unreadable", "because": error.fault}


def disown_strangers(documents: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """The same documents, but one that measured another model than the file `model` (SHA-256) is stale."""
    kept = {}
    for name, document in documents.items():
        about = _about(document)
        stale = about is not None and about != model
        because = f"it is about model {str(about)[:12]}…, and the trained one is {str(model)[:12]}…"
        kept[name] = {"status": "stale", "because": because} if stale else document
    return kept


def _about(document: Any) -> Any:
    """The SHA-256 of the model a document says it measured, or None."""
    if not isinstance(document, Mapping):
        return None
    model = document.get("model")
    return document.get("model_sha256") or (model.get("sha256") if isinstance(model, Mapping) else None)


def digests(root: Path, policy_file: str) -> dict[str, str]:
    """The SHA-256 of every file the verdict rests on, by its path below `root`."""
    files = [*map(evidence_path, schema.DOCUMENTS), ORIGIN, MODEL, Path(policy_file)]
    return {file.as_posix(): artifacts.sha256(root / file) for file in files if (root / file).exists()}


def is_what_if(overrides: Mapping[str, Any]) -> bool:
    """Whether a run was asked to judge by another policy or date than the project: it can release nothing."""
    return any(key.split(".")[0] == "policy" for key in overrides)


def judge(settings: params.Params, root: Path) -> dict[str, Any]:
    """The verdict document of the project at `root`. Raises ConfigurationError on a faulty policy."""
    chosen = policy_file.load(root / settings.policy.file)
    as_of = settings.policy.as_of
    verdict = judgement.judge(chosen, read_evidence(root), judgement.declaration_of(settings.data), as_of)
    evidence = digests(root, settings.policy.file)
    beside = {name: getattr(chosen, name) for name in ("impact_table", "test_uses")}
    return verdict.to_json() | {
        "name": settings.name,
        "policy": {
            "id": chosen.id,
            "version": chosen.version,
            "title": chosen.title,
            "file": settings.policy.file,
            "sha256": evidence[Path(settings.policy.file).as_posix()],
            "as_of": as_of.isoformat(),
            **{name: said and said.model_dump(mode="json") for name, said in beside.items()},
        },
        "what_if": is_what_if(settings.overrides),
        "overrides": settings.overrides,
        "evidence": evidence,
    }
