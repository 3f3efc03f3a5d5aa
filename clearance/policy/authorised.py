"""Which policy compliance has authorised for each registered model; a model that is not listed has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from clearance import params, validation_messages, yaml
from clearance.policy import faults

FILE = Path("policies/authorised.yaml")


@dataclass(frozen=True, kw_only=True)
class Authorisation:
    """The policy file, relative to the project, and the risk tier whose approvals are required."""

    policy: Path
    tier: str


class _Model(params.Section):
    """The authorisation of one model."""

    policy: str
    tier: str


class _File(params.Section):
    """The content of the file."""

    models: dict[str, _Model]


def parse(text: bytes) -> dict[str, Authorisation]:
    """The authorisations in the text of such a file, by model; empty when the text is not valid."""
    try:
        models = _File.model_validate(yaml.loads(text.decode())).models
    except (ValidationError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return {name: Authorisation(policy=Path(item.policy), tier=item.tier) for name, item in models.items()}


def find(root: Path, name: str) -> Authorisation | None:
    """The policy and tier under which model `name` may be promoted; None when it is not listed.

    Raises ConfigurationError when the file is missing or not valid, or names a policy that does not exist.
    """
    path = root / FILE
    try:
        models = _File.model_validate(params.read_yaml(path)).models
    except ValidationError as error:
        problems = validation_messages.describe(error, _File)
        raise faults.AUTHORISATION_NOT_VALID(path=FILE, problems=problems) from None
    if name not in models:
        return None
    authorisation = Authorisation(policy=Path(models[name].policy), tier=models[name].tier)
    if not (root / authorisation.policy).is_file():
        raise faults.AUTHORISED_POLICY_MISSING(path=FILE, policy=authorisation.policy, model=name)
    return authorisation
