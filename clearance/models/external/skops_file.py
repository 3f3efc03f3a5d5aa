"""A skops file from another team, loaded as our own are: our list of types, and no code of the file.

Its bytes are brought into our canonical form first, which leaves out everything but what it holds.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import skops.io
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.model_selection import FixedThresholdClassifier

from clearance.models import model_file
from clearance.models.external import faults
from clearance.models.trusted_types import MORE_TRUSTED, trusted_types


def read(path: Path, more_trusted: Path = MORE_TRUSTED) -> tuple[Any, float | None]:
    """The fitted estimator in the file, and the file's own threshold (None: it has none).

    Raises ConfigurationError when the file is no skops archive, holds types that are not trusted, or was
    saved by another version of scikit-learn.
    """
    if path.stat().st_size > model_file.LARGEST:
        raise faults.TOO_LARGE(path=path, limit=model_file.LARGEST)
    content = path.read_bytes()
    try:
        _refuse_bomb(content, path)
        plain = model_file.canonical(content)
        untrusted = set(skops.io.get_untrusted_types(data=plain)) - set(trusted_types(more_trusted))
        if untrusted:
            types = ", ".join(sorted(untrusted))
            raise faults.UNTRUSTED_TYPES(path=path, types=types, more_trusted=more_trusted)
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            model = model_file.loaded(plain, more_trusted)
    except InconsistentVersionWarning as error:
        raise faults.LIBRARY_VERSION(
            path=path,
            library="scikit-learn",
            then=error.original_sklearn_version,
            now=error.current_sklearn_version,
        ) from None
    except model_file.MALFORMED as error:
        raise faults.NOT_LOADABLE(path=path, reason=model_file.reason_of(error)) from None
    if not isinstance(model, FixedThresholdClassifier):
        return model, None
    return getattr(model, "estimator_", model.estimator), _own_threshold(path, model)


def _own_threshold(path: Path, model: FixedThresholdClassifier) -> float:
    if not isinstance(model.threshold, int | float):
        reason = f"its threshold is `{model.threshold}`, not a number"
        raise faults.NOT_A_CLASSIFIER(path=path, reason=reason)
    return float(model.threshold)


def _refuse_bomb(content: bytes, path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > model_file.LARGEST:
            raise faults.TOO_LARGE(path=path, limit=model_file.LARGEST)
