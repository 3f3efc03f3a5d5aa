"""Fairlearn's correlation remover before the estimator.

It removes the linear correlation between the encoded columns and the protected attributes, so the model takes
in the protected attributes. Whether that is allowed is for the policy to decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlearn.preprocessing import CorrelationRemover
from sklearn.pipeline import Pipeline

from clearance.models import encoding, estimators, fitting, group_thresholds, scoring
from clearance.models.mitigation_spec import MitigationInputs, MitigationSpec, Option


def fit(inputs: MitigationInputs) -> Iterator[Option]:
    """One pipeline: an encoder that takes in protected attributes, the remover, and the estimator."""
    rows = inputs.rows
    kinds = group_thresholds.with_protected(inputs.kinds, rows)
    typed = scoring.inputs(rows.inputs(kinds), kinds)
    encode = encoding.transformer(kinds).fit(typed)
    protected = [
        index for index, origin in enumerate(encoding.origins(encode)) if origin in rows.protected.columns
    ]
    alpha = inputs.mitigation.alpha or 1.0
    inner = Pipeline(
        [
            ("remove", CorrelationRemover(sensitive_feature_ids=protected, alpha=alpha)),
            (fitting.ESTIMATOR, estimators.unfitted(inputs.pipeline[-1])),
        ]
    )
    inner.fit(encode.transform(typed), rows.label)
    yield Option(pipeline=Pipeline([("encode", encode), (fitting.ESTIMATOR, inner)]))


SPEC = MitigationSpec(
    needs_protected_at_decision=True,
    needs_weights=False,
    ships="the estimator on columns whose linear correlation with the protected attributes is removed",
    fit=fit,
)
