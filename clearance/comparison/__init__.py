"""Champion and challenger: may the candidate follow the model that serves now?

Pure. What cannot be compared is a finding with its reason, never an exception and never a pass. Which rows
may be compared, and who the champion is, is not known here.
"""

from clearance.comparison.criteria import Demand, demands
from clearance.comparison.decision import Finding, first_version, hold, undecided
from clearance.comparison.paired_rows import Answers, Duel, Tables, fault, figures, measure
from clearance.comparison.result import Comparison, Model, Rows, digest, summary

__all__ = [
    "Answers",
    "Comparison",
    "Demand",
    "Duel",
    "Finding",
    "Model",
    "Rows",
    "Tables",
    "demands",
    "digest",
    "fault",
    "figures",
    "first_version",
    "hold",
    "measure",
    "summary",
    "undecided",
]
