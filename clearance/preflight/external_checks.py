"""A model made elsewhere: whether its file can be one of this project, and what the policy cannot know of it.

The file is opened as the stage `train` opens it; whatever needs rows of the table is left to that stage.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

from clearance.data import external_file
from clearance.data import faults as data_faults
from clearance.data.sources import keyed_table
from clearance.documents import made_elsewhere
from clearance.errors import ClearanceError
from clearance.models.external import faults as model_faults
from clearance.models.external import file_format
from clearance.params import Data, External, Source, Split, Train
from clearance.params.external import Format
from clearance.policy.schema import Policy
from clearance.preflight import faults, source_head
from clearance.preflight.problem import Problem, warning

SMALL = 16 * 1024 * 1024
"""Bytes of a table of answers, or a list of rows, that is read in full."""

_CUT = source_head.CUT | {model_faults.DECISIONS_UNCLEAR.code}


def check(
    root: Path, train: Train, split: Split | None, data: Data | None, columns: Sequence[str] | None
) -> Iterator[Problem]:
    """The problems of `train.external` and `split.trained_on` that show without the rows of the table.

    `columns` are those of the table, None where they are not known.
    """
    with contextlib.chdir(root):
        try:
            if split is not None and (listed := split.trained_on_file) is not None:
                _check_list(listed, split, data)
            if train.external is not None:
                _check_model(train.external, train, split, data, columns)
        except ClearanceError as error:
            yield Problem(error=error)


def check_policy(
    external: External, split: Split | None, policy: Policy, as_of: dt.date, file: str
) -> Iterator[Problem]:
    """A warning where blocking rules in force read what cannot be known of such a model."""
    known = made_elsewhere.Known(
        answers_alone=external.known_format in ("table", "mlflow", None),
        decisions_alone=external.known_format == "table" and external.score is None,
        training_rows=split is None or split.trained_on != "unknown",
    )
    blocking = [rule for rule in policy.rules if rule.in_force(as_of) and rule.severity == "block"]
    rules = [rule for rule in blocking if rule.metric in known.beyond and rule.limit is not None]
    if rules:
        ids = ", ".join(sorted({rule.id for rule in rules}))
        remedy = known.remedy({rule.metric for rule in rules})
        yield warning(
            faults.EXTERNAL_NOT_EVALUATED(policy=file, rules=ids, file=external.file, remedy=remedy)
        )


def _check_list(listed: str, split: Split, data: Data | None) -> None:
    external_file.checked(listed)
    if data is None:
        return
    if data.row_key is None:
        raise data_faults.EXTERNAL_NEEDS_KEY(path=listed)
    delimiter = keyed_table.Delimiter(setting=keyed_table.OF_TRAIN_ROWS, value=split.trained_on_delimiter)
    with _head(listed):
        keyed_table.read(listed, data.row_key, delimiter)


def _check_model(
    external: External, train: Train, split: Split | None, data: Data | None, columns: Sequence[str] | None
) -> None:
    kind = file_format.format_of(external)
    if kind == "table" and external.score is None and train.threshold.fixed is not None:
        raise model_faults.THRESHOLD_WITHOUT_SCORES(path=external.file)
    may_decide = kind in ("skops", "mlflow") or (kind == "table" and external.score is None)
    if data is not None and kind != "mlflow":
        may_decide = _check_content(external, kind, train, data, columns)
    if split is not None and not split.tune and not may_decide and train.threshold.fixed is None:
        raise model_faults.THRESHOLD_NEEDS_TUNE_ROWS(path=external.file)


def _check_content(
    external: External, kind: Format, train: Train, data: Data, columns: Sequence[str] | None
) -> bool:
    """Whether the file decides by itself: it has decisions alone, or a threshold of its own.

    Raises what the stage `train` raises without any row.
    """
    from clearance.models.external import adopted, answers, model_files, reading, record

    terms = adopted.Terms(
        external=external,
        data=data,
        threshold=train.threshold.fixed,
        protected_allowed=train.protected_at_decision,
    )
    if kind == "table":
        with _head(external.file):
            answers.of_file(terms)
        return external.score is None
    model = reading.read(kind, terms.file)
    if isinstance(data.features, list) or columns is not None:
        model_files.check(model, terms, data.feature_names(list(columns or ())))
    if model.threshold is not None:
        record.refuse_other_threshold(terms.file, model.threshold, train.threshold)
    return model.threshold is not None


@contextlib.contextmanager
def _head(file: str) -> Iterator[None]:
    """Work where this file below the working folder is there, or its first lines where it is long.

    What only the cut may have caused is no fault.
    """
    with source_head.folder_of(Path.cwd(), Source(kind="file", path=file), small=SMALL) as place:
        folder, complete = place or (Path.cwd(), True)
        try:
            with contextlib.chdir(folder):
                yield
        except ClearanceError as error:
            if complete or error.code not in _CUT:
                raise
