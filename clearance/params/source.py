"""The section `source`: where the table comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from clearance.params.section import Section

Kind = Literal["demo", "file", "sql", "openml"]
ColumnType = Literal["number", "integer", "text", "boolean", "time"]


@dataclass(frozen=True, kw_only=True)
class KindKeys:
    """The keys of `source` that belong to one kind, besides `kind`, `path` and `select`.

    `query` lists the keys that say what a snapshot holds: when one changes, the snapshot is out of date. A
    kind without them is read directly and has no snapshot.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    query: tuple[str, ...] = ()


KINDS: Mapping[Kind, KindKeys] = {
    "demo": KindKeys(),
    "file": KindKeys(optional=("glob", "format", "delimiter")),
    "sql": KindKeys(required=("url_env", "query"), query=("query",)),
    "openml": KindKeys(required=("openml_id",), query=("openml_id",)),
}
"""Every kind of source. A new kind also needs a module in `clearance/data/sources`, listed there."""


class Source(Section):
    """Where the table comes from.

    `path` is what DVC tracks and `ingest` depends on: the file or folder of a `file` source, the
    snapshot folder of a `sql` or `openml` source, and the (unused) `data/source` of the demo. `types` says
    how columns are read before `select` sees them; without it, see `clearance/data/sources/column_types.py`.
    """

    kind: Kind
    path: str
    glob: str | None = None
    format: Literal["csv", "parquet", "json"] | None = None
    delimiter: str | None = None
    url_env: str | None = None
    query: str | None = None
    openml_id: int | None = Field(default=None, ge=1)
    types: dict[str, ColumnType] | None = None
    select: str | None = None

    @property
    def is_snapshot(self) -> bool:
        """Whether `tasks.snapshot` keeps a copy of the source, which `ingest` reads instead of the source."""
        return bool(KINDS[self.kind].query)

    @property
    def request(self) -> dict[str, Any]:
        """What a snapshot must have been taken of: the kind, and the keys that say which rows."""
        return {"kind": self.kind} | {name: getattr(self, name) for name in KINDS[self.kind].query}

    @model_validator(mode="after")
    def _keys_belong_to_kind(self) -> Self:
        missing = [name for name in KINDS[self.kind].required if getattr(self, name) is None]
        if missing:
            raise ValueError(f"source kind {self.kind} needs {' and '.join(missing)}")
        for kind, keys in KINDS.items():
            for name in (*keys.required, *keys.optional):
                if getattr(self, name) is not None and self.kind != kind:
                    raise ValueError(f"`{name}` belongs to a {kind} source, not to a {self.kind} source")
        if any(mark in self.path for mark in "*?["):
            raise ValueError(
                "DVC tracks a file or folder: put the folder in `path` and the pattern in `glob`"
            )
        return self

    @field_validator("url_env")
    @classmethod
    def _is_variable_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError(
                "name the environment variable that holds the URL; never write the URL itself here"
            )
        return value
