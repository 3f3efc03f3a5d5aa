"""Which policy compliance has authorised for each registered model; a model that is not listed has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from clearance import params, validation_messages, yaml
from clearance.policy import faults

FILE = Path("policies/authorised.yaml")


@dataclass(frozen=True, kw_only=True)
class Authorisation:
    """The policy file, relative to the project, and the risk tier whose approvals are required.

    `contracts` are the digests of the data contracts that compliance agreed to; empty where it pins none.
    """

    policy: Path
    tier: str
    contracts: tuple[str, ...] = ()


class _Model(params.Section):
    """The authorisation of one model."""

    policy: str
    tier: str
    contracts: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()

    def authorisation(self) -> Authorisation:
        """The same as a value."""
        return Authorisation(policy=Path(self.policy), tier=self.tier, contracts=self.contracts)


class _File(params.Section):
    """The content of the file."""

    models: dict[str, _Model]


def parse(text: bytes) -> dict[str, Authorisation]:
    """The authorisations in the text of such a file, by model; empty when the text is not valid."""
    try:
        models = _File.model_validate(yaml.loads(text.decode())).models
    except (ValidationError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return {name: item.authorisation() for name, item in models.items()}


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
    authorisation = models[name].authorisation()
    if not (root / authorisation.policy).is_file():
        raise faults.AUTHORISED_POLICY_MISSING(path=FILE, policy=authorisation.policy, model=name)
    return authorisation
