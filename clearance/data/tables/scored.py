"""The scores of the test rows: written once by `score`, read by every stage that measures them.

All figures of a model therefore describe the same predictions. Scores that are not the recorded ones, or
belong to another model or other rows, are refused. Nothing here decides or measures.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from clearance import files, paths
from clearance.data import faults
from clearance.data.tables import row_ids
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.scores_document import ScoresDocument

if TYPE_CHECKING:
    import pandas as pd

FOLDER = paths.SCORED
FILE = paths.SCORED_TABLE


def write(file: Path, rows: pd.Series, scores: npt.NDArray[np.float64]) -> None:
    """Write the score (n,) of each row (n,) to `file`, in the order of the rows."""
    table = pa.table({"row": row_ids.texts(rows), "score": pa.array(scores)})
    pq.write_table(table, file, use_dictionary=False)


def read(root: Path, rows: pd.Series, model: str) -> npt.NDArray[np.float64]:
    """The score of each of `rows`, in their order, by the model with the SHA-256 `model`.

    Raises IntegrityError when the scores are missing, are not the recorded ones, belong to another model or
    other rows, and when nothing was scored.
    """
    record = ScoresDocument.read(root)
    if isinstance(record, BlockedDocument):
        raise faults.NOT_SCORED(reason=record.because)
    if record.model_sha256 != model:
        raise faults.SCORES_OF_ANOTHER_MODEL(path=record.path)
    table = pq.read_table(files.verify(root / FILE, record.sha256))
    if not table.column("row").combine_chunks().equals(row_ids.texts(rows)):
        raise faults.SCORES_OF_OTHER_ROWS(path=FILE)
    scores: npt.NDArray[np.float64] = table.column("score").to_numpy()
    return scores
