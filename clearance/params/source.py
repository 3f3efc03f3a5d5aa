"""The section `source`: where the table comes from."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from clearance.params.section import Section


class Source(Section):
    """Where the table comes from.

    `path` is what DVC watches and `ingest` depends on: the file or folder of a `file` source, the
    snapshot folder of a `sql` or `openml` source, and the (unused) `data/source` of the demo.
    """

    kind: Literal["demo", "file", "sql", "openml"]
    path: str
    glob: str | None = None
    format: Literal["csv", "parquet", "json"] | None = None
    delimiter: str | None = None
    url_env: str | None = None
    query: str | None = None
    openml_id: int | None = Field(default=None, ge=1)
    select: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {"sql": ("url_env", "query"), "openml": ("openml_id",)}
        missing = [name for name in needed.get(self.kind, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"source kind {self.kind} needs {' and '.join(missing)}")
        foreign = {
            "url_env": "sql",
            "query": "sql",
            "openml_id": "openml",
            "glob": "file",
            "format": "file",
            "delimiter": "file",
        }
        for name, kind in foreign.items():
            if getattr(self, name) is not None and self.kind != kind:
                raise ValueError(f"`{name}` belongs to a {kind} source, not to a {self.kind} source")
        if any(mark in self.path for mark in "*?["):
            raise ValueError(
                "DVC watches a file or folder: put the folder in `path` and the pattern in `glob`"
            )
        return self

    @field_validator("url_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError(
                "name the environment variable that holds the URL; never write the URL itself here"
            )
        return value
