"""What the project's policy says about watching its model. One file decides, the same for every reader."""

from __future__ import annotations

from pathlib import Path

from clearance import params, paths
from clearance.policy import authorised, policy_file
from clearance.policy.monitoring_terms import MonitoringTerms
from clearance.policy.schema import Policy


def policy(root: Path) -> Policy:
    """The policy that is authorised for the model, as it is now; without one, that of params.yaml.

    Raises ConfigurationError when it is missing or not valid.
    """
    settings = params.load(root / paths.PARAMS)
    authorisation = authorised.find(root, settings.name)
    file = settings.policy.file if authorisation is None else authorisation.policy
    return policy_file.load(root / file, recorded=True)


def terms(root: Path) -> MonitoringTerms | None:
    """What it says about watching the model; None: nothing. Raises as `policy` does."""
    return policy(root).monitoring
