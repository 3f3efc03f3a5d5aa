"""A model made elsewhere: whether its file may be read, and what the policy cannot know of it.

Files are looked at, not loaded: what is in a model is checked when it is brought in.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

from clearance.data import external_file
from clearance.data import faults as data_faults
from clearance.data.sources import keyed_table
from clearance.documents import metric_catalogue
from clearance.errors import ClearanceError
from clearance.models.external import faults as model_faults
from clearance.models.external import file_format
from clearance.params import Data, External, Source, Split, Train
from clearance.policy.schema import Policy
from clearance.preflight import faults, source_head
from clearance.preflight.problem import Problem, warning


def check(root: Path, train: Train, split: Split | None, data: Data | None) -> Iterator[Problem]:
    """The problems of `train.external` and `split.trained_on` that show without the library of the model."""
    with contextlib.chdir(root):
        try:
            if split is not None and (listed := split.trained_on_file) is not None:
                _check_list(listed, data)
            if train.external is not None:
                _check_model(train.external, train, split, data)
        except ClearanceError as error:
            yield Problem(error=error)


def check_policy(
    external: External, split: Split | None, policy: Policy, as_of: dt.date, file: str
) -> Iterator[Problem]:
    """A warning where blocking rules in force read what cannot be known of such a model."""
    unknown = {"split.overlap"} if split is not None and split.trained_on == "unknown" else set()
    answers_alone = external.known_format in ("table", "mlflow", None)
    if answers_alone:
        names = (metric.name for metric in metric_catalogue.METRICS.values())
        unknown |= {name for name in names if name.startswith(("training.", "explanation."))}
    if external.known_format == "table" and external.score is None:
        unknown |= metric_catalogue.NEED_SCORES
    blocking = (rule for rule in policy.rules if rule.in_force(as_of) and rule.severity == "block")
    if ids := sorted({rule.id for rule in blocking if rule.metric in unknown and rule.limit is not None}):
        yield warning(faults.EXTERNAL_NOT_EVALUATED(policy=file, rules=", ".join(ids), file=external.file))


def _check_list(listed: str, data: Data | None) -> None:
    external_file.checked(listed)
    if data is not None:
        if data.row_key is None:
            raise data_faults.EXTERNAL_NEEDS_KEY(path=listed)
        _read_head(listed, data.row_key)


def _check_model(external: External, train: Train, split: Split | None, data: Data | None) -> None:
    kind = file_format.format_of(external)
    if kind == "table":
        if data is not None and data.row_key is None:
            raise data_faults.EXTERNAL_NEEDS_KEY(path=external.file)
        if external.score is None and train.threshold.fixed is not None:
            raise model_faults.THRESHOLD_WITHOUT_SCORES(path=external.file)
        if data is not None and data.row_key is not None:
            columns = [name for name in (external.score, external.decision) if name is not None]
            _read_head(external.file, external.key or data.row_key, columns)
    declares = train.threshold.fixed is not None or external.score is None
    may_have_own = kind in ("skops", "mlflow") or (kind == "table" and declares)
    if split is not None and not split.tune and not may_have_own and train.threshold.fixed is None:
        raise model_faults.THRESHOLD_NEEDS_TUNE_ROWS(path=external.file)


def _read_head(file: str, key: str, columns: Sequence[str] = ()) -> None:
    """Read the first lines of a table of answers, or all of one that is not long, below the working folder.

    Raises what reading it raises, as far as these lines show it.
    """
    with source_head.folder_of(Path.cwd(), Source(kind="file", path=file)) as place:
        if place is not None:
            folder, _ = place
            with contextlib.chdir(folder):
                keyed_table.read(file, key, columns)
