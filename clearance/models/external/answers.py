"""A table of answers by row key, checked and made a model: a vendor's scores, its decisions, or both.

Every answer in it is declared: nothing here can tell whether the vendor's model really gave it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.pipeline import Pipeline

from clearance import files
from clearance.data import faults as data_faults
from clearance.data.sources import keyed_table
from clearance.data.tables import row_ids
from clearance.models.external import adopted, faults, score_table

DECIDED_AT = 0.5
"""The threshold of decisions without scores, which stand as the scores 0 and 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """The n answers of a table, each None where the table has no such column.

    `keys` (n, 16) are the digests of the rows' keys, `scores` (n,) lie in 0 to 1, `decided` (n,) says which
    decisions are favourable.
    """

    keys: npt.NDArray[np.uint8]
    scores: npt.NDArray[np.float64] | None
    decided: npt.NDArray[np.bool_] | None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The hashes of the rows by split, and how many rows of the table are in no split."""

    by_split: Mapping[str, pa.Array]
    left_out: int = 0


def read(project: adopted.Project, rows: Rows) -> adopted.Adopted:
    """The answers as a model of these rows. Raises DataError or ConfigurationError on what does not fit.

    Every row that chooses or judges must have its answer; a train row may have one.
    """
    file, table = project.external.file, of_file(project)
    _refuse_other_rows(file, table.keys, rows)
    scores = table.scores
    if scores is None:
        scores = np.asarray(table.decided, dtype=np.float64)
    return adopted.Adopted(
        format="table",
        sha256=files.sha256(Path(file)),
        pipeline=of_rows(table.keys, scores),
        origin="declared",
        answer="decisions" if table.scores is None else "scores",
    )


def of_file(terms: adopted.Terms) -> Answers:
    """The answers in the table, whatever rows they are for. Raises DataError or ConfigurationError.

    Where the table holds scores and decisions, the declared threshold must decide as the decisions say.
    """
    external, file = terms.external, terms.external.file
    if terms.data.row_key is None:
        raise data_faults.EXTERNAL_NEEDS_KEY(path=file)
    if external.score is None and terms.threshold is not None:
        raise faults.THRESHOLD_WITHOUT_SCORES(path=file)
    named = [name for name in (external.score, external.decision) if name is not None]
    texts = [external.decision] if external.decision else []
    delimiter = keyed_table.Delimiter(setting=keyed_table.OF_ANSWERS, value=external.delimiter)
    table = keyed_table.read(file, external.key or terms.data.row_key, delimiter, named, texts)
    decided = None if external.decision is None else _decisions(terms, table.columns)
    scores = None
    if external.score is not None:
        scores = _scores(file, external.score, table.columns.column(external.score))
        if decided is not None:
            _refuse_contradictions(file, scores, decided, terms.threshold)
    return Answers(keys=table.keys, scores=scores, decided=decided)


def of_rows(rows: npt.NDArray[np.uint8], scores: npt.NDArray[np.float64]) -> Pipeline:
    """The model that knows the scores (n,) of these rows (n, 16)."""
    return adopted.pipeline({score_table.ROW: "category"}, score_table.ordered(rows, scores))


def _refuse_other_rows(file: str, keys: npt.NDArray[np.uint8], rows: Rows) -> None:
    """Raise DataError unless every row that chooses or judges is listed, and no row that is not there."""
    sides = {name: digests(hashes.to_pylist()) for name, hashes in rows.by_split.items()}
    used = np.concatenate([sides["tune"], sides["test"]])
    if missing := int((~keyed_table.contained(used, keys)).sum()):
        raise faults.ANSWERS_MISSING(path=file, missing=missing, rows=len(used))
    unknown = int((~keyed_table.contained(keys, np.concatenate([used, sides["train"]]))).sum())
    if unknown > rows.left_out:
        raise faults.ANSWERS_UNKNOWN(path=file, unknown=unknown, lines=len(keys))


def digests(hashes: Iterable[str]) -> npt.NDArray[np.uint8]:
    """The hashes of n rows, texts of 32 hexadecimal digits, as digests (n, 16)."""
    content = bytes.fromhex("".join(hashes))
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, row_ids.DIGEST_BYTES)


def _scores(file: str, name: str, column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise faults.NOT_NUMBERS(path=file, column=name, kind=kind)
    scores: npt.NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    if missing := int(np.isnan(scores).sum()):
        raise faults.SCORES_MISSING(path=file, column=name, rows=missing)
    if outside := int((~((scores >= 0) & (scores <= 1))).sum()):
        raise faults.SCORES_OUTSIDE(path=file, column=name, rows=outside)
    return scores


def _decisions(terms: adopted.Terms, columns: pa.Table) -> npt.NDArray[np.bool_]:
    """Whether each decision is the favourable one."""
    file, name, wanted = terms.external.file, str(terms.external.decision), terms.favourable
    texts = row_ids.canonical(columns.column(name), name)
    if texts.null_count:
        raise faults.DECISIONS_MISSING(path=file, column=name, rows=texts.null_count)
    values = sorted(pc.unique(texts).to_pylist())
    if len(values) > 2 or wanted not in values:
        shown = ", ".join(values[:5])
        raise faults.DECISIONS_UNCLEAR(path=file, column=name, favourable=wanted, values=shown)
    decided: npt.NDArray[np.bool_] = pc.equal(texts, wanted).to_numpy(zero_copy_only=False)
    return decided


def _refuse_contradictions(
    file: str, scores: npt.NDArray[np.float64], decided: npt.NDArray[np.bool_], threshold: float | None
) -> None:
    """Raise unless the declared threshold decides every line as the table does."""
    above = float(scores[~decided].max(initial=-np.inf))
    up_to = float(scores[decided].min(initial=np.inf))
    fitting = f"thresholds above {above:g} up to {up_to:g}" if above < up_to else "no threshold"
    if threshold is None:
        raise faults.THRESHOLD_UNDECLARED(path=file, fitting=fitting)
    if rows := int(((scores >= threshold) != decided).sum()):
        raise faults.THRESHOLD_CONTRADICTED(path=file, threshold=threshold, rows=rows, fitting=fitting)
