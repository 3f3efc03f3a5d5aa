"""`params.yaml` as text: the drafted settings, each proposal with its reason as a comment."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clearance import foreign_text
from clearance.drafting.column_roles import Roles
from clearance.params import Scalar

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
_WIDTH = 108


def write(
    *,
    name: str,
    path: str,
    delimiter: str | None,
    types: Mapping[str, str],
    select: str | None,
    row_key: str | None,
    target: str,
    favourable: Scalar,
    protected: Sequence[str],
    roles: Roles,
    questions: Sequence[str],
    columns: Mapping[str, Mapping[str, Any]],
    policy: str,
    as_of: str,
    rows_min: int,
) -> str:
    """The whole file. `columns` are the rules by column, `as_of` the day of the policy's rules."""
    lines = [
        "# The data scientist's choices, drafted by `clearance init` from the table. Read it once: what the",
        "# table could not say is a question below. docs/configuration.md lists every key.",
        f"name: {scalar(name)}",
        f"experiment: {scalar(name)}",
        "seed: 20260101",
        "",
        "source:",
        "  kind: file",
        f"  path: {scalar(path)}",
    ]
    if delimiter is not None:
        lines.append(f"  delimiter: {json.dumps(delimiter)}")
    if types:
        declared = ", ".join(f"{scalar(column)}: {kind}" for column, kind in types.items())
        lines.append(f"  types: {{{declared}}}    # as these are read, before `select` sees them")
    if select is not None and select.replace("\n", "").isprintable():
        lines += ["  select: |", *(f"    {line}" for line in select.split("\n"))]
    elif select is not None:
        lines.append(f"  select: {_quoted(select)}")
    lines += ["", "data:", f"  row_key: {'null' if row_key is None else scalar(row_key)}"]
    lines += [f"  target: {scalar(target)}"]
    lines += [f"  favourable: {scalar(favourable)}    # the value that is good for the person"]
    lines += _list("protected", protected)
    lines += _explained("protected_encodings", roles.encodings)
    lines += _explained("after_outcome", roles.after_outcome)
    left_out = (f"`{column}` {because}" for column, because in roles.left_out.items())
    lines += [f"  # not a feature: {foreign_text.inert(line)}" for line in left_out]
    lines += [f"  # question: {foreign_text.inert(question)}" for question in questions]
    lines += _list("features", roles.features)
    lines += [f"  rows_min: {rows_min}", "  columns:"]
    lines += [f"    {scalar(column)}: {flow(rules)}" for column, rules in columns.items()]
    lines += [
        "",
        "split: {train: 0.5, tune: 0.2, test: 0.3}",
        "",
        "train:                              # a model made elsewhere: docs/external-models.md",
        "  estimator: logistic_regression   # or random_forest, hist_gradient_boosting, lightgbm, xgboost,",
        "                                   # catboost (docs/your-model.md), import.path.Of.Class",
        "  mitigation: none                 # or reweighing, grid_search, …: docs/configuration.md",
        "  threshold: {objective: balanced_accuracy}",
        "",
        "evaluate: {}",
        "explain: {}",
        "",
        "policy:",
        f"  file: {scalar(policy)}",
        f'  as_of: "{as_of}"',
        "",
        "overrides: {}                      # what a run changed; written by the flow, never by hand",
        "",
    ]
    return "\n".join(lines)


def scalar(value: Scalar) -> str:
    """A value as YAML reads it back: texts that could be read as something else in quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if _PLAIN.fullmatch(value) and value.casefold() not in _RESERVED:
        return value
    if re.fullmatch(r"[A-Za-z][\w./-]*", value, re.ASCII) and value.casefold() not in _RESERVED:
        return value
    return _quoted(value)


def _quoted(text: str) -> str:
    """A text in double quotes; signs that an editor does not show are written as escapes."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def flow(rules: Mapping[str, Any]) -> str:
    """A mapping on one line."""
    items = (f"{key}: {_flow_value(value)}" for key, value in rules.items())
    return "{" + ", ".join(items) + "}"


def _flow_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(scalar, value)) + "]"
    return scalar(value)


def _list(key: str, names: Iterable[str]) -> list[str]:
    """A list on as many lines as it needs."""
    text = f"{key}: [" + ", ".join(map(scalar, names)) + "]"
    indent = " " * (len(key) + 5)
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="  ",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _explained(key: str, reasons: Mapping[str, str]) -> list[str]:
    """A list with a comment for each of its entries; no line where it is empty."""
    if not reasons:
        return []
    width = max(len(scalar(column)) for column in reasons)
    entries = [
        f"    - {scalar(column):{width}}    # {foreign_text.inert(because)}"
        for column, because in reasons.items()
    ]
    return [f"  {key}:", *entries]
