"""Every figure of live decisions that a rule of a policy may limit: what it is, and its range.

`spends` says whether it can fail by chance, so that its rules share the policy's budget of false alarms, and
`needs_labels` whether it waits for what turned out to be true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Subject = Literal["feature", "attribute", "group", "model", "table"]


@dataclass(frozen=True, kw_only=True)
class LiveMetric:
    """A figure: what it is, the ends of its range, the subject that it is read for, and its source."""

    text: str
    ends: tuple[float, float]
    subject: Subject
    spends: bool = True
    needs_labels: bool = False
    source: str = ""


_INFINITY = float("inf")

METRICS: Mapping[str, LiveMetric] = {
    # Data quality
    "data.schema_violations": LiveMetric(
        text="rows that break a blocking column rule", ends=(0, _INFINITY), subject="table", spends=False
    ),
    "data.repeated_share": LiveMetric(
        text="share of decisions whose input came before in the same hour, beyond that of the reference",
        ends=(0, 1),
        subject="table",
    ),
    "data.replayed_share": LiveMetric(
        text="share of decisions whose entity and whole input came before in another hour of seven days",
        ends=(0, 1),
        subject="table",
    ),
    "data.serving_skew": LiveMetric(
        text="decisions that the pipeline does not compute again, of those tried",
        ends=(0, _INFINITY),
        subject="table",
        spends=False,
    ),
    "data.unseen_share": LiveMetric(
        text="share of values that the reference does not have: other categories",
        ends=(0, 1),
        subject="feature",
    ),
    "data.missing_excess": LiveMetric(
        text="share of missing values less that of the reference", ends=(-1, 1), subject="feature"
    ),
    "data.unit_factor": LiveMetric(
        text="power of ten between the typical size of values and that of the reference (3: × 1000)",
        ends=(0, _INFINITY),
        subject="feature",
    ),
    # Drift of a distribution
    "drift.psi": LiveMetric(
        text="population stability index, less what it is expected to be by chance",
        ends=(0, _INFINITY),
        subject="feature",
    ),
    "drift.jensen_shannon": LiveMetric(
        text="Jensen-Shannon divergence in bits, less what is expected by chance",
        ends=(0, 1),
        subject="feature",
    ),
    "drift.ks": LiveMetric(
        text="largest difference of the distribution functions (categories: total variation)",
        ends=(0, 1),
        subject="feature",
    ),
    "drift.wasserstein": LiveMetric(
        text="Wasserstein distance in standard deviations of the reference",
        ends=(0, _INFINITY),
        subject="feature",
    ),
    "drift.shift": LiveMetric(
        text="probability that a new value exceeds a reference value (ties half), less one half",
        ends=(-0.5, 0.5),
        subject="feature",
        source="the Mann-Whitney parameter; 0: no shift",
    ),
    "drift.all_features": LiveMetric(
        text="ROC AUC of a cross-fitted classifier that tells new rows from reference rows",
        ends=(0, 1),
        subject="model",
    ),
    "drift.selection_rate": LiveMetric(
        text="selection rate of a group less its rate in the evidence", ends=(-1, 1), subject="attribute"
    ),
    # Performance, once labels are in, and estimated before that
    "performance.roc_auc": LiveMetric(
        text="ROC AUC of labelled decisions", ends=(0, 1), subject="model", needs_labels=True
    ),
    "performance.accuracy": LiveMetric(
        text="accuracy of labelled decisions", ends=(0, 1), subject="model", needs_labels=True
    ),
    "performance.balanced_accuracy": LiveMetric(
        text="balanced accuracy of labelled decisions", ends=(0, 1), subject="model", needs_labels=True
    ),
    "performance.precision": LiveMetric(
        text="favourable labels among labelled favourable decisions",
        ends=(0, 1),
        subject="model",
        needs_labels=True,
    ),
    "performance.roc_auc_loss": LiveMetric(
        text="ROC AUC of the evidence less that of labelled decisions",
        ends=(-1, 1),
        subject="model",
        needs_labels=True,
    ),
    "performance.calibration_error": LiveMetric(
        text="mean distance of predicted and observed rates over bins of the score",
        ends=(0, 1),
        subject="model",
        needs_labels=True,
    ),
    "performance.estimated_roc_auc": LiveMetric(
        text="ROC AUC estimated from calibrated scores alone (CBPE)", ends=(0, 1), subject="model"
    ),
    "performance.estimated_accuracy": LiveMetric(
        text="accuracy estimated from calibrated scores alone (CBPE)", ends=(0, 1), subject="model"
    ),
    # Fairness of decisions; the last two need labels
    "fairness.demographic_parity_difference": LiveMetric(
        text="largest difference of selection rates between groups", ends=(0, 1), subject="attribute"
    ),
    "fairness.demographic_parity_ratio": LiveMetric(
        text="smallest ratio of selection rates between groups", ends=(0, 1), subject="attribute"
    ),
    "fairness.equal_opportunity_difference": LiveMetric(
        text="largest difference of true positive rates between groups",
        ends=(0, 1),
        subject="attribute",
        needs_labels=True,
    ),
    "fairness.average_odds_difference": LiveMetric(
        text="mean of the differences of true and false positive rates between groups",
        ends=(0, 1),
        subject="attribute",
        needs_labels=True,
    ),
    "fairness.unknown_share": LiveMetric(
        text="share of decisions whose group is not known", ends=(0, 1), subject="attribute"
    ),
    # Attribution
    "attribution.ndcg": LiveMetric(
        text="agreement of the order of mean absolute contributions with the evidence (nDCG)",
        ends=(0, 1),
        subject="model",
    ),
}
