"""Opens the feature store that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearance.feature_store.embedded import EmbeddedStore
from clearance.feature_store.feast import FeastStore
from clearance.feature_store.lookup import Store
from clearance.feature_store.settings import FeatureSettings


@contextmanager
def open(root: Path, settings: FeatureSettings) -> Iterator[Store]:  # noqa: A001 - `feature_store.open`
    """The store of the project at `root`, closed at the end.

    Raises ConfigurationError when a source is not there or not versioned, IntegrityError when it is not the
    recorded version or holds what no source may hold.
    """
    store: Store
    if settings.feast is not None:
        store = FeastStore(settings.feast, settings.stale)
    else:
        store = EmbeddedStore(root, settings)
    try:
        yield store
    finally:
        store.close()
