"""What a run in MLflow holds: parameters, metrics, data sets, candidates and files of one execution.

Made from the records that the stages wrote and nothing else, so the same execution always gives the same run.
Nothing is registered or promoted here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from clearance import files, params, paths, registry
from clearance.data.tables import fitted_rows
from clearance.documents import catalogue
from clearance.documents.evidence_document import BlockedDocument, MeasuredDocument
from clearance.documents.measurement import Measurement, Outcome
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import (
    CandidateReport,
    SkippedCandidateReport,
    TrainingDocument,
)
from clearance.documents.verdict_document import VerdictDocument
from clearance.reporting import headline, summary
from clearance.versioning import pipeline_state

D = TypeVar("D", bound=MeasuredDocument)

_CONTEXTS = {"train": "training", "tune": "tuning", "test": "testing"}
_FILES = (paths.PARAMS, paths.DVC_YAML, paths.DVC_LOCK, paths.REQUIREMENTS_LOCK, paths.ORIGIN)
_LONGEST_KEY = 250
_LONGEST_NOTE = 8000


def record(verified: pipeline_state.PipelineState, settings: params.Params) -> registry.RunRecord:
    """The run of the execution whose files are `verified`.

    Raises IntegrityError when a document is missing, has changed since, or does not fit its schema.
    """
    documents = {name: _document(verified, kind) for name, kind in catalogue.EVIDENCE.items()}
    split, training = _document(verified, SplitDocument), _document(verified, TrainingDocument)
    verdict = VerdictDocument.from_json(verified.read_json(paths.VERDICT.as_posix()))
    model = registry.describe_model(verified)
    reports = [path for path in verified.outs if path.startswith(f"{paths.REPORTS}/")]
    stated = [path for path in verified.deps if path == paths.CARD_TEXT.as_posix()]
    names = [*(path.as_posix() for path in _FILES), settings.policy.file, *stated, *reports]
    return registry.RunRecord(
        experiment=settings.experiment,
        fingerprint=verified.fingerprint,
        title=f"{headline.VERDICTS[verdict.verdict]}: {settings.name} {verified.fingerprint[:8]}",
        params=dict(_leaves(params.read_yaml(verified.root / paths.PARAMS))),
        metrics=dict([*_deciding(verdict), *_metrics(documents), *_tune_metrics(training)]),
        tags=_run_tags(verdict, model) | _notes(verdict),
        data=tuple(_data_sets(split, model)),
        model=model,
        files={name: verified.root / name for name in names},
        contents={fitted_rows.name(split): rows for split, rows in fitted_rows.read(verified.root).items()}
        if model
        else {},
        candidates=tuple(_candidates(training)),
        test_rows=test_rows(split) if model else None,
        status="FINISHED" if verdict.verdict is Outcome.PASS else "FAILED",
    )


def test_rows(split: SplitDocument | BlockedDocument) -> str | None:
    """The digest of the test rows; None when nothing was prepared."""
    return None if isinstance(split, BlockedDocument) else split.row_digests["test"]


def attempt_facts(
    settings: params.Params, verdict: VerdictDocument, split: SplitDocument | BlockedDocument
) -> dict[str, Any]:
    """What this execution tried, as the ledger records it beside its verdict."""
    return registry.attempt_facts(
        seed=settings.seed,
        overrides=dict(_leaves(settings.overrides)) if settings.overrides else {},
        test_rows=test_rows(split),
        source=verdict.evidence.get(paths.ORIGIN.as_posix()),
    )


def _document(verified: pipeline_state.PipelineState, kind: type[D]) -> D | BlockedDocument:
    return kind.from_json(verified.read_json(kind.path.as_posix()))


def _candidates(training: TrainingDocument | BlockedDocument) -> Iterator[registry.CandidateRun]:
    """Every candidate, and the reference they are compared with; none where one model was tried alone."""
    if isinstance(training, BlockedDocument):
        return
    reference = training.reference
    reports: Sequence[CandidateReport | SkippedCandidateReport] = [
        *training.candidates,
        *([reference] if reference else []),
    ]
    for place, candidate in enumerate(reports if len(reports) > 1 else (), start=1):
        is_reference = candidate is reference
        mark = " (reference)" if is_reference else ""
        arguments = {
            _key("arguments", name): json.dumps(value) for name, value in candidate.arguments.items()
        }
        yield registry.CandidateRun(
            place=place,
            title=f"{place} {candidate.estimator.rpartition('.')[2]}, {candidate.mitigation}{mark}",
            params={"estimator": candidate.estimator, "mitigation": candidate.mitigation, **arguments},
            metrics=_candidate_metrics(candidate),
            tags={
                "clearance.candidate.chosen": str(candidate.chosen).lower(),
                "clearance.candidate.reference": str(is_reference).lower(),
                "clearance.candidate.why": candidate.why,
                "clearance.candidate.protected_at_decision": str(
                    candidate.uses_protected_at_decision
                ).lower(),
            },
        )


def _candidate_metrics(candidate: CandidateReport | SkippedCandidateReport) -> dict[str, float]:
    """Every number that was measured of the candidate on tune rows."""
    if isinstance(candidate, SkippedCandidateReport):
        return {}
    numbers = {"utility": candidate.utility, "threshold": candidate.threshold}
    numbers |= {f"tune/{name}": value for name, value in vars(candidate.tune).items()}
    for metric, by_attribute in candidate.disparity.items():
        numbers |= {f"tune/{_key(metric, name)}": value for name, value in by_attribute.items()}
    return {name: float(value) for name, value in numbers.items() if value is not None}


def tags(verdict: VerdictDocument, model: registry.ModelDescription | None) -> dict[str, str]:
    """The verdict, the policy and the digest of all evidence, as tags of a run or a model version."""
    values = {
        "clearance.name": verdict.name,
        "clearance.verdict": str(verdict.verdict),
        "clearance.what_if": str(verdict.what_if).lower(),
    }
    for key in ("id", "version", "file", "sha256", "as_of"):
        values[f"clearance.judging.policy.{key}"] = str(getattr(verdict.policy, key))
    for path, sha256 in verdict.evidence.items():
        values[_key("clearance.evidence", path.replace("/", "."))] = sha256
    return values | ({"clearance.model.sha256": model.sha256} if model else {})


def _run_tags(verdict: VerdictDocument, model: registry.ModelDescription | None) -> dict[str, str]:
    """The tags of a run, with the digest that counts attempts; `reports/verdict.json` has all of them."""
    return {
        key: value
        for key, value in tags(verdict, model).items()
        if not key.startswith("clearance.evidence.") or key == registry.SOURCE
    }


def _notes(verdict: VerdictDocument) -> dict[str, str]:
    """The outcome of every rule that does not pass, and the verdict as the text that MLflow shows first."""
    outcomes = {
        _key("clearance.rule", finding.rule, finding.attribute): str(finding.outcome)
        for finding in verdict.findings
        if finding.outcome not in (None, Outcome.PASS)
    }
    return outcomes | {"mlflow.note.content": summary.markdown(verdict)[:_LONGEST_NOTE]}


def _deciding(verdict: VerdictDocument) -> Iterator[tuple[str, float]]:
    """What the rules in force read, with the ends of its interval, under the name of the rule."""
    for finding in verdict.findings:
        ends = {"": finding.value, ".low": finding.low, ".high": finding.high}
        for suffix, number in ends.items():
            if number is not None and finding.outcome is not None:
                yield f"decides/{_key(finding.rule, finding.attribute)}{suffix}", float(number)


def _metrics(documents: Mapping[str, MeasuredDocument | BlockedDocument]) -> Iterator[tuple[str, float]]:
    """Every number that was measured; what is undefined has none. The reports hold all intervals."""
    for name, document in documents.items():
        for key, measurement in _measurements(document.measurements):
            if measurement.value is not None:
                yield f"{name}/{key}", float(measurement.value)


def _tune_metrics(training: TrainingDocument | BlockedDocument) -> Iterator[tuple[str, float]]:
    if isinstance(training, BlockedDocument):
        return
    for key, value in {**vars(training.tune), "threshold": training.threshold}.items():
        if value is not None:
            yield f"tune/{_key(key)}", float(value)


def _measurements(
    measurements: Mapping[str, Measurement | Mapping[str, Measurement]], *prefix: str
) -> Iterator[tuple[str, Measurement]]:
    for name, measurement in measurements.items():
        if isinstance(measurement, Measurement):
            yield _key(*prefix, name), measurement
        else:
            yield from _measurements(measurement, *prefix, name)


def _data_sets(
    split: SplitDocument | BlockedDocument, model: registry.ModelDescription | None
) -> Iterator[registry.DataSet]:
    """The rows for fitting, for choosing and for judging; none when there are no prepared tables."""
    if isinstance(split, BlockedDocument):
        return
    for name, context in _CONTEXTS.items():
        content = {"split": name, "rows": split.row_digests[name], "tables": split.tables}
        yield registry.DataSet(
            name=name,
            context=context,
            sha256=files.sha256_json(content),
            source=paths.PREPARED.as_posix(),
            rows=split.rows[name],
            columns=model.inputs if model else (),
        )


def _leaves(value: Any, *prefix: str) -> Iterator[tuple[str, str]]:
    """Every leaf below `value` with its dotted key; a list is one leaf, as JSON."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, *prefix, str(key))
    else:
        yield _key(*prefix), value if isinstance(value, str) else json.dumps(value, default=str)


def _key(*parts: str | None) -> str:
    """The parts as one key that MLflow accepts; a digest tells apart keys that had to be changed."""
    key = ".".join(part for part in parts if part)
    accepted = re.sub(r"[^A-Za-z0-9_\- .]", "_", key)
    if accepted == key and len(accepted) <= _LONGEST_KEY:
        return accepted
    digest = files.sha256_json(key)[:8]
    return f"{accepted[: _LONGEST_KEY - len(digest) - 20]}.{digest}"
