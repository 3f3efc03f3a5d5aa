"""What a model was made of, from source to verdict, and the way of one column into it.

Pure: everything comes from what was recorded, with its digest. What no record says is called unknown.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearance import foreign_text, paths, wording
from clearance.lineage import datasets, faults
from clearance.lineage.columns import ColumnUse, SelectLineage
from clearance.lineage.datasets import Evidence
from clearance.params import Params
from clearance.versioning.dvc_lock import Lock

SHOWN = 12
"""Digits of a digest that people see."""
LONGEST = 80
"""Characters of a foreign name that people see."""
_USES = {
    "IDENTITY": "unchanged",
    "TRANSFORMATION": "computed from it",
    "CONDITIONAL": "decides the value",
    "WINDOW": "orders or groups the rows for it",
}
_KEPT = re.compile(r"[^\w .,:/=-]", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Composition:
    """What one model was made of. `digests` are the SHA-256 of everything read and written, by path.

    `commit` is None where no commit is recorded, `changed` are the inputs that differ from it.
    """

    subject: str
    settings: Params
    lock: Lock
    digests: Mapping[str, str]
    evidence: Evidence
    fingerprint: str
    commit: str | None
    changed: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """A link of the chain from source to verdict: its role, path, digest and what is known of it."""

    role: str
    path: str
    sha256: str | None
    about: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """A stage with what it read and wrote, code and environment left out."""

    name: str
    command: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ColumnWay:
    """A column of the raw table: what it comes from, its role, and what it becomes.

    `uses` are columns of the source, None where that is unknown. `input_type` is its type as an input of the
    model, None where the model does not take it in.
    """

    name: str
    uses: tuple[ColumnUse, ...] | None
    role: str
    prepared: str | None
    input_type: str | None


def chain(made: Composition) -> list[Part]:
    """The links from source to verdict, in order; one that a blocked run lacks says so."""
    evidence, settings = made.evidence, made.settings
    origin, split, training, verdict = evidence.origin, evidence.split, evidence.training, evidence.verdict
    rows = f"{origin.rows:,} rows, {len(origin.columns)} columns" if origin else "not recorded"
    counts = ", ".join(f"{name} {count:,}" for name, count in split.rows.items()) if split else ""
    model = "none: a stage before it was blocked"
    if training:
        names = [training.estimator, training.mitigation]
        model = ", ".join([*names, wording.counted(len(training.inputs), "input")])
    policy = judged = "not recorded"
    if verdict:
        policy = f"{verdict.policy.id} {verdict.policy.version} as of {verdict.policy.as_of}"
        outcome = verdict.verdict.value.replace("_", " ")
        judged = f"{outcome}, {wording.counted(len(verdict.findings), 'finding')}"
    prepared = f"{counts} rows" if counts else "none: the raw table is blocked"
    parts = [
        ("source", settings.source.path, _describe_source(evidence)),
        ("table", paths.RAW_TABLE.as_posix(), rows),
        ("tables", paths.PREPARED.as_posix(), prepared),
        ("model", paths.TRAINED.as_posix(), model),
        ("policy", settings.policy.file, policy),
        ("verdict", paths.VERDICT.as_posix(), judged),
    ]
    return [
        Part(role=role, path=path, sha256=made.digests.get(path), about=about) for role, path, about in parts
    ]


def steps(made: Composition) -> list[Step]:
    """The stages, each behind those whose outputs it read."""
    waiting = {
        name: Step(
            name=name,
            command=stage.cmd if isinstance(stage.cmd, str) else " && ".join(stage.cmd),
            reads=tuple(entry.path for entry in stage.deps if not datasets.is_code(entry.path)),
            writes=tuple(entry.path for entry in stage.outs),
        )
        for name, stage in made.lock.stages.items()
    }
    ordered: list[Step] = []
    while waiting:
        unmade = {path for step in waiting.values() for path in step.writes}
        ready = [name for name, step in waiting.items() if unmade.isdisjoint(step.reads)] or list(waiting)
        ordered += [waiting.pop(name) for name in ready]
    return ordered


def column_ways(made: Composition, column: str) -> list[ColumnWay]:
    """The ways of a column: of the raw table's column of that name, and of those that come from it.

    Raises ConfigurationError when neither the raw table nor `select` knows such a column.
    """
    known = datasets.select_lineage(made.settings, made.evidence)
    names = made.evidence.origin.columns if made.evidence.origin else ()
    own = [name for name in names if name.casefold() == column.casefold()]
    others = [
        name
        for name, uses in known.fields.items()
        if name not in own and any(use.column.casefold() == column.casefold() for use in uses)
    ]
    if not own and not others:
        sources = [use.column for uses in known.fields.values() for use in uses]
        close = difflib.get_close_matches(column.casefold().replace("_", " "), [*names, *sources], n=1)
        raise faults.COLUMN_UNKNOWN(
            column=_shown(column),
            subject=made.subject,
            meant=f" (did you mean {_shown(close[0])}?)" if close else "",
        )
    return [_way(made, known, name) for name in (*own, *others)]


def all_ways(made: Composition) -> list[ColumnWay]:
    """The way of each column of the raw table."""
    known = datasets.select_lineage(made.settings, made.evidence)
    return [
        _way(made, known, name) for name in (made.evidence.origin.columns if made.evidence.origin else ())
    ]


def _way(made: Composition, known: SelectLineage, name: str) -> ColumnWay:
    split, training, data = made.evidence.split, made.evidence.training, made.settings.data
    features = split.features if split else ()
    role = "feature" if name in features else data.never_features().get(name, "not used")
    prepared = name if name in features or (split and name in split.protected) else None
    if split and name == data.target:
        prepared = datasets.LABEL
    inputs = {entry.name: entry.type for entry in training.inputs} if training else {}
    return ColumnWay(
        name=name,
        uses=known.fields.get(name),
        role=role,
        prepared=prepared,
        input_type=str(inputs[name]) if prepared == name and name in inputs else None,
    )


def _describe_source(evidence: Evidence) -> str:
    """What the source is, by what `data/origin.json` says of it: no query, for it may hold values."""
    if evidence.origin is None:
        return "not recorded"
    source = evidence.origin.source
    words = [source.get(key) for key in ("kind", "name", "package", "database", "openml_id")]
    return " ".join(str(word) for word in words if word is not None)


def text(made: Composition, ways: Sequence[ColumnWay] | None = None) -> list[str]:
    """The composition in lines for a terminal; or, where `ways` are given, those alone."""
    head = f"{made.subject}: fingerprint {made.fingerprint[:SHOWN]}…, {_commit(made)}"
    if ways is not None:
        return [head, *(line for way in ways for line in _way_lines(way))]
    parts = chain(made)
    widths = [max(len(_shown(getattr(part, name))) for part in parts) for name in ("role", "path")]
    lines = [head]
    for part in parts:
        digest = f"{part.sha256[:SHOWN]}…" if part.sha256 else "no digest".ljust(SHOWN + 1)
        lines.append(
            f"  {part.role:{widths[0]}}  {_shown(part.path):{widths[1]}}  {digest}  {_shown(part.about)}"
        )
    lines += ["", "steps"]
    for step in steps(made):
        reads, writes = (", ".join(map(_shown, names)) for names in (step.reads, step.writes))
        lines.append(f"  {_shown(step.name)}: {reads or 'nothing'} → {writes or 'nothing'}")
    return lines


def _way_lines(way: ColumnWay) -> Iterator[str]:
    yield ""
    yield f"{_shown(way.name)}: {way.role}"
    if way.uses is None:
        yield "  from the source: not known from the text of `select`"
    elif not way.uses:
        yield "  from the source: no column"
    for use in way.uses or ():
        yield f"  from the source: {_shown(use.column)} ({_USES[use.use]})"
    yield f"  in {paths.RAW_TABLE}: {_shown(way.name)}"
    if way.prepared is None:
        yield f"  in {paths.PREPARED}: it is not there"
        return
    yield f"  in {paths.PREPARED}: {_shown(way.prepared)}"
    if way.input_type is not None:
        yield f"  input of the model: {way.input_type}; every score depends on it"
    else:
        yield "  not an input of the model"


def _commit(made: Composition) -> str:
    if made.commit is None:
        return "no commit is recorded"
    differs = f" ({wording.counted(len(made.changed), 'input')} differ from it)" if made.changed else ""
    return f"commit {made.commit[:SHOWN]}…{differs}"


def mermaid(made: Composition, ways: Sequence[ColumnWay] | None = None) -> list[str]:
    """The composition, or the ways of a column, as a flowchart. Labels hold entity codes for every sign."""
    return _flowchart(_way_edges(ways) if ways is not None else _step_edges(made))


_Edge = tuple[str, str, str]


def _step_edges(made: Composition) -> Iterator[_Edge]:
    def dataset(path: str) -> str:
        digest = made.digests.get(path)
        return f"[{_label(path)}{f'<br/>{digest[:SHOWN]}' if digest else ''}]"

    for step in steps(made):
        stage = f"([{_label(step.name)}])"
        yield from ((dataset(path), "", stage) for path in step.reads)
        yield from ((stage, "", dataset(path)) for path in step.writes)


def _way_edges(ways: Sequence[ColumnWay]) -> Iterator[_Edge]:
    for way in ways:
        raw = f"[{_label(f'{paths.RAW_TABLE}: {_shown(way.name)}')}]"
        for use in way.uses or ():
            yield f"[{_label(f'source: {_shown(use.column)}')}]", _label(_USES[use.use]), raw
        if way.uses is None:
            yield "[source: not known]", "", raw
        if way.prepared is None:
            continue
        prepared = f"[{_label(f'{paths.PREPARED}: {_shown(way.prepared)}')}]"
        yield raw, "", prepared
        if way.input_type is not None:
            yield prepared, "", f"[{_label(f'input of the model: {way.input_type}')}]"


def _flowchart(edges: Iterator[_Edge]) -> list[str]:
    """A node for each distinct label, which stands in quotes, and the edges between them."""
    names: dict[str, str] = {}
    drawn: list[str] = []
    for start, word, end in edges:
        for node in (start, end):
            names.setdefault(node, f"n{len(names)}")
        drawn.append(f"  {names[start]} -->{f'|{word}|' if word else ''} {names[end]}")
    nodes = [f"  {name}{_quoted(node)}" for node, name in names.items()]
    return ["flowchart LR", *nodes, *dict.fromkeys(drawn)]


def _quoted(node: str) -> str:
    opening, closing = ("([", "])") if node.startswith("([") else ("[", "]")
    return f'{opening}"{node[len(opening) : -len(closing)]}"{closing}'


def _label(label: str) -> str:
    """A label in which every sign that could mean something to Mermaid or HTML is an entity code."""
    return _KEPT.sub(lambda sign: f"#{ord(sign[0])};", _shown(label))


def _shown(name: str) -> str:
    """A foreign name as people see it: inert, and cut where it is very long."""
    inert = foreign_text.inert(name)
    return inert if len(inert) <= LONGEST else f"{inert[: LONGEST - 1]}…"


def to_json(made: Composition, ways: Sequence[ColumnWay] | None = None) -> dict[str, Any]:
    """The composition as a JSON value, with whole digests and the ways of all columns, or of `ways`."""
    return {
        "subject": made.subject,
        "model": made.settings.name,
        "fingerprint": made.fingerprint,
        "commit": made.commit,
        "changed": list(made.changed),
        "chain": [
            {"role": part.role, "path": part.path, "sha256": part.sha256, "about": part.about}
            for part in chain(made)
        ],
        "steps": [
            {
                "name": step.name,
                "command": step.command,
                "reads": {path: made.digests.get(path) for path in step.reads},
                "writes": {path: made.digests.get(path) for path in step.writes},
            }
            for step in steps(made)
        ],
        "columns": [_way_json(way) for way in (all_ways(made) if ways is None else ways)],
    }


def _way_json(way: ColumnWay) -> dict[str, Any]:
    uses = None if way.uses is None else [{"column": use.column, "use": use.use} for use in way.uses]
    return {
        "name": way.name,
        "source": uses,
        "role": way.role,
        "prepared": way.prepared,
        "input_type": way.input_type,
    }
