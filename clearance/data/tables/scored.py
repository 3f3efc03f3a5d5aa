"""The test rows' scores: written once by `score`, read by every stage that measures them.

So that all figures of a model are of the very same predictions. Scores that are not the recorded ones, of
another model or of other rows are refused. Nothing here decides or measures.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from clearance import files
from clearance.errors import IntegrityError

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path("data/scored")
FILE = FOLDER / "scores.parquet"
RECORD = Path("reports/scores.json")
_HINT = "run `clearance repair`, then run again"


def write(file: Path, rows: pd.Series, scores: npt.NDArray[np.float64]) -> None:
    """Write the score (n,) of each row (n,) to `file`, in the order of the rows."""
    table = pa.table({"row": _texts(rows), "score": pa.array(scores)})
    pq.write_table(table, file, use_dictionary=False)


def read(root: Path, rows: pd.Series, model: str) -> npt.NDArray[np.float64]:
    """The score of each of `rows`, in their order, by the model with the SHA-256 `model`.

    Raises IntegrityError when the scores are missing, not what was recorded, of another model or of other
    rows, and when nothing was scored.
    """
    record: dict[str, Any] = files.read_json(root / RECORD)
    if record.get("status") != "measured":
        raise IntegrityError(f"there are no scores: {record.get('because') or 'nothing was recorded'}", _HINT)
    if record["model_sha256"] != model:
        raise IntegrityError(f"{RECORD} is of another model than the trained one", _HINT)
    table = pq.read_table(files.verify(root / FILE, record["sha256"]))
    if not table.column("row").equals(_texts(rows)):
        raise IntegrityError(f"{FILE} does not hold the test rows in their order", _HINT)
    scores: npt.NDArray[np.float64] = table.column("score").to_numpy()
    return scores


def _texts(rows: pd.Series) -> pa.ChunkedArray:
    texts = pa.Array.from_pandas(rows, type=pa.string())
    return texts if isinstance(texts, pa.ChunkedArray) else pa.chunked_array([texts])
