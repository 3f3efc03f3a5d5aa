"""What can be measured of a model that gives decisions and no scores: everything but the metrics of scores.

Its decisions stand as the scores 0 and 1, which would give those metrics a number that means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from clearance.documents import metric_catalogue
from clearance.documents.measurement import Measurement, undefined

NO_SCORES = "the model gives decisions and no scores"
"""Why a metric of scores is undefined, as the evidence says it."""


def measured(document: str, measurements: Mapping[str, Measurement]) -> dict[str, Measurement]:
    """The measurements of that evidence document, with those that need scores undefined."""
    return {
        name: undefined(NO_SCORES, figure.support)
        if f"{document}.{name}" in metric_catalogue.NEED_SCORES
        else figure
        for name, figure in measurements.items()
    }
