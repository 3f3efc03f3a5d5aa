"""The data sets that a step reads and writes, with what the evidence documents say of them.

Their names are the same on every machine: the model's name and the path in the project. What lies outside the
project has the name that the OpenLineage naming rules give it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clearance import files, paths
from clearance.documents.evidence_document import BlockedDocument, Document, MeasuredDocument
from clearance.documents.origin_document import OriginDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.validation_document import (
    PreparedValidationDocument,
    RawValidationDocument,
    ValidationDocument,
)
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import ClearanceError
from clearance.lineage import columns, facets
from clearance.lineage.columns import ColumnUse, SelectLineage
from clearance.lineage.events import DataSet
from clearance.params import Params
from clearance.versioning.stage_files import StageFiles

LABEL, SCORE = "label", "score"
_CODE = (".py", ".lock")
_RAW, _PREPARED = paths.RAW_TABLE.as_posix(), paths.PREPARED.as_posix()
_TRAINED, _SCORED = paths.TRAINED.as_posix(), paths.SCORED.as_posix()

_KINDS: Mapping[str, type[Document | MeasuredDocument]] = {
    "origin": OriginDocument,
    "raw": RawValidationDocument,
    "split": SplitDocument,
    "prepared": PreparedValidationDocument,
    "training": TrainingDocument,
    "verdict": VerdictDocument,
}
_NEEDED = {
    _RAW: ("origin",),
    _PREPARED: ("origin", "split"),
    _TRAINED: ("training", "split"),
    _SCORED: ("training", "split"),
    paths.VALIDATION_RAW.as_posix(): ("raw",),
    paths.VALIDATION_PREPARED.as_posix(): ("prepared",),
    paths.VERDICT.as_posix(): ("verdict",),
}
"""The documents, by their name in `Evidence`, that say something of an output."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence documents of a project, each None where it is missing, blocked or not readable."""

    origin: OriginDocument | None = None
    raw: RawValidationDocument | None = None
    split: SplitDocument | None = None
    prepared: PreparedValidationDocument | None = None
    training: TrainingDocument | None = None
    verdict: VerdictDocument | None = None
    prepared_types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Project:
    """How data sets are named: by `namespace`, the model's name, and the folder in which a run works."""

    namespace: str
    settings: Params
    folder: PurePosixPath = field(default_factory=PurePosixPath)

    def dataset(self, path: str) -> DataSet:
        """The data set at a path of the project, or at an absolute one."""
        if path.startswith("/"):
            return DataSet(namespace="file", name=path)
        place = (self.folder / path).as_posix()
        return DataSet(namespace=self.namespace, name=f"{self.settings.name}/{place}")

    @property
    def source(self) -> DataSet:
        """The source of the raw table."""
        return self.dataset(self.settings.source.path)


def read_evidence(root: Path, outputs: Collection[str] | None = None) -> Evidence:
    """The evidence documents of the project at `root`: all, or those that say something of `outputs`."""
    names = set(_KINDS) if outputs is None else {name for path in outputs for name in _NEEDED.get(path, ())}
    documents: dict[str, Any] = {name: _read(_KINDS[name], root) for name in names}
    types = _types(root / paths.PREPARED) if outputs is None or _PREPARED in outputs else {}
    return Evidence(**documents, prepared_types=types)


def _types(folder: Path) -> dict[str, str]:
    """The columns of the tables in a folder with their types; empty where there is no readable table."""
    try:
        schemas = [pq.read_schema(file) for file in sorted(folder.glob("*.parquet"))]
    except (OSError, pa.ArrowException):
        return {}
    return {column.name: str(column.type) for schema in schemas for column in schema}


def _read(kind: type[Document | MeasuredDocument], root: Path) -> Any:
    try:
        document = kind.from_json(files.read_json(root / kind.path))
    except (ClearanceError, OSError):
        return None
    return None if isinstance(document, BlockedDocument) else document


def declared(project: Project, stage: StageFiles) -> tuple[list[DataSet], list[DataSet]]:
    """What a stage reads and writes, by name alone."""
    reads = [project.dataset(path) for path in stage.reads if not is_code(path)]
    return reads, [project.dataset(path) for path in stage.writes]


def described(project: Project, stage: StageFiles, evidence: Evidence) -> tuple[list[DataSet], list[DataSet]]:
    """What a stage has read and written, with digests and all that the evidence says."""
    validation = _validation(stage, evidence)
    reads = [_input(project, path, md5, validation) for path, md5 in stage.reads.items() if not is_code(path)]
    writes = [_output(project, path, md5, evidence) for path, md5 in stage.writes.items()]
    return reads, writes


def is_code(path: str) -> bool:
    """Whether a stage reads the file as its code or its locked environment, which the commit stands for."""
    return path.endswith(_CODE)


def select_lineage(settings: Params, evidence: Evidence) -> SelectLineage:
    """What is known of the columns of the raw table."""
    names = evidence.origin.columns if evidence.origin else ()
    return columns.of_select(settings.source.select, names)


