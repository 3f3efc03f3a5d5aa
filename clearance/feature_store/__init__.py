"""The feature store: features and protected attributes of a person or thing by its id, as known at a time.

    with feature_store.open(root, settings) as store:
        found = store.features("applicant-1", at)     # what the model may see
        groups = store.protected("applicant-1", at)   # what it must never see

A value counts only if it was observed, and stored, no later than `at`: never one from the future. A value
that is too old is missing, or refused, as the settings say; never silently old. Nothing here knows a model
or decides.
"""

from clearance.feature_store.lookup import Found, Seen, Store, Value
from clearance.feature_store.settings import FeastSettings, FeatureSettings, Source
from clearance.feature_store.store import open  # noqa: A004

__all__ = ["FeastSettings", "FeatureSettings", "Found", "Seen", "Source", "Store", "Value", "open"]
