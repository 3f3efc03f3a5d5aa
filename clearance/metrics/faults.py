"""The faults of the metrics room: a code, the class of the error and its sentences, each written once."""

from __future__ import annotations

from clearance.errors import DataError, ErrorKind, IntegrityError

RESERVED_GROUP_NAME = ErrorKind(
    "metrics.reserved_group_name",
    DataError,
    "a group of `{attribute}` is called `{group}`, which stands for a missing group",
    hint="rename it in `source.select`",
)
RESERVED_ATTRIBUTE_NAME = ErrorKind(
    "metrics.reserved_attribute_name",
    DataError,
    "an attribute is called `{attribute}`, which is the name of an intersection",
    hint="rename the column in `source.select`",
)
AMBIGUOUS_INTERSECTION = ErrorKind(
    "metrics.ambiguous_intersection",
    DataError,
    "two groups of {attribute} would have the same name",
    hint="rename groups that contain `{separator}` in `source.select`",
)
WEIGHT_NOT_USABLE = ErrorKind(
    "metrics.weight_not_usable",
    DataError,
    "a sample weight is missing, infinite or negative",
    hint="correct the weights, or filter the rows in `source.select`",
)
SAMPLING_DIFFERS = ErrorKind(
    "metrics.sampling_differs",
    IntegrityError,
    "`data.{role}` in params.yaml and the prepared tables differ on whether rows have a {role}",
    hint="run `clearance repair`, then run again",
)
