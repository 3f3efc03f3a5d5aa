"""The section `train.external`: a model that was made elsewhere, as a file or as a table of its answers.

Names and declarations only; nothing is read here.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from clearance import paths
from clearance.params.section import Scalar, Section

FOLDER = paths.EXTERNAL.as_posix()
"""The folder of what was made elsewhere; DVC watches all of it."""

Format = Literal["skops", "lightgbm", "xgboost", "onnx", "mlflow", "table"]
"""What a model made elsewhere may come as. `mlflow` is a folder, which runs in a sandbox only."""

SUFFIXES: dict[str, Format] = {
    ".skops": "skops",
    ".txt": "lightgbm",
    ".lgb": "lightgbm",
    ".json": "xgboost",
    ".ubj": "xgboost",
    ".onnx": "onnx",
    ".csv": "table",
    ".tsv": "table",
    ".parquet": "table",
}
"""The format by the end of the file's name."""

PACKED = (".gz", ".zst")
"""How the name of a compressed table may end; a model file may not be compressed."""


def format_by_name(file: str) -> Format | None:
    """The format that the name of the file shows; None where it shows none."""
    path = PurePosixPath(file.lower())
    inner = SUFFIXES.get(path.with_suffix("").suffix) if path.suffix in PACKED else None
    return inner if inner == "table" else SUFFIXES.get(path.suffix)


def checked_path(value: str) -> str:
    """The path, which lies below `external/`. Raises ValueError on any other."""
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or path.parts[:1] != (FOLDER,) or len(path.parts) < 2:
        raise ValueError(f"`{value}` must lie below `{FOLDER}/`, which DVC watches: put the file there")
    return value


class External(Section):
    """A model made elsewhere, and who says what is not measured here.

    `features` names the columns that a model file takes, in its order, where the file names none.
    `favourable` is the model's own name for the favourable outcome (None: `data.favourable`). `key`, `score`
    and `decision` are columns of a table of answers; `key` is `data.row_key` unless it is set. `delimiter`
    separates the columns of such a table in CSV (None: a comma).
    """

    file: str
    declared_by: str = Field(min_length=1, max_length=300)
    format: Format | None = None
    features: list[str] | None = Field(default=None, min_length=1)
    favourable: Scalar | None = None
    key: str | None = None
    score: str | None = None
    decision: str | None = None
    delimiter: str | None = None

    @field_validator("file")
    @classmethod
    def _lies_in_folder(cls, value: str) -> str:
        return checked_path(value)

    @model_validator(mode="after")
    def _keys_belong_to_format(self) -> Self:
        kind = self.known_format
        of_tables = ("key", "score", "decision", "delimiter")
        columns = [name for name in of_tables if getattr(self, name) is not None]
        if kind == "table" and self.score is None and self.decision is None:
            raise ValueError("a table of answers needs `score` or `decision`: the column that holds them")
        named = [name for name in (self.key, self.score, self.decision) if name is not None]
        if len(set(named)) < len(named):
            raise ValueError("`key`, `score` and `decision` are different columns")
        if kind == "table" and self.features is not None:
            raise ValueError("`features` belongs to a model file, not to a table of answers")
        if kind not in ("table", None) and columns:
            keys = " and ".join(f"`{name}`" for name in columns)
            raise ValueError(f"{keys}: only a table of answers has columns, not a {kind} file")
        return self

    @property
    def known_format(self) -> Format | None:
        """The format that is set, or that the name of the file shows; None where neither says it."""
        return self.format or format_by_name(self.file)
