"""The faults of row plans: a pipeline without one, and rows that it cannot score."""

from __future__ import annotations

from clearance.errors import ConfigurationError, DataError, ErrorKind

NO_ROW_PLAN = ErrorKind(
    "models.no_row_plan",
    ConfigurationError,
    "this model cannot be scored by a row plan: {step} is not a step that a plan knows",
    "nothing needs to be done: scikit-learn scores its rows, more slowly",
)
ROW_LENGTH = ErrorKind(
    "models.row_length",
    DataError,
    "a row has {values:value|values}, and the model takes {features:feature|features}",
    "give one value for each feature, in the model's order, and null where it is missing",
)
NUMBER_EXPECTED = ErrorKind(
    "models.number_expected",
    DataError,
    "feature `{feature}` is a number, and the row holds something else",
    "give a number, or null where it is missing",
)
INFINITE_NUMBER = ErrorKind(
    "models.infinite_number",
    DataError,
    "feature `{feature}` holds an infinite number, or one too large for double precision",
    "give a finite number, or null where it is missing",
)
TEXT_EXPECTED = ErrorKind(
    "models.text_expected",
    DataError,
    "feature `{feature}` is a category, and the row holds something else than a text",
    "give a text, or null where it is missing",
)
ROW_REFUSED = ErrorKind(
    "models.row_refused",
    DataError,
    "feature `{feature}` has a value that is too large for the model's arithmetic",
    "correct the value: scikit-learn refuses it as well",
)
ESTIMATOR_REFUSED = ErrorKind(
    "models.estimator_refused",
    DataError,
    "{estimator} refuses the row",
    "look for a value far outside the table it was trained on",
)
