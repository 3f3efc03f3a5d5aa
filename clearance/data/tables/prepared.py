"""The prepared tables as every later stage reads them: features, label and protected attributes apart.

Only tables that `reports/split.json` recorded are returned: one that differs from its digest, or whose rows
do not line up with the others, is refused. The split itself is chosen elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearance import files, paths
from clearance.data import faults
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
    return [_side({name: _table(path, split) for name, path in paths.items()}) for split in splits]


def read_keys(root: Path) -> dict[str, pa.Array]:
    """The hashes of the rows of each split, and nothing else of them."""
    table = pq.read_table(_paths(root, ["label"])["label"], columns=list(KEYS))
    return {
        name: table.filter(pc.equal(table.column("split"), name)).column("row").combine_chunks()
        for name in SPLITS
    }


def read_outcomes(root: Path, split: str | None) -> Prepared:
    """What `read` returns, without the features: for measuring outcomes by group."""
    stored = {name: _table(path, split) for name, path in _paths(root, ("label", "protected")).items()}
    return _side(stored | {"features": stored["label"].select(KEYS)})


def _side(stored: dict[str, pa.Table]) -> Prepared:
    features, label, protected = (stored[name] for name in TABLES)
    for name in TABLES[1:]:
        if not features.select(KEYS).equals(stored[name].select(KEYS)):
            path = FOLDER / f"{name}.parquet"
            raise faults.TABLES_MISALIGNED(path=path, first=f"{TABLES[0]}.parquet")
    keys = features.select(KEYS).to_pandas()
    return Prepared(
        rows=keys["row"],
        splits=keys["split"],
        features=features.drop_columns(list(KEYS)).to_pandas(),
        label=label.column("label").to_numpy().astype(np.int8),
        protected=protected.drop_columns(list(KEYS)).to_pandas(),
        **{name: label.column(name).to_numpy() for name in SAMPLING_COLUMNS if name in label.column_names},
    )


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


def _table(path: Path, split: str | None = None) -> pa.Table:
    if split is not None and split not in SPLITS:
        raise ValueError(f"unknown split {split}; there are {', '.join(SPLITS)}")
    return pq.read_table(path, filters=None if split is None else [("split", "=", split)])


def read_record(root: Path) -> SplitDocument:
    """What `prepare` recorded. Raises IntegrityError when it is missing, or when preparation was blocked."""
    document = SplitDocument.read(root)
    if isinstance(document, BlockedDocument):
        raise faults.NOT_PREPARED(reason=document.because)
    return document
