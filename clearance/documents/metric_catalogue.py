"""The catalogue of metrics: the name, the meaning and the scale of every number that a rule can read.

A new metric is its function (which writes the measurement) and one entry here. The glossary, the names in
sentences, the comparison with the champion, parity in before and after, and the table in docs/fairness.md
all come from these entries. Plain data: nothing is measured here and no limit is known here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Family = Literal[
    "data quality", "bias in the data", "split", "training", "quality", "fairness", "explanation"
]
Contrast = Literal["difference", "ratio"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number of an evidence document.

    `name` is `<document>.<measurement>`, as a rule names it. `title` stands in sentences, `meaning` completes
    "it is ...". `low` and `high` are the ends of the range, None where there is none. `better` is the
    direction that speaks for a model, None where neither does. `parity` is the value at which all groups are
    treated the same, None for a metric that compares no groups. `contrast` is how a candidate's value is
    compared with the champion's: candidate minus champion, or candidate over champion; None where no model
    changes it. `interval` names the method of its bounds, empty where it has none. `counts` says what
    happened to the rows that compared rates count, "decided favourably"; empty where no rates are compared.
    """

    name: str
    title: str
    meaning: str
    family: Family
    unit: str
    low: float | None = 0.0
    high: float | None = 1.0
    better: Literal["lower", "higher"] | None = None
    parity: float | None = None
    contrast: Contrast | None = None
    interval: str = ""
    counts: str = ""

    @property
    def document(self) -> str:
        """The evidence document that holds it."""
        return self.name.partition(".")[0]

    @property
    def measurement(self) -> str:
        """Its key in that document."""
        return self.name.partition(".")[2]

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the range, infinite where there is none."""
        return (
            -math.inf if self.low is None else self.low,
            math.inf if self.high is None else self.high,
        )

    @property
    def range(self) -> str:
        """The range in words, "0 to 1" or "0 or more"."""
        if self.low is None or self.high is None:
            return "any number" if self.low is None else f"{self.low:g} or more"
        return f"{self.low:g} to {self.high:g}"


def _gap(name: str, title: str, meaning: str, counts: str = "", interval: str = "Newcombe") -> Metric:
    return Metric(
        name=f"fairness.{name}",
        title=title,
        meaning=meaning,
        family="fairness",
        unit="difference of rates",
        better="lower",
        parity=0.0,
        contrast="difference",
        interval=interval,
        counts=counts,
    )


def _ratio(name: str, title: str, meaning: str, counts: str = "", high: float | None = 1.0) -> Metric:
    return Metric(
        name=f"fairness.{name}",
        title=title,
        meaning=meaning,
        family="fairness",
        unit="ratio of rates",
        high=high,
        better="higher",
        parity=1.0,
        contrast="ratio",
        interval="MOVER-R",
        counts=counts,
    )


def _lowest(name: str, title: str, meaning: str, counts: str) -> Metric:
    return Metric(
        name=f"fairness.{name}",
        title=title,
        meaning=meaning,
        family="fairness",
        unit="rate",
        better="higher",
        contrast="difference",
        interval="Clopper-Pearson",
        counts=counts,
    )


def _inequality(name: str, title: str, meaning: str) -> Metric:
    return Metric(
        name=f"fairness.{name}",
        title=title,
        meaning=meaning,
        family="fairness",
        unit="index",
        high=None,
        better="lower",
        parity=0.0,
        contrast="difference",
        interval="bootstrap of the cells",
    )


_FAVOURED, _UNFAVOURED, _LABELLED = "decided favourably", "decided unfavourably", "labelled favourably"
_RIGHT = "decided as labelled"

_FAIRNESS = (
    _gap(
        "demographic_parity_difference",
        "demographic parity difference",
        "the highest selection rate of a group (its share of favourable decisions) minus the lowest",
        counts=_FAVOURED,
    ),
    _ratio(
        "demographic_parity_ratio",
        "demographic parity ratio",
        "the lowest selection rate of a group (its share of favourable decisions) divided by the highest",
        counts=_FAVOURED,
    ),
    _ratio(
        "disparate_impact_best_group",
        "disparate impact against the best group",
        "the lowest selection rate of a group divided by the rate of the group with the highest",
        counts=_FAVOURED,
    ),
    _ratio(
        "disparate_impact_reference_group",
        "disparate impact against the reference group",
        "the lowest selection rate of a group divided by that of the group in `evaluate.reference`",
        high=None,
        counts=_FAVOURED,
    ),
    _gap(
        "equal_opportunity_difference",
        "equal opportunity difference",
        "the highest true positive rate of a group (its share decided favourably among rows with a "
        "favourable label) minus the lowest",
        counts=_FAVOURED,
    ),
    _gap(
        "false_positive_rate_difference",
        "false positive rate difference",
        "the highest false positive rate of a group minus the lowest",
        counts=_FAVOURED,
    ),
    _gap(
        "false_negative_rate_difference",
        "false negative rate difference",
        "the highest false negative rate of a group minus the lowest",
        counts=_UNFAVOURED,
    ),
    _gap(
        "true_negative_rate_difference",
        "true negative rate difference",
        "the highest true negative rate of a group minus the lowest",
        counts=_UNFAVOURED,
    ),
    _gap(
        "predictive_parity_difference",
        "predictive parity difference",
        "the highest positive predictive value of a group (its share of favourable labels among favourable "
        "decisions) minus the lowest",
        counts=_LABELLED,
    ),
    _gap(
        "accuracy_difference",
        "accuracy difference",
        "the highest accuracy of a group minus the lowest",
        counts=_RIGHT,
    ),
    _gap(
        "average_odds_difference",
        "average odds difference",
        "the widest gap between two groups in (true positive rate + false positive rate) / 2",
        interval="MOVER",
    ),
    _gap(
        "equalized_odds_difference",
        "equalized odds difference",
        "the larger of two gaps between groups: in true positive rates and in false positive rates",
        counts=_FAVOURED,
    ),
    _ratio(
        "equalized_odds_ratio",
        "equalized odds ratio",
        "the smaller of two ratios between groups: of true positive rates and of false positive rates",
        counts=_FAVOURED,
    ),
    _lowest(
        "true_positive_rate_lowest",
        "lowest true positive rate",
        "the worst group's true positive rate",
        counts=_FAVOURED,
    ),
    _lowest("accuracy_lowest", "lowest accuracy", "the worst group's accuracy", counts=_RIGHT),
    _ratio(
        "scoring_rate_ratio",
        "scoring rate ratio",
        "the lowest share of a group that scores above the median of all rows, divided by the highest",
        counts="scored above the median",
    ),
    _gap(
        "roc_auc_difference",
        "ROC AUC difference",
        "the highest ROC AUC of a group minus the lowest, from ranks",
        interval="the wider of DeLong and Newcombe's score; MOVER",
    ),
    Metric(
        name="fairness.calibration_error_highest",
        title="highest calibration error within a group",
        meaning="the calibration error of the group whose scores are furthest from the observed rates",
        family="fairness",
        unit="difference of rates",
        better="lower",
        parity=0.0,
        contrast="difference",
        interval="binomial noise of the bins",
    ),
    _inequality(
        "theil_index",
        "Theil index",
        "how unequally benefits (1 + decision - label) are spread over people",
    ),
    _inequality(
        "generalized_entropy_index",
        "generalized entropy index",
        "half the squared coefficient of variation of people's benefits (1 + decision - label)",
    ),
    _inequality(
        "between_group_theil_index",
        "between-group Theil index",
        "the Theil index when every person has the mean benefit of their group",
    ),
    _inequality(
        "between_group_generalized_entropy_index",
        "between-group generalized entropy index",
        "the generalized entropy index when every person has the mean benefit of their group",
    ),
    Metric(
        name="fairness.missing_share",
        title="share of rows without a known group",
        meaning="the share of rows whose group is missing",
        family="fairness",
        unit="share of rows",
        better="lower",
    ),
)


def _quality(
    name: str,
    title: str,
    meaning: str,
    *,
    better: Literal["lower", "higher"],
    interval: str,
    unit: str = "rate",
) -> Metric:
    return Metric(
        name=f"performance.{name}",
        title=title,
        meaning=meaning,
        family="quality",
        unit=unit,
        high=None if unit == "nats" else 1.0,
        better=better,
        contrast="difference",
        interval=interval,
    )


_PERFORMANCE = (
    _quality(
        "roc_auc",
        "ROC AUC",
        "how often a row with a favourable label scores higher than one without; 0.5 is chance, 1 is perfect",
        better="higher",
        interval="the wider of DeLong and Newcombe's score",
    ),
    _quality(
        "average_precision",
        "average precision",
        "precision averaged over all levels of recall; a random score gives the share of favourable labels",
        better="higher",
        interval="bootstrap",
    ),
    _quality(
        "accuracy", "accuracy", "the share of rows decided as labelled", better="higher", interval="Wilson"
    ),
    _quality(
        "balanced_accuracy",
        "balanced accuracy",
        "the mean of the true positive rate and the true negative rate; 0.5 is chance",
        better="higher",
        interval="Newcombe",
    ),
    _quality(
        "f1",
        "F1",
        "the harmonic mean of precision and recall",
        better="higher",
        interval="Wilson on TP / (TP + FP + FN)",
    ),
    Metric(
        name="performance.selection_rate_excess",
        title="selection rate minus label rate",
        meaning="the share of rows decided favourably minus the share labelled so; above 0, more people are "
        "approved than the labels say",
        family="quality",
        unit="difference of rates",
        low=-1.0,
        interval="Tango's score",
    ),
    _quality(
        "brier",
        "Brier score",
        "the mean squared difference between score and label; 0 is perfect",
        better="lower",
        interval="Student t on the losses",
    ),
    _quality(
        "log_loss",
        "log loss",
        "the mean negative logarithm of the probability given to the label that occurred; 0 is perfect",
        better="lower",
        interval="Student t on the losses",
        unit="nats",
    ),
    _quality(
        "calibration_error",
        "calibration error",
        "how far scores, read as probabilities, are from the observed rates on average; 0 is perfect",
        better="lower",
        interval="binomial noise of the bins",
    ),
)


def _bias(
    name: str,
    title: str,
    meaning: str,
    *,
    unit: str,
    parity: float,
    high: float | None = 1.0,
    interval: str = "",
    counts: str = "",
) -> Metric:
    return Metric(
        name=f"validation_prepared.{name}",
        title=title,
        meaning=meaning,
        family="bias in the data",
        unit=unit,
        high=high,
        better="higher" if parity == 1 else "lower",
        parity=parity,
        interval=interval,
        counts=counts,
    )


_BIAS = (
    _bias(
        "label_rate_difference",
        "label rate difference",
        "the highest group's rate of favourable labels minus the lowest group's",
        unit="difference of rates",
        parity=0.0,
        interval="Newcombe",
        counts=_LABELLED,
    ),
    _bias(
        "label_rate_ratio",
        "label rate ratio",
        "the lowest group's rate of favourable labels divided by the highest group's",
        unit="ratio of rates",
        parity=1.0,
        interval="MOVER-R",
        counts=_LABELLED,
    ),
    _bias(
        "label_kl_divergence",
        "Kullback-Leibler divergence of the labels",
        "how far the distribution of one group's labels is from another's, largest pair",
        unit="nats",
        parity=0.0,
        high=None,
    ),
    _bias(
        "label_js_divergence",
        "Jensen-Shannon divergence of the labels",
        "the same, symmetric in the two groups and at most 0.69",
        unit="nats",
        parity=0.0,
        high=0.6931471805599453,
    ),
    _bias(
        "label_total_variation",
        "total variation of the labels",
        "the same as the largest difference of probabilities; for two labels, the difference of the rates",
        unit="difference of rates",
        parity=0.0,
    ),
    _bias(
        "class_imbalance",
        "class imbalance",
        "the size of the largest group minus that of the smallest, divided by their sum",
        unit="ratio of rows",
        parity=0.0,
    ),
    _bias(
        "missingness_difference",
        "difference in missing values",
        "for the feature where it is largest: the highest group's share of missing values minus the lowest's",
        unit="difference of rates",
        parity=0.0,
        interval="Newcombe",
        counts="missing",
    ),
    _bias(
        "proxy_auc",
        "ROC AUC of the strongest proxy",
        "how well the best single feature identifies a group; 1 identifies it exactly",
        unit="rate",
        parity=0.5,
        interval="the wider of DeLong and Newcombe's score",
    ),
    _bias(
        "proxy_auc_together",
        "ROC AUC of all features as a proxy",
        "how well all features together identify a group; 1 identifies it exactly",
        unit="rate",
        parity=0.5,
        interval="the wider of DeLong and Newcombe's score",
    ),
)


def _count(
    name: str, title: str, meaning: str, family: Family, better: Literal["lower"] | None = "lower"
) -> Metric:
    return Metric(
        name=name, title=title, meaning=meaning, family=family, unit="count", high=None, better=better
    )


_RUN = (
    _count(
        "validation_raw.blocking_failures",
        "blocking data failures",
        "how many blocking expectations the raw table breaks",
        "data quality",
    ),
    _count(
        "validation_raw.warnings",
        "data warnings",
        "how many warning expectations the raw table breaks",
        "data quality",
    ),
    _count(
        "validation_raw.expectations",
        "expectations",
        "how many expectations were checked on the raw table",
        "data quality",
        None,
    ),
    _count(
        "validation_prepared.blocking_failures",
        "blocking data failures",
        "how many blocking expectations the prepared tables break",
        "data quality",
    ),
    _count(
        "validation_prepared.warnings",
        "data warnings",
        "how many warning expectations the prepared tables break",
        "data quality",
    ),
    _count(
        "validation_prepared.expectations",
        "expectations",
        "how many expectations were checked on the prepared tables",
        "data quality",
        None,
    ),
    _count(
        "split.overlap",
        "rows in more than one split",
        "how many rows are in more than one of train, tune and test",
        "split",
    ),
    _count(
        "split.unit_overlap",
        "units in more than one split",
        "how many entities, or groups of equal rows, are in more than one of train, tune and test",
        "split",
    ),
    _count(
        "split.left_out", "rows in no split", "how many rows are in none of train, tune and test", "split"
    ),
    Metric(
        name="training.protected_at_decision",
        title="use of protected attributes in decisions",
        meaning="1 if the model needs a protected attribute to decide about a person, else 0",
        family="training",
        unit="0 or 1",
        better="lower",
    ),
    Metric(
        name="explanation.additivity_error",
        title="additivity error of the explanation",
        meaning="the largest difference between a row's score and the sum of its contributions; 0 is exact",
        family="explanation",
        unit="unit of the score",
        high=None,
        better="lower",
    ),
    _count("explanation.rows", "explained rows", "how many test rows were explained", "explanation", None),
    Metric(
        name="explanation.coverage",
        title="share of test rows explained",
        meaning="the share of the test rows that were explained",
        family="explanation",
        unit="share of rows",
        better="higher",
    ),
)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.name: metric for metric in (*_RUN, *_BIAS, *_PERFORMANCE, *_FAIRNESS)}
)
"""Every metric by its name, `<document>.<measurement>`."""

NEED_SCORES = frozenset(
    {
        *("performance.roc_auc", "performance.average_precision", "performance.brier"),
        *("performance.log_loss", "performance.calibration_error"),
        *("fairness.scoring_rate_ratio", "fairness.roc_auc_difference"),
        "fairness.calibration_error_highest",
    }
)
"""The metrics of scores: decisions alone say nothing about them."""

_TITLES = {
    metric.measurement: metric.title for metric in METRICS.values() if metric.document != "explanation"
}
"""By measurement alone; what the explanation counts is named in full only: others have `rows`, too."""

_TABLES = {"validation_raw": " in the raw table", "validation_prepared": " in the prepared tables"}


def of_document(document: str) -> tuple[Metric, ...]:
    """The metrics of one evidence document, in the order of the registry."""
    return tuple(metric for metric in METRICS.values() if metric.document == document)


def title(name: str) -> str:
    """The title of a metric, `performance.log_loss` is "log loss"; without an entry, its name in words."""
    if name in METRICS:
        return METRICS[name].title
    measurement = name.rpartition(".")[2]
    return _TITLES.get(measurement, measurement.replace("_", " "))


def subject(name: str, attribute: str | None) -> str:
    """What a finding is about: "demographic parity ratio by race", "data warnings in the raw table"."""
    group = f" by {attribute}" if attribute else ""
    return f"{title(name)}{group}{_TABLES.get(name.partition('.')[0], '')}"
