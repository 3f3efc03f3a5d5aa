"""Which policy compliance has authorised for which registered model; a model not named there has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from clearance import params, yaml
from clearance.errors import ConfigurationError

FILE = Path("policies/authorised.yaml")


@dataclass(frozen=True, kw_only=True)
class Authorisation:
    """The policy file, relative to the project, and the tier of risk whose approvals are asked for."""

    policy: Path
    tier: str


class _Model(params.Section):
    """What is authorised for one model."""

    policy: str
    tier: str


class _Authorised(params.Section):
    """The whole of the file."""

    models: dict[str, _Model]


def parse(text: bytes) -> dict[str, Authorisation]:
    """What a list once authorised, by model; nothing where it is faulty."""
    try:
        listed = _Authorised.model_validate(yaml.loads(text.decode())).models
    except (ValidationError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return {name: Authorisation(policy=Path(each.policy), tier=each.tier) for name, each in listed.items()}


def find(root: Path, name: str) -> Authorisation | None:
    """What the model `name` may be promoted under; None: under nothing.

    Raises ConfigurationError when the list is missing or faulty, or names a policy that is not there.
    """
    path = root / FILE
    try:
        listed = _Authorised.model_validate(params.read_yaml(path)).models
    except ValidationError as error:
        fault = f"{FILE}: {params.describe(error, _Authorised)}"
        mend = f"correct {FILE}: `models: {{name: {{policy: file, tier: one that the policy lists}}}}`"
        raise ConfigurationError(fault, mend) from None
    if name not in listed:
        return None
    found = Authorisation(policy=Path(listed[name].policy), tier=listed[name].tier)
    if not (root / found.policy).is_file():
        raise ConfigurationError(f"{FILE}: {found.policy}, authorised for {name}, is missing", f"mend {FILE}")
    return found
