"""A model file with a library of its own, read: what it takes, what it gives, and what it was made with."""

from __future__ import annotations

from pathlib import Path

from clearance.models.external import faults
from clearance.models.external.file_model import FileModel, Runtime
from clearance.models.external.model_read import ModelRead
from clearance.models.external.no_probabilities import NoProbabilitiesError, NotTwoClassesError

LARGEST = 1 << 30
"""The largest model file that is read, in bytes."""


def read(kind: Runtime, path: Path) -> ModelRead:
    """The model in the file. Raises ConfigurationError on what may not be run, or gives no probabilities."""
    if path.stat().st_size > LARGEST:
        raise faults.TOO_LARGE(path=path, limit=LARGEST)
    model = FileModel(path.read_bytes(), kind)
    try:
        opened = model.opened
    except NoProbabilitiesError as error:
        raise faults.NOT_A_CLASSIFIER(path=path, reason=str(error)) from None
    except NotTwoClassesError as error:
        raise faults.NOT_TWO_CLASSES(path=path, count=error.count, classes="") from None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise faults.WRONG_FORMAT(path=path, format=kind, reason=str(error)) from None
    return ModelRead(
        format=kind,
        model=model,
        classes=opened.classes,
        inputs=opened.inputs,
        features=opened.features,
        made_with=opened.made_with,
    )
