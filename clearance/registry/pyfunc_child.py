"""Runs an MLflow model folder, in a process that was confined before: `python -I pyfunc_child.py FOLDER`.

Whatever the folder says may run here, so this process gets the rows and nothing else: no network, no other
file, no key. It reads `rows.parquet` and writes `answers.npy` in its working folder, and imports nothing of
ours.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROWS, ANSWERS, LABELS = "rows.parquet", "answers.npy", "labels.json"
_TYPES = {"long": "int64", "integer": "int32", "boolean": "bool", "float": "float32", "double": "float64"}


def main() -> None:
    """Answer for every row: numbers to `answers.npy`, or labels as texts to `labels.json`."""
    import json

    import mlflow
    import numpy as np
    import pandas as pd

    model = mlflow.pyfunc.load_model(sys.argv[1])
    rows = pd.read_parquet(ROWS)
    schema = model.metadata.get_input_schema()
    if schema is not None and schema.has_input_names():
        types = {column.name: _TYPES.get(column.type.name) for column in schema.inputs}
        rows = rows.astype({name: kind for name, kind in types.items() if kind and rows[name].notna().all()})
    answers: Any = np.asarray(model.predict(rows))
    if answers.dtype.kind in "iuf":
        np.save(ANSWERS, answers.astype(np.float64), allow_pickle=False)
    else:
        Path(LABELS).write_text(json.dumps([str(label) for label in np.ravel(answers)]), encoding="utf-8")


if __name__ == "__main__":
    main()
