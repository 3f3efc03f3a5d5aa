"""A policy from a pack, and the line that authorises it: texts, for compliance to read and change.

A pack is written for the attributes `race` and `sex` of the demo. Its sentences, limits and sources stay as
they are; only names are replaced. What it becomes is read back and compared before it is offered.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from clearance import yaml
from clearance.documents.measurement import INTERSECTION
from clearance.drafting import faults, params_text
from clearance.params import Scalar
from clearance.policy.schema import Policy
from clearance.preflight import suggestions

DEMO = "demo"
_SCHEMA = "# yaml-language-server: $schema=policy.schema.json"
_RULE = re.compile(r"(?m)^  - id: ")
_LIVE_RULE = re.compile(r"(?m)^    - id: ")
_MONITORING = re.compile(r"^monitoring:.*\n(?:[ ].*\n|\n(?=[ \n]))*", re.MULTILINE)
_WATCHED_AS = "engineering_default"
"""The pack whose section `monitoring` a pack without one gets: who releases a model has to watch it."""
_REASONS = re.compile(r"^reasons:.*\n(?:[ ].*\n|\n(?=[ ]))*\n?", re.MULTILINE)
"""The demo's terms of Regulation B: they are about credit, and a project of another kind has none."""
_ATTRIBUTES = re.compile(r"^(\s*attributes: )\[([^\]]*)\]", re.MULTILINE)


def packs(root: Path) -> dict[str, Path]:
    """The packs of the project by name, the demo's policy first."""
    folder = root / "policies"
    found = {DEMO: folder / "demo.yaml"}
    found |= {path.stem: path for path in sorted((folder / "packs").glob("*.yaml"))}
    return {name: path for name, path in found.items() if path.is_file()}


def title(path: Path) -> str:
    """The title of the policy in a file; empty where it has none."""
    match = re.search(r"^title: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1].strip("\"' ") if match else ""


def fit(
    root: Path, pack: str, *, name: str, target: str, favourable: Scalar, protected: Sequence[str]
) -> str:
    """The text of the pack for these attributes and this outcome.

    Raises ConfigurationError when there is no such pack, or it cannot be fitted.
    """
    known = packs(root)
    if pack not in known:
        suggestion = suggestions.did_you_mean(pack, known)
        raise faults.UNKNOWN_PACK(pack=pack, suggestion=suggestion, packs=", ".join(known))
    text = known[pack].read_text(encoding="utf-8")
    head, *rules = _RULE.split(text)
    head = _without_header(head)
    head = _REASONS.sub("", head)
    head = _replace(head, r"^id: .*$", f"id: {params_text.scalar(name)}")
    head = _replace(head, r"^version: .*$", 'version: "1"')
    head = _replace(head, r"^title: (.*)$", f"title: {_title(pack, known[pack], name)}")
    outcome = f"target: {params_text.scalar(target)}, value: {params_text.scalar(favourable)}"
    head = _replace(head, r"^favourable: \{[^}]*\}", f"favourable: {{{outcome}}}")
    head = _with_monitoring(head, known)
    live = [_fit_attributes(part, protected) for part in _LIVE_RULE.split(head)]
    fitted = [_fit_attributes(part, protected) for part in rules]
    body = "    - id: ".join(part for part in live if part is not None)
    body = "  - id: ".join([body, *(part for part in fitted if part is not None)])
    lines = [_SCHEMA, f"# Drafted by `clearance init` from {known[pack].relative_to(root).as_posix()} for"]
    lines += [f"# the model {name}. Compliance owns this file: read every rule, its limit and its source."]
    policy = "\n".join(lines) + "\n" + body
    _verify(policy, pack, protected)
    return policy


def _with_monitoring(head: str, known: Mapping[str, Path]) -> str:
    """The head with a section `monitoring`: its own, or that of the default pack."""
    if _MONITORING.search(head) or _WATCHED_AS not in known:
        return head
    section = _MONITORING.search(known[_WATCHED_AS].read_text(encoding="utf-8"))
    if section is None:
        return head
    text = f"# Watching in use, from packs/{_WATCHED_AS}.yaml: this pack says nothing about it.\n"
    return _replace(head, r"^rules:", f"{text}{section[0].rstrip()}\n\nrules:")


def line(name: str, policy: str, text: str) -> str:
    """The line under `models:` that authorises the policy in its first tier."""
    tier = next(iter(yaml.loads(text)["promotion"]["approvals"]))
    return f"  {params_text.scalar(name)}: {{policy: {params_text.scalar(policy)}, tier: {tier}}}"


def authorise(listed: str, name: str, entry: str) -> str:
    """The text of the list of authorised policies with this line.

    A line of the model that names another policy or tier is replaced, without the contracts it pins: they
    were agreed to under the other one. Anything else about the model stays.
    """
    present = ((yaml.loads(listed) or {}).get("models") or {}).get(name)
    if present is not None:
        drafted = yaml.loads(entry)[name]
        if isinstance(present, dict) and all(present.get(key) == drafted[key] for key in drafted):
            return listed
        lines = rf"^  {re.escape(params_text.scalar(name))}: \{{[^}}\n]*\}}[^\n]*$"
        return re.sub(lines, lambda _: entry, listed, count=1, flags=re.MULTILINE)
    text = listed if listed.endswith("\n") else f"{listed}\n"
    return re.sub(
        r"^models:[^\n]*\n",
        lambda match: f"models:\n{entry}\n" if "{}" in match[0] else f"{match[0]}{entry}\n",
        text,
        count=1,
        flags=re.MULTILINE,
    )


def _without_header(head: str) -> str:
    """The head without the lines that say what the file was and how to copy it."""
    comments, found, rest = head.partition("\nid: ")
    kept = comments.split("\n# To use it:")[0].splitlines()
    kept = [line for line in kept if "$schema=" not in line and not line.startswith("# The demo's policy")]
    return "\n".join(kept) + found + rest


def _title(pack: str, path: Path, name: str) -> str:
    text = f"Demonstration policy for {name}" if pack == DEMO else f"{title(path)}, for {name}"
    return params_text.scalar(text)


def _replace(text: str, pattern: str, new: str) -> str:
    return re.sub(pattern, lambda _: new, text, count=1, flags=re.MULTILINE)


def _fit_attributes(part: str, protected: Sequence[str]) -> str | None:
    """A part of the policy with its attributes replaced; None for a rule that is about none that exist."""
    match = _ATTRIBUTES.search(part)
    if match is None:
        return part
    names = [name.strip() for name in match[2].split(",")]
    fitted: list[str] = []
    if any(INTERSECTION not in name for name in names):
        fitted += protected
    if any(INTERSECTION in name for name in names):
        fitted += [INTERSECTION.join(pair) for pair in itertools.combinations(protected, 2)]
    if not fitted:
        return None
    listed = ", ".join(map(params_text.scalar, fitted))
    return part[: match.start()] + f"{match[1]}[{listed}]" + part[match.end() :]


def _verify(text: str, pack: str, protected: Sequence[str]) -> None:
    try:
        policy = Policy.model_validate(yaml.loads(text))
    except (ValidationError, yaml.YAMLError) as error:
        raise faults.PACK_NOT_FITTED(pack=pack, reason=str(error).splitlines()[0]) from None
    if policy.attributes != tuple(protected):
        raise faults.PACK_NOT_FITTED(pack=pack, reason="it does not list attributes in one line")
