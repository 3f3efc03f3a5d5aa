"""What each measurement is, in a sentence that a person who did not build it can read aloud.

Words only: no number is taken here and no limit is known here.
"""

from __future__ import annotations

METRICS = {
    "validation_raw.blocking_failures": "how many blocking expectations the raw table breaks",
    "validation_prepared.blocking_failures": "how many blocking expectations the prepared tables break",
    "validation_prepared.label_rate_ratio": (
        "in the recorded decisions, the lowest group's share of favourable outcomes divided by the highest "
        "group's; 1 is the same for all"
    ),
    "validation_prepared.missingness_difference": (
        "how much more often some feature is missing in one group than in another, for the feature where "
        "that is most; 0: every feature is missing alike"
    ),
    "validation_prepared.proxy_auc_together": (
        "how well all features together tell a group from the others; 0.5 is a coin, 1 gives the group away"
    ),
    "training.protected_at_decision": (
        "whether the model needs a protected attribute to decide about a person: 1 it does, 0 it does not"
    ),
    "split.overlap": "how many rows stand in more than one of train, tune and test",
    "performance.roc_auc": (
        "how often a row with a favourable label scores above one without; 0.5 is a coin, 1 is perfect"
    ),
    "performance.calibration_error": (
        "how far scores, read as probabilities, lie from the observed rates on average; 0 is perfect"
    ),
    "fairness.demographic_parity_difference": (
        "the share of favourable decisions in the group that gets most of them minus that of the group that "
        "gets fewest; 0 is the same for all"
    ),
    "fairness.demographic_parity_ratio": (
        "the share of favourable decisions in the group that gets fewest of them divided by that of the "
        "group that gets most; 1 is the same for all"
    ),
    "fairness.disparate_impact_best_group": (
        "the lowest group's share of favourable decisions divided by the best group's, each group held "
        "against the best; 1 is the same for all"
    ),
    "fairness.equalized_odds_difference": (
        "the larger of two gaps between groups, that in true positive rates and that in false positive "
        "rates; 0: the model errs alike for all"
    ),
    "fairness.equalized_odds_ratio": (
        "the smaller of two ratios between groups, that of true positive rates and that of false positive "
        "rates; 1: the model errs alike for all"
    ),
    "fairness.equal_opportunity_difference": (
        "the largest gap between groups in the share decided favourably among rows whose label is "
        "favourable; 0: who deserves it gets it alike in all groups"
    ),
    "fairness.average_odds_difference": (
        "the mean of the gaps between groups in true positive and in false positive rates; 0: the model "
        "errs alike for all"
    ),
    "fairness.scoring_rate_ratio": (
        "the share of a group that scores above the median of all, the lowest group's divided by the "
        "highest group's; 1 is the same for all"
    ),
    "fairness.missing_share": "the share of rows whose group is not known; 0: every row has a group",
    "explanation.additivity_error": (
        "how far the contributions of the features miss the score they should sum up to; 0 is exact"
    ),
}
"""By `<document>.<metric>`."""
