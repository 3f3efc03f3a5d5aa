"""The data contract: which question a model answers, apart from how it is trained.

Source and derived columns, keys, target and favourable value, protected attributes with their groups, columns
that may not be features, weight, cluster and split form one value with a digest. Compliance agrees to that
digest; a change of any field is shown before and after. What the data themselves hold is not part of it.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clearance import canonical_json, foreign_text, labels
from clearance.params import Params
from clearance.params.data import Data, Split
from clearance.params.source import Source

_LONGEST = 160
_CONTEXT = 20


@dataclass(frozen=True, kw_only=True)
class DataContract:
    """The fields of the contract, each as `params.yaml` declares it, without order where order means nothing.

    `protected` maps each attribute to the groups that its column may hold; empty where they are not declared.
    `derived` is the SQL in `source.select`, `encodings` are the columns that stand for a protected attribute.
    `reference` maps an attribute to its reference group.
    """

    source: Mapping[str, Any]
    derived: str | None
    row_key: str | None
    entity: str | None
    target: str
    favourable: str
    protected: Mapping[str, tuple[str, ...]]
    reference: Mapping[str, str]
    encodings: tuple[str, ...]
    after_outcome: tuple[str, ...]
    weight: str | None
    cluster: str | None
    split: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The SHA-256 of the contract as canonical JSON (RFC 8785), as 64 hex digits.

        Fields that say nothing are left out, so a field added later does not change it.
        """
        content = {name: value for name, value in asdict(self).items() if value}
        return hashlib.sha256(canonical_json.dumps(content)).hexdigest()


def of(settings: Params) -> DataContract:
    """The contract that `params.yaml` declares."""
    return of_sections(settings.source, settings.data, settings.split, settings.evaluate.reference)


def of_sections(source: Source, data: Data, split: Split, reference: Mapping[str, Any]) -> DataContract:
    """The contract that these sections of `params.yaml` declare."""
    columns = {name: data.columns[name].values or [] for name in data.protected if name in data.columns}
    return DataContract(
        source=source.model_dump(mode="json", exclude_none=True, exclude={"select"}),
        derived=source.select,
        row_key=data.row_key,
        entity=data.entity,
        target=data.target,
        favourable=_text(data.favourable),
        protected={name: tuple(sorted(map(_text, columns.get(name, [])))) for name in data.protected},
        reference={name: _text(group) for name, group in reference.items()},
        encodings=tuple(sorted(data.protected_encodings)),
        after_outcome=tuple(sorted(data.after_outcome)),
        weight=data.weight,
        cluster=data.cluster,
        split=split.model_dump(mode="json", exclude_none=True),
    )


def differences(before: DataContract, after: DataContract) -> tuple[str, ...]:
    """What changed from one contract to the other, one sentence for each field: "target: a → b"."""
    old, new = dict(leaves(asdict(before))), dict(leaves(asdict(after)))
    names = [*old, *(name for name in new if name not in old)]
    changed = (name for name in names if old.get(name) != new.get(name))
    return tuple(line for name in changed for line in _change(name, old.get(name), new.get(name)))


def describe(contract: DataContract) -> tuple[str, ...]:
    """Every field of the contract in full; see `in_full`."""
    return in_full(asdict(contract))


def in_full(tree: Mapping[str, Any]) -> tuple[str, ...]:
    """Every value below `tree` uncut, one line each; a text with several lines gives one for each of them."""
    lines: list[str] = []
    for name, value in leaves(tree):
        if isinstance(value, str) and "\n" in value:
            numbered = enumerate(value.splitlines(), start=1)
            lines += [f"{name}, line {number}: {_inert(line)}" for number, line in numbered]
        else:
            lines.append(f"{name}: {_inert(value)}")
    return tuple(lines)


def describe_overrides(overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """Every parameter that a run replaced, one by one with its new value: "train.threshold.fixed = 0.02"."""
    return tuple(f"{name} = {_cut(_inert(value))}" for name, value in leaves(overrides))


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value below `tree` that is not a mapping, with its dotted key; an empty mapping is a value."""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{name}.")
        else:
            yield name, value


def _text(value: bool | int | float | str) -> str:
    return str(labels.text(value))


def _change(name: str, before: Any, after: Any) -> Iterator[str]:
    """The change of one field; of a text with several lines, each place where it changed."""
    if not (isinstance(before, str) and isinstance(after, str) and "\n" in before + after):
        yield f"{name}: {_in_words(before, after)}"
        return
    old, new = before.splitlines(), after.splitlines()
    for kind, start, end, first, last in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield f"{name}, line {start + 1}: {_in_words(_joined(old[start:end]), _joined(new[first:last]))}"


def _joined(lines: list[str]) -> str | None:
    return " ".join(line.strip() for line in lines) if lines else None


def _in_words(before: Any, after: Any) -> str:
    """Both values on one line; of long ones the part from where they begin to differ."""
    old, new = _inert(before), _inert(after)
    start = 0
    if max(len(old), len(new)) > _LONGEST:
        same = itertools.takewhile(lambda signs: signs[0] == signs[1], zip(old, new, strict=False))
        start = max(0, sum(1 for _ in same) - _CONTEXT)
    lead = "…" if start else ""
    return f"{lead}{_cut(old[start:])} → {lead}{_cut(new[start:])}"


def _inert(value: Any) -> str:
    """The value on one line, escaped where a terminal would act on it."""
    if value is None or value in ({}, [], ()):
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return foreign_text.inert(text)


def _cut(text: str) -> str:
    """The text, cut short where it is long, with the start of the digest of all of it."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… (cut; SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:8]}…)"
