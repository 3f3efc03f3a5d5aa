"""Champion and challenger: may the candidate follow the model that serves now?

Pure. What cannot be compared is a finding with its reason, never an exception and never a pass. Which rows
may be compared, and who the champion is, is not known here.
"""

from clearance.challenge.comparison import Comparison, Model, Rows, digest, summary
from clearance.challenge.deciding import Finding, first_version, hold, undecided
from clearance.challenge.demands import Demand, demands
from clearance.challenge.duel import Answers, Duel, Tables, fault, figures, measure

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