def _validation(stage: StageFiles, evidence: Evidence) -> tuple[str, ValidationDocument] | None:
    """The table that the stage validated, and what it found."""
    for path, document, table in (
        (paths.VALIDATION_RAW, evidence.raw, _RAW),
        (paths.VALIDATION_PREPARED, evidence.prepared, _PREPARED),
    ):
        if path.as_posix() in stage.writes and document is not None:
            return table, document
    return None


def _input(
    project: Project, path: str, md5: str | None, validation: tuple[str, ValidationDocument] | None
) -> DataSet:
    dataset = _versioned(project.dataset(path), md5)
    if validation is None or validation[0] != path:
        return dataset
    document = validation[1]
    found: dict[str, Any] = {"dataQualityMetrics": facets.quality(document)}
    of_input: dict[str, Any] = {
        "dataQualityMetrics": facets.quality_of_input(document),
        "dataQualityAssertions": facets.assertions(document),
    }
    return replace(
        dataset,
        facets={**dataset.facets, **_set(found)},
        input_facets=_set(of_input),
    )


def _output(project: Project, path: str, md5: str | None, evidence: Evidence) -> DataSet:
    dataset = _versioned(project.dataset(path), md5)
    describe = {_RAW: _raw, _PREPARED: _prepared, _TRAINED: _trained, _SCORED: _scored}.get(path)
    return describe(project, dataset, evidence) if describe else dataset


def _versioned(dataset: DataSet, md5: str | None) -> DataSet:
    if md5 is None:
        return dataset
    return replace(dataset, facets={**dataset.facets, "version": facets.version(f"md5:{md5}")})


def _raw(project: Project, dataset: DataSet, evidence: Evidence) -> DataSet:
    if evidence.origin is None:
        return dataset
    known = select_lineage(project.settings, evidence)
    found: dict[str, Any] = {"schema": facets.schema(_ordered(evidence.origin))}
    if known.fields:
        fields = {name: [(project.source, use) for use in uses] for name, uses in known.fields.items()}
        rows = [(project.source, use) for use in known.rows]
        found["columnLineage"] = facets.column_lineage(fields, rows)
    statistics = {"outputStatistics": facets.statistics(evidence.origin.rows)}
    return replace(dataset, facets={**dataset.facets, **found}, output_facets=statistics)


def _prepared(project: Project, dataset: DataSet, evidence: Evidence) -> DataSet:
    if evidence.split is None:
        return dataset
    raw, data = project.dataset(_RAW), project.settings.data
    types, protected = evidence.prepared_types, evidence.split.protected
    before = evidence.origin.types if evidence.origin else {}
    fields = {
        name: [(raw, ColumnUse(name, "IDENTITY" if _same(name, before, types) else "TRANSFORMATION"))]
        for name in evidence.split.features
    }
    fields |= {name: [(raw, ColumnUse(name, "TRANSFORMATION"))] for name in protected}
    fields[LABEL] = [(raw, ColumnUse(data.target, "TRANSFORMATION"))]
    found: dict[str, Any] = {
        "columnLineage": facets.column_lineage(fields),
    }
    if types:
        found["schema"] = facets.schema(types)
    statistics = {"outputStatistics": facets.statistics(sum(evidence.split.rows.values()))}
    return replace(dataset, facets={**dataset.facets, **found}, output_facets=statistics)


def _trained(project: Project, dataset: DataSet, evidence: Evidence) -> DataSet:
    """The model: its fields are its inputs, as the encoder knows them."""
    if evidence.training is None:
        return dataset
    kinds = {entry.name: entry.type for entry in evidence.training.inputs}
    found: dict[str, Any] = {
        "schema": facets.schema(kinds),
        "columnLineage": facets.column_lineage(
            {
                name: [(project.dataset(_PREPARED), ColumnUse(name, "IDENTITY"))]
                for name in _from_tables(evidence.training, evidence)
            }
        ),
    }
    return replace(dataset, facets={**dataset.facets, **found})


def _scored(project: Project, dataset: DataSet, evidence: Evidence) -> DataSet:
    if evidence.training is None:
        return dataset
    prepared = project.dataset(_PREPARED)
    inputs = [
        (prepared, ColumnUse(name, "TRANSFORMATION")) for name in _from_tables(evidence.training, evidence)
    ]
    found: dict[str, Any] = {"schema": facets.schema({"row": "string", SCORE: "double"})}
    if inputs:
        found["columnLineage"] = facets.column_lineage({SCORE: inputs})
    return replace(dataset, facets={**dataset.facets, **found})


def _from_tables(training: TrainingDocument, evidence: Evidence) -> Iterator[str]:
    """The inputs of the model that are columns of the prepared tables."""
    split = evidence.split
    known = {*split.features, *split.protected} if split else set()
    yield from (entry.name for entry in training.inputs if entry.name in known)


def _same(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    return name in before and before[name] == after.get(name)


def _ordered(origin: OriginDocument) -> dict[str, str]:
    return {name: origin.types[name] for name in origin.columns if name in origin.types}


def _set(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value is not None}
