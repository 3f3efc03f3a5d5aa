"""Effect: what the pipeline recorded becomes a run in MLflow, once, found by its content fingerprint.

It reads the deterministic records of the stages and nothing else; a lost or fresh server is refilled by
the next call. It never changes what a stage wrote, and never registers or promotes.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clearance import files, params, registry
from clearance.data.tables import fitted_rows
from clearance.policy import schema
from clearance.reporting import summary
from clearance.versioning import lineage

_CONTEXTS = {"train": "training", "tune": "tuning", "test": "testing"}
_FILES = ("params.yaml", "dvc.yaml", "dvc.lock", "requirements.lock", "data/origin.json")
_LONGEST_KEY = 250
_LONGEST_NOTE = 8000

logger = logging.getLogger(__name__)


def record(verified: lineage.Lineage, settings: params.Params) -> registry.RunRecord:
    """What MLflow is told about the execution whose files are `verified`.

    Raises IntegrityError when a record is missing or has changed since.
    """
    documents = {name: verified.read_json(f"reports/{name}.json") for name in schema.DOCUMENTS}
    verdict = verified.read_json(lineage.VERDICT)
    described = registry.describe_model(verified)
    kept = [path for path in verified.outs if path.startswith("reports/")]
    return registry.RunRecord(
        experiment=settings.experiment,
        fingerprint=verified.fingerprint,
        title=f"{settings.name} {verified.fingerprint[:12]}",
        params=dict(_flat(params.read_yaml(verified.root / "params.yaml"))),
        metrics=dict(_metrics(documents)),
        tags=tags(verdict, described) | _notes(verdict),
        data=tuple(_data_sets(documents["split"], described)),
        model=described,
        files={path: verified.root / path for path in (*_FILES, settings.policy.file, *kept)},
        contents={
            fitted_rows.name(split): fitted_rows.read(verified.root, split) for split in fitted_rows.SPLITS
        }
        if described
        else {},
        candidates=tuple(_candidates(documents["training"])),
        test_rows=test_rows(documents["split"]) if described else None,
    )


def test_rows(split: Mapping[str, Any]) -> str | None:
    """The digest of the rows that judge; None when there are no prepared tables."""
    return None if split["status"] != "measured" else str(split["row_digests"]["test"])


def _candidates(training: Mapping[str, Any]) -> Iterator[registry.CandidateRun]:
    """Every model that was tried, and the reference they are compared with, where there is more than one."""
    reference = training.get("reference")
    told = [*training.get("candidates", []), *([reference] if reference else [])]
    for place, each in enumerate(told if len(told) > 1 else (), start=1):
        numbers = {"utility": each.get("utility"), "threshold": each.get("threshold")}
        numbers |= {f"tune/{name}": value for name, value in each.get("tune", {}).items()}
        for metric, by in each.get("disparity", {}).items():
            numbers |= {f"tune/{_key(metric, name)}": value for name, value in by.items()}
        mark = " (reference)" if each is reference else ""
        yield registry.CandidateRun(
            place=place,
            title=f"{place} {each['estimator'].rpartition('.')[2]}, {each['mitigation']}{mark}",
            params={
                "estimator": each["estimator"],
                "mitigation": each["mitigation"],
                **{_key("arguments", name): json.dumps(value) for name, value in each["arguments"].items()},
            },
            metrics={name: float(value) for name, value in numbers.items() if value is not None},
            tags={
                "clearance.candidate.chosen": str(each["chosen"]).lower(),
                "clearance.candidate.reference": str(each is reference).lower(),
                "clearance.candidate.why": each["why"],
                "clearance.candidate.protected_at_decision": str(each["uses_protected_at_decision"]).lower(),
            },
        )


def tags(verdict: Mapping[str, Any], described: registry.ModelDescription | None) -> dict[str, str]:
    """The verdict, the policy and the digest of all evidence, as tags of a run or a model version."""
    found = {
        "clearance.name": verdict["name"],
        "clearance.verdict": verdict["verdict"],
        "clearance.what_if": str(verdict["what_if"]).lower(),
    }
    for key in ("id", "version", "file", "sha256", "as_of"):
        found[f"clearance.judging.policy.{key}"] = str(verdict["policy"][key])
    for path, sha256 in verdict["evidence"].items():
        found[_key("clearance.evidence", path.replace("/", "."))] = sha256
    return found | ({"clearance.model.sha256": described.sha256} if described else {})


def _notes(verdict: Mapping[str, Any]) -> dict[str, str]:
    """The outcome of every rule, and the verdict as the text that MLflow shows first."""
    found = {
        _key("clearance.rule", each["rule"], each["attribute"]): each["outcome"] or "report only"
        for each in verdict["findings"]
    }
    return found | {"mlflow.note.content": summary.markdown(verdict)[:_LONGEST_NOTE]}


def _metrics(documents: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Every number that was measured, with the ends of its interval; what is undefined has none."""
    for name, document in documents.items():
        if document["status"] == "measured":
            for key, measurement in _measurements(document["measurements"]):
                ends = {"": "value", ".low": "low", ".high": "high"}
                for end, part in ends.items():
                    if measurement.get(part) is not None:
                        yield f"{name}/{key}{end}", float(measurement[part])
    training = documents["training"]
    for key, value in {**training.get("tune", {}), "threshold": training.get("threshold")}.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield f"tune/{_key(key)}", float(value)


def _measurements(found: Mapping[str, Any], *at: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, inner in found.items():
        if "value" in inner:
            yield _key(*at, name), inner
        else:
            yield from _measurements(inner, *at, name)


def _data_sets(
    split: Mapping[str, Any], described: registry.ModelDescription | None
) -> Iterator[registry.DataSet]:
    """The rows that were fitted on, chosen on and judged on; none when there are no prepared tables."""
    if split["status"] != "measured":
        return
    for name, context in _CONTEXTS.items():
        content = {"split": name, "rows": split["row_digests"][name], "tables": split["tables"]}
        yield registry.DataSet(
            name=name,
            context=context,
            sha256=files.sha256_json(content),
            source="data/prepared",
            rows=split["rows"][name],
            columns=described.inputs if described else (),
        )


def _flat(value: Any, *at: str) -> Iterator[tuple[str, str]]:
    """Every leaf below `value` with its dotted key; lists stay whole, as JSON."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, *at, str(key))
    else:
        yield _key(*at), value if isinstance(value, str) else json.dumps(value, default=str)


def _key(*parts: str | None) -> str:
    """The parts as one key that MLflow accepts; a digest keeps apart what had to be changed."""
    whole = ".".join(part for part in parts if part)
    plain = re.sub(r"[^A-Za-z0-9_\- .]", "_", whole)
    if plain == whole and len(plain) <= _LONGEST_KEY:
        return plain
    digest = files.sha256_json(whole)[:8]
    return f"{plain[: _LONGEST_KEY - len(digest) - 20]}.{digest}"
