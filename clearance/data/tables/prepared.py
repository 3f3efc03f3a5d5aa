"""The prepared tables as every later stage reads them: features, label and protected attributes apart.

Only tables that `reports/split.json` recorded are returned: one that differs from its digest, or whose rows
do not line up with the others, is refused. The split itself is chosen elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearance import files, paths
from clearance.data import faults
from clearance.data.tables import row_ids
from clearance.data.tables.stored_table import StoredTable
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.split_document import SplitDocument

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "tune", "test")
"""Rows for fitting, for choosing, and for judging."""

TABLES = ("features", "label", "protected")
KEYS = ("row", "split")
"""The columns all three tables share, in the same order of rows."""

SAMPLING_COLUMNS = ("weight", "cluster")
"""Further columns of the label table, where params.yaml declares them."""

FOLDER = paths.PREPARED


@dataclass(frozen=True)
class Prepared:
    """Rows of one split, or of all; every part has the same rows in the same order.

    `label` is int8 with 1 for the favourable outcome. `protected` holds one text column per attribute;
    null means that the group is unknown. `weight` is float64, positive and finite, and `cluster` a text that
    rows of one cluster share; None where not declared.
    """

    rows: pd.Series
    splits: pd.Series
    features: pd.DataFrame
    label: np.ndarray
    protected: pd.DataFrame
    weight: np.ndarray | None = None
    cluster: np.ndarray | None = None

    def inputs(self, names: Iterable[str]) -> pd.DataFrame:
        """The features, with those protected attributes that are among `names`, the inputs of a model.

        Of a table of answers the only input is `row`, the row's own hash.
        """
        wanted = set(names)
        if "row" in wanted:
            return self.rows.to_frame("row")
        used = [name for name in self.protected.columns if name in wanted]
        return self.features.join(self.protected[used]) if used else self.features


def read(root: Path, split: str | None) -> Prepared:
    """Read the rows of `split` (None: all rows) of the project at `root`.

    Raises IntegrityError when a table is missing, is not the recorded one, or does not line up with the
    others, and when preparation was blocked.
    """
    return read_splits(root, split)[0]


def read_splits(root: Path, *splits: str | None) -> list[Prepared]:
    """What `read` returns, for each of `splits`; the files are verified once."""
    paths = _paths(root, TABLES)
    return [_side(paths, split) for split in splits]


def read_keys(root: Path) -> dict[str, pa.Array]:
    """The hashes of the rows of each split, and nothing else of them."""
    table = pq.read_table(_paths(root, ["label"])["label"], columns=list(KEYS))
    return {
        name: table.filter(pc.equal(table.column("split"), name)).column("row").combine_chunks()
        for name in SPLITS
    }


def read_outcomes(root: Path, split: str | None) -> Prepared:
    """What `read` returns, without the features: for measuring outcomes by group."""
    return _side(_paths(root, ("label", "protected")), split)


def read_sample(root: Path, split: str, outcomes: Prepared, positions: Sequence[int]) -> Prepared:
    """The rows at `positions` of the `outcomes` that were read of `split`, in that order, with features.

    No column of features is in memory as a whole beside another. Raises what `read` raises.
    """
    path = _paths(root, ["features"])["features"]
    at = pa.array(positions, type=pa.int64())
    hashes = _table(path, split, names=["row"]).column("row").cast(pa.string())
    if not hashes.combine_chunks().equals(row_ids.texts(outcomes.rows)):
        raise faults.TABLES_MISALIGNED(path=path, first=f"{TABLES[1]}.parquet")
    features = _table(path, split, at=at).drop_columns(list(KEYS)).to_pandas()
    places = list(positions)
    return Prepared(
        rows=outcomes.rows.iloc[places],
        splits=outcomes.splits.iloc[places],
        features=features.set_axis(outcomes.rows.index[places]),
        label=outcomes.label[places],
        protected=outcomes.protected.iloc[places],
        weight=None if outcomes.weight is None else outcomes.weight[places],
        cluster=None if outcomes.cluster is None else outcomes.cluster[places],
    )


def _side(paths: Mapping[str, Path], split: str | None) -> Prepared:
    label = _table(paths["label"], split)
    keys = label.select(KEYS)
    if "features" in paths and not _table(paths["features"], split, KEYS).equals(keys):
        raise faults.TABLES_MISALIGNED(path=FOLDER / "label.parquet", first="features.parquet")
    if not _table(paths["protected"], split, KEYS).equals(keys):
        raise faults.TABLES_MISALIGNED(path=FOLDER / "protected.parquet", first="features.parquet")
    rows, nothing = keys.to_pandas(), keys.drop_columns(list(KEYS)).to_pandas()
    return Prepared(
        rows=rows["row"],
        splits=rows["split"],
        features=_contents(paths["features"], split) if "features" in paths else nothing,
        label=label.column("label").to_numpy().astype(np.int8),
        protected=_contents(paths["protected"], split),
        **{name: label.column(name).to_numpy() for name in SAMPLING_COLUMNS if name in label.column_names},
    )


def _contents(path: Path, split: str | None) -> pd.DataFrame:
    """The columns that are not keys, as a frame; no column is in memory twice."""
    names = [name for name in pq.read_schema(path).names if name not in KEYS]
    frame: pd.DataFrame = _table(path, split, names).to_pandas(split_blocks=True, self_destruct=True)
    return frame


def tables(root: Path) -> dict[str, StoredTable]:
    """Each table as it was recorded, by name and read by column; the caller checks that they line up.

    Raises IntegrityError when a table is missing or not the recorded one, and when preparation was blocked.
    """
    return {name: StoredTable(path) for name, path in _paths(root, TABLES).items()}


def read_protected(root: Path) -> pd.DataFrame:
    """The protected attributes of all rows, one text column each. Raises what `tables` raises."""
    stored = _table(_paths(root, ["protected"])["protected"])
    frame: pd.DataFrame = stored.drop_columns(list(KEYS)).to_pandas()
    return frame


def _paths(root: Path, names: Iterable[str]) -> dict[str, Path]:
    """The files of the tables, each verified against its digest."""
    recorded = read_record(root).tables
    return {name: files.verify(root / FOLDER / f"{name}.parquet", recorded[name]) for name in names}


def _table(
    path: Path, split: str | None = None, names: Iterable[str] | None = None, at: pa.Array | None = None
) -> pa.Table:
    """The columns `names` (None: all) of the rows of `split`, or only of those `at` these positions.

    Columns are read one after the other: together they take three times their size, and twice the time.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"unknown split {split}; there are {', '.join(SPLITS)}")
    columns, is_side = {}, None
    with pq.ParquetFile(path, read_dictionary=["split"]) as file:
        groups = [n for n in range(file.num_row_groups) if _may_hold(file.metadata.row_group(n), split)]
        if split is not None:
            sides = file.read_row_groups(groups, columns=["split"]).column("split")
            is_side = pc.equal(sides.cast(pa.string()), split)
        for name in file.schema_arrow.names if names is None else names:
            column = file.read_row_groups(groups, columns=[name]).column(name)
            column = column if is_side is None or pc.all(is_side).as_py() else column.filter(is_side)
            columns[name] = column if at is None else column.take(at)
    return pa.table(columns)


def _may_hold(group: pq.RowGroupMetaData, split: str | None) -> bool:
    """Whether rows of `split` (None: of any) may be in this row group."""
    columns = map(group.column, range(group.num_columns))
    statistics = next((column.statistics for column in columns if column.path_in_schema == "split"), None)
    if split is None or statistics is None or not statistics.has_min_max:
        return True
    return bool(statistics.min <= split <= statistics.max)


def read_record(root: Path) -> SplitDocument:
    """What `prepare` recorded. Raises IntegrityError when it is missing, or when preparation was blocked."""
    document = SplitDocument.read(root)
    if isinstance(document, BlockedDocument):
        raise faults.NOT_PREPARED(reason=document.because)
    return document
