"""The prepared tables as every later stage reads them: features, label and protected attributes apart.

Only what `reports/split.json` recorded is handed out; a table that differs from its digest, or whose
rows do not line up with the others, is refused. Nothing here chooses which rows go where.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clearance import files
from clearance.errors import IntegrityError

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "tune", "test")
"""Rows to fit on, to choose on, and to judge on."""

TABLES = ("features", "label", "protected")
KEYS = ("row", "split")
"""The columns all three tables share, in the same order of rows."""

SAMPLING_COLUMNS = ("weight", "cluster")
"""What the label table says of a row beside its label, where it is declared."""

FOLDER = Path("data/prepared")
RECORD = Path("reports/split.json")


@dataclass(frozen=True)
class Prepared:
    """Rows of one split, or of all; every part has the same rows in the same order.

    `label` is int8 with 1 for the favourable outcome. `protected` holds one text column per attribute;
    null says that the group is not known. `weight` is float64, positive and finite, and `cluster` a text that
    rows of one cluster share; None where none is declared.
    """

    rows: pd.Series
    splits: pd.Series
    features: pd.DataFrame
    label: np.ndarray
    protected: pd.DataFrame
    weight: np.ndarray | None = None
    cluster: np.ndarray | None = None

    def inputs(self, names: Iterable[str]) -> pd.DataFrame:
        """The features; with them those protected attributes that `names`, a model's inputs, ask for."""
        asked = [name for name in self.protected.columns if name in set(names)]
        return self.features.join(self.protected[asked]) if asked else self.features


def read(root: Path, split: str | None) -> Prepared:
    """Read the rows of `split` (None: all rows) of the project at `root`.

    Raises IntegrityError when a table is missing, is not the recorded one, or does not line up with the
    others, and when preparation was blocked.
    """
    return read_splits(root, split)[0]


def read_splits(root: Path, *splits: str | None) -> list[Prepared]:
    """What `read` gives for each of `splits`, from files that are checked once."""
    paths = _paths(root, TABLES)
    return [_side({name: _table(path, split) for name, path in paths.items()}) for split in splits]


def read_outcomes(root: Path, split: str | None) -> Prepared:
    """What `read` gives, without the features: for those who measure outcomes by group."""
    stored = {name: _table(path, split) for name, path in _paths(root, ("label", "protected")).items()}
    return _side(stored | {"features": stored["label"].select(KEYS)})


def _side(stored: dict[str, pa.Table]) -> Prepared:
    features, label, protected = (stored[name] for name in TABLES)
    for name in TABLES[1:]:
        if not features.select(KEYS).equals(stored[name].select(KEYS)):
            raise IntegrityError(
                f"{FOLDER}/{name}.parquet does not hold the rows of {TABLES[0]}.parquet in the same order",
                "run `clearance repair`, then run again: the tables are rebuilt together",
            )
    keys = features.select(KEYS).to_pandas()
    return Prepared(
        rows=keys["row"],
        splits=keys["split"],
        features=features.drop_columns(list(KEYS)).to_pandas(),
        label=label.column("label").to_numpy().astype(np.int8),
        protected=protected.drop_columns(list(KEYS)).to_pandas(),
        **{name: label.column(name).to_numpy() for name in SAMPLING_COLUMNS if name in label.column_names},
    )


def tables(root: Path) -> dict[str, pa.Table]:
    """Each table as it was recorded, by name; whether they line up is for the caller to check.

    Raises IntegrityError when a table is missing or not the recorded one, and when preparation was blocked.
    """
    return {name: _table(path) for name, path in _paths(root, TABLES).items()}


def read_protected(root: Path) -> pd.DataFrame:
    """The protected attributes of all rows, one text column each. Raises what `tables` raises."""
    stored = _table(_paths(root, ["protected"])["protected"])
    frame: pd.DataFrame = stored.drop_columns(list(KEYS)).to_pandas()
    return frame


def _paths(root: Path, names: Iterable[str]) -> dict[str, Path]:
    """Where the tables are, each held against its digest."""
    recorded = read_record(root)["tables"]
    return {name: files.verify(root / FOLDER / f"{name}.parquet", recorded[name]) for name in names}


def _table(path: Path, split: str | None = None) -> pa.Table:
    if split is not None and split not in SPLITS:
        raise ValueError(f"no split is called {split}: {', '.join(SPLITS)}")
    return pq.read_table(path, filters=None if split is None else [("split", "=", split)])


def read_record(root: Path) -> dict[str, Any]:
    """What `prepare` recorded. Raises IntegrityError when it is missing, or when preparation was blocked."""
    document: dict[str, Any] = files.read_json(root / RECORD)
    if document.get("status") != "measured":
        raise IntegrityError(
            f"there are no prepared tables: {document.get('because') or 'nothing was recorded'}",
            "mend what validation names, then run again",
        )
    return document
