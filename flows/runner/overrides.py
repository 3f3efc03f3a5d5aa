"""The overrides of a run: any key of `params.yaml`, typed, none required.

Their model is derived from `clearance.params`, so the form in Prefect's UI, the check at its API and
`--set` on the command line always know the same keys. Nothing here reads or writes a file.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Optional

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from clearance import params, validation_messages, yaml
from flows.runner import faults


def _section(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The model of `key` when it is a section of its own, always there."""
    info = model.model_fields.get(key)
    kind = info.annotation if info else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _partial(model: type[BaseModel], leave_out: tuple[str, ...] = ()) -> type[BaseModel]:
    """The model with every key optional, section by section. Rules across keys wait for the whole."""
    fields: dict[str, Any] = {}
    for key, info in model.model_fields.items():
        if key in leave_out:
            continue
        section = _section(model, key)
        kind: Any = _partial(section) if section else info.annotation
        if info.metadata:
            kind = Annotated[(kind, *info.metadata)]
        fields[key] = (Optional[kind], Field(default=None, title=key))  # noqa: UP045 - built at run time
    return create_model(
        f"{model.__name__}Overrides",
        __config__=ConfigDict(extra="forbid", allow_inf_nan=False, title=model.__name__),
        __doc__=model.__doc__,
        **fields,
    )


Overrides = _partial(params.Params, leave_out=("overrides",))


def from_settings(settings: Iterable[str], base: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides that `--set key.key=value` settings ask for; values are YAML.

    A key inside a free mapping (`train.arguments.C`) keeps its neighbours of `base`, which is `params.yaml`.
    Raises ConfigurationError on a setting without a key or with a value that is not YAML.
    """
    overrides: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not (key and equals):
            raise faults.NOT_A_SETTING(setting=setting)
        try:
            value = yaml.loads(text)
        except yaml.YAMLError:
            raise faults.NOT_YAML(setting=setting) from None
        _place(overrides, params.Params, base, key.split("."), value)
    return overrides


def _place(
    tree: dict[str, Any], model: type[BaseModel] | None, base: Any, path: list[str], value: Any
) -> None:
    key, *rest = path
    if not rest:
        tree[key] = value
        return
    below = base.get(key) if isinstance(base, Mapping) else None
    section = _section(model, key) if model else None
    if key not in tree:
        tree[key] = {} if section or not isinstance(below, Mapping) else copy.deepcopy(dict(below))
    _place(tree[key], section, below, rest, value)


def check(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides as plain data, without unset keys. Raises ConfigurationError on an unknown key."""
    try:
        return plain(Overrides.model_validate(overrides))
    except ValidationError as error:
        raise faults.UNKNOWN_OVERRIDE(reason=validation_messages.describe(error, params.Params)) from None


def plain(overrides: BaseModel) -> dict[str, Any]:
    """The overrides as JSON data, as they are recorded: an unset or null key overrides nothing."""
    return _without_empty(
        overrides.model_dump(mode="json", exclude_unset=True, exclude_none=True), params.Params
    )


def _without_empty(tree: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    result = {}
    for key, value in tree.items():
        section = _section(model, key)
        inner = _without_empty(value, section) if section else value
        if inner or not section:
            result[key] = inner
    return result


def leaves(overrides: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each override as its dotted key and its value; a list is one value."""
    for key, value in overrides.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def with_policy(overrides: Mapping[str, Any], file: str | None) -> dict[str, Any]:
    """The overrides with another policy file added, if one is given."""
    return {**overrides, "policy": {**overrides.get("policy", {}), "file": file}} if file else dict(overrides)


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the run's `params.yaml`: sections are merged, anything else is replaced.

    It records `overrides` under that key.
    """
    return _merge(base, overrides, params.Params) | {"overrides": dict(overrides)}


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        section = _section(model, key)
        merged[key] = _merge(merged.get(key) or {}, value, section) if section else value
    return merged
