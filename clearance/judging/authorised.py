"""Which policy compliance has authorised for which registered model; a model not named there has none."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from clearance import params
from clearance.errors import ConfigurationError

FILE = Path("policies/authorised.yaml")


class _Model(params.Section):
    """What is authorised for one model."""

    policy: str


class _Authorised(params.Section):
    """The whole of the file."""

    models: dict[str, _Model]


def policy_for(root: Path, name: str) -> Path | None:
    """The policy file, relative to `root`, under which the model `name` may be promoted; None: under none.

    Raises ConfigurationError when the list is missing or faulty, or names a policy that is not there.
    """
    path = root / FILE
    try:
        listed = _Authorised.model_validate(params.read_yaml(path)).models
    except ValidationError as error:
        fault = f"{FILE}: {params.describe(error, _Authorised)}"
        raise ConfigurationError(fault, f"correct {FILE}: `models: {{name: {{policy: file}}}}`") from None
    if name not in listed:
        return None
    file = Path(listed[name].policy)
    if not (root / file).is_file():
        raise ConfigurationError(f"{FILE}: {file}, authorised for {name}, is missing", f"mend {FILE}")
    return file
