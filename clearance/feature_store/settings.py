"""The section `features` of policies/serving.yaml: where features and protected attributes come from.

Either own sources, Parquet files under DVC and SQLite tables, or the HTTP server of Feast.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from clearance.params import Section

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Hours = Annotated[int, Field(ge=1, le=24 * 366 * 150)]
Stale = Literal["missing", "refuse"]
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Source(Section):
    """One table with a row for each observation of an entity.

    `file` is a Parquet file that DVC versions; or `database` is an SQLite file and `table` a table of it.
    `entity` is the column with the ids. `event_time` says when what the row holds became true, `created_time`
    when the row was stored (default: then). `features` and `protected` map names to columns. A value whose
    event is longer ago than `max_age_hours` is stale.
    """

    name: Name
    file: Name | None = None
    database: Name | None = None
    table: Name | None = None
    entity: Name
    event_time: Name
    created_time: Name | None = None
    max_age_hours: Hours
    features: dict[Name, Name] = Field(default_factory=dict)
    protected: dict[Name, Name] = Field(default_factory=dict)

    @field_validator("features", "protected", mode="before")
    @classmethod
    def _names_alone(cls, value: object) -> object:
        """A list of names stands for columns that are called so."""
        return {name: name for name in value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.file is None) == (self.database is None):
            raise ValueError(f"the source {self.name} needs either `file` or `database`")
        if (self.database is None) != (self.table is None):
            raise ValueError(f"the source {self.name}: `database` and `table` belong together")
        if not (self.features or self.protected):
            raise ValueError(f"the source {self.name} has neither `features` nor `protected`")
        times = {self.entity, self.event_time, self.created_time}
        if shared := sorted(set(self.protected.values()) & ({*self.features.values()} | times)):
            raise ValueError(f"the column {shared[0]} of the source {self.name} is protected: nothing else")
        return self


class FeastSettings(Section):
    """The HTTP server of Feast. `features` and `protected` map names to `view:feature`.

    `entity` is the join key. The server does not enforce the age that its views state, so `max_age_hours`
    does. An address beyond this machine needs https.
    """

    address: str
    entity: Name
    timeout_seconds: float = Field(default=1.0, gt=0, le=60)
    max_age_hours: Hours
    protected_max_age_hours: Hours | None = None
    features: dict[Name, Name] = Field(default_factory=dict)
    protected: dict[Name, Name] = Field(default_factory=dict)

    @field_validator("address")
    @classmethod
    def _safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("the address must have no user, password, query or fragment")
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
            return value.rstrip("/")
        raise ValueError("the address must begin with https://, or with http:// and this machine")

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        references = [*self.features.values(), *self.protected.values()]
        if not references:
            raise ValueError("`feast` has neither `features` nor `protected`")
        for reference in references:
            if len(parts := reference.split(":")) != 2 or not all(parts):
                raise ValueError(f"{reference} is not `view:feature`")
        if shared := sorted(set(self.features.values()) & set(self.protected.values())):
            raise ValueError(f"{shared[0]} is protected, so it cannot be a feature")
        return self


class FeatureSettings(Section):
    """Where features come from. `stale` says whether a value that is too old is missing or refused.

    A protected attribute that is too old is always missing: then nobody knows the group.
    """

    stale: Stale = "missing"
    sources: tuple[Source, ...] = ()
    feast: FeastSettings | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if bool(self.sources) == (self.feast is not None):
            raise ValueError("`features` needs either `sources` or `feast`")
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError("`features` has two sources with the same name")
        given = [name for source in self.sources for name in source.features]
        hidden = [name for source in self.sources for name in source.protected]
        if self.feast is not None:
            given, hidden = list(self.feast.features), list(self.feast.protected)
        for listed in (given, hidden):
            if doubled := sorted({name for name in listed if listed.count(name) > 1}):
                raise ValueError(f"two sources give `{doubled[0]}`")
        if both := sorted(set(given) & set(hidden)):
            raise ValueError(f"`{both[0]}` is protected, so it cannot be a feature")
        return self
