"""Champion and challenger: may the candidate follow the current champion?

Pure. What cannot be compared is a finding with its reason, never an exception and never a pass. Which rows
may be compared, and which model is the champion, is decided elsewhere.
"""

from clearance.comparison.criteria import Criterion, criteria_of
from clearance.comparison.decision import CriterionFinding, decide, first_version, undecided
from clearance.comparison.paired_rows import (
    ModelScores,
    PairedRows,
    Tables,
    figures,
    measure,
    score_fault,
)
from clearance.comparison.result import Comparison, Model, Rows, digest, summary

__all__ = [
    "Comparison",
    "Criterion",
    "CriterionFinding",
    "Model",
    "ModelScores",
    "PairedRows",
    "Rows",
    "Tables",
    "criteria_of",
    "decide",
    "digest",
    "figures",
    "first_version",
    "measure",
    "score_fault",
    "summary",
    "undecided",
]
