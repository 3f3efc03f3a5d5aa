"""Planted lies in documents: does the check name each, and does it stay silent about true ones?

    python -m assurance.documents [--seed N] [--clean N]

Every number of every artefact and every sentence of every document is changed, one at a time, in a small
project whose evidence is drawn. Each artefact is taken away in turn: what used it must show a gap.
"""

from __future__ import annotations

import argparse
import copy
import json
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clearance import files, params, paths
from clearance.documentation import checking, version_card
from clearance.documentation.checking import Derived, Finding
from clearance.documents import codec
from clearance.documents.card_document import CardDocument
from clearance.documents.sentences import DerivedClaim, Gap
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import IntegrityError
from clearance.policy import policy_file
from clearance.reporting.card import card_text, formats, make
from clearance.reporting.card.card_text import CardText
from clearance.reporting.claims import artefacts, check, claim
from clearance.reporting.claims.artefacts import Artefact
from tests.support import carded

SEED, CLEAN, GROUPS = 20260101, 100, 40
BARS = {"numbers": 500, "sentences": 500}
"""How many of each must be planted at least."""


@dataclass
class Tally:
    """What was planted by kind, and what was not named, said wrongly, or kept a number that is gone."""

    planted: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)

    def add(self, kind: str, place: str, *, named: bool) -> None:
        """Count a lie, and whether the check named it."""
        self.planted[kind] += 1
        if not named:
            self.misses.append(f"{kind}: {place}")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A true project in memory: its artefacts, its documents, and the digests of all that was judged."""

    known: dict[str, Artefact]
    judged: dict[str, Artefact]
    card: CardDocument
    verdict: VerdictDocument
    derived: Derived


def case(root: Path) -> Case:
    """The project below `root`, which must hold."""
    settings = params.load(root / paths.PARAMS)
    known = artefacts.read(root, make.READ)
    verdict = VerdictDocument.read(root)
    cited = (Path(path) for path in verdict.evidence if path.endswith((".json", ".yaml")))
    return Case(
        known=known,
        judged=known | artefacts.read(root, cited),
        card=CardDocument.read(root),
        verdict=verdict,
        derived=checking.derive(root, settings, known),
    )


def numbers(content: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a JSON value, with the pointer to it."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from numbers(value, place + artefacts.pointer(key))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from numbers(value, f"{place}/{index}")
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield place, content


def replaced(content: Any, place: str, value: Any) -> Any:
    """A copy of a JSON value with another value at a pointer."""
    changed = copy.deepcopy(content)
    *way, last = [artefacts.last_key(f"/{part}") for part in place.split("/")[1:]]
    inner = changed
    for key in way:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    inner[int(last) if isinstance(inner, list) else last] = value
    return changed


def lie_in_numbers(true: Case, tally: Tally, step: int = 1) -> None:
    """Change every number of every artefact, one at a time; `step` takes each n-th."""
    for path, artefact in true.judged.items():
        for place, number in list(numbers(artefact.content))[::step]:
            content = replaced(artefact.content, place, number + 1)
            lied = Artefact(content=content, sha256=files.sha256_text(files.dumps(content)))
            findings = findings_after(true, path, lied)
            named = any(finding.problem.artefact == path for finding in findings)
            tally.add("numbers", f"{path} {place}", named=named and _pointed_at(true, path, lied, findings))


def findings_after(true: Case, path: str, lied: Artefact) -> list[Finding]:
    """What the check says once an artefact is another one; documents stay as they are."""
    judged = true.judged | {path: lied}
    known = {name: judged[name] for name in true.known}
    actual = dict(true.verdict.evidence) | {name: artefact.sha256 for name, artefact in judged.items()}
    return [
        *checking.check_verdict(true.verdict, true.verdict, actual),
        *checking.check_card(true.card, known, true.card),
    ]


def _pointed_at(true: Case, path: str, lied: Artefact, findings: list[Finding]) -> bool:
    """Whether each value of a claim that reads differently now is named by its pointer."""
    known = true.known | {path: lied}
    pointers = {(finding.problem.artefact, finding.problem.pointer) for finding in findings}
    return all(
        (source.artefact, source.pointer) in pointers
        for _, sentence in check.sentences(true.card)
        if isinstance(sentence, DerivedClaim)
        for name, source in sentence.sources.items()
        if source.artefact == path and _rendered(source, known) != sentence.values[name]
    )


def _rendered(source: Any, known: dict[str, Artefact]) -> str:
    try:
        return claim.render(source, known)
    except artefacts.NothingThere:
        return ""


def lie_in_sentences(true: Case, tally: Tally, step: int = 1) -> None:
    """Change every sentence of every document, one at a time; `step` takes each n-th."""
    content = codec.write(true.card)
    for place in list(texts(content))[::step]:
        stated = artefacts.at(content, place)
        tally.add(
            "sentences",
            f"card {place}",
            named=_card_is_named(true, replaced(content, place, f"{stated} not")),
        )
    judged = codec.write(true.verdict)
    for place in [place for place in texts(judged) if "reason" in place][::step]:
        lied = VerdictDocument.from_json(replaced(judged, place, "All is well"))
        findings = list(checking.check_verdict(lied, true.derived.verdict, lied.evidence))
        tally.add("sentences", f"verdict {place}", named=any(f.problem.place == place for f in findings))
    for path, text in true.derived.texts.items():
        lines = text.split("\n")
        for number in [number for number, line in enumerate(lines) if line.strip()][::step]:
            lied_lines = [*lines[:number], f"{lines[number]} not", *lines[number + 1 :]]
            findings = list(checking.compare(path, "\n".join(lied_lines), text))
            named = [finding.problem.place for finding in findings] == [f"line {number + 1}"]
            tally.add("sentences", f"{path} line {number + 1}", named=named)


def _card_is_named(true: Case, content: Any) -> bool:
    try:
        lied = CardDocument.from_json(content)
    except IntegrityError:
        return True
    return bool(list(checking.check_card(lied, true.known, true.derived.card)))


def texts(content: Any, place: str = "") -> Iterator[str]:
    """The pointer to every text in a JSON value."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from texts(value, place + artefacts.pointer(key))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from texts(value, f"{place}/{index}")
    elif isinstance(content, str):
        yield place


def take_away(root: Path, true: Case, tally: Tally) -> None:
    """Take each artefact away: what used it has a gap, in the new card and in that of a signed version."""
    settings = params.load(root / paths.PARAMS)
    policy = policy_file.load(root / settings.policy.file)
    for path in true.known:
        known = {name: artefact for name, artefact in true.known.items() if name != path}
        stated = CardText() if path == paths.CARD_TEXT.as_posix() else card_text.load(root / paths.CARD_TEXT)
        card = make.make(known, stated, settings.name, settings.policy.as_of, policy)
        for kind, without in (("made", card), ("signed", version_card.without_lost(true.card, known))):
            users = [section.id for section in true.card.sections if _uses(section, path)]
            gaps = {section.id for section in without.sections if check.gaps(section)}
            kept = any(_uses(section, path) for section in without.sections)
            tally.add("taken away", f"{path} ({kind})", named=set(users) <= gaps and not kept)
            for name, text in formats.texts(without, known, carded.LOCK).items():
                shown = "GAP" in text or "Gap" in text
                tally.add("gaps shown", f"{path} ({kind}) in {name}", named=shown)


def _uses(part: Any, path: str) -> bool:
    return any(
        path in sentence.digests if isinstance(sentence, DerivedClaim) else sentence.source.artefact == path
        for _, sentence in check.sentences(part)
        if not isinstance(sentence, Gap)
    )


def false_alarms(folder: Path, random: np.random.Generator, clean: int) -> list[str]:
    """What the check says about projects whose documents are true."""
    alarms: list[str] = []
    for number in range(clean):
        root = carded.write(folder / f"clean-{number}", carded.drawn(random))
        checked = checking.check_folder(root, params.load(root / paths.PARAMS))
        alarms += [] if checked.holds else [f"clean set {number}: {line}" for line in checking.lines(checked)]
    return alarms


def study(folder: Path, seed: int, clean: int = CLEAN, step: int = 1) -> tuple[Tally, list[str]]:
    """The lies that were planted and missed, and the alarms about true documents."""
    random = np.random.default_rng(seed)
    root = carded.write(folder / "true", carded.drawn(random, GROUPS))
    true, tally = case(root), Tally()
    lie_in_numbers(true, tally, step)
    lie_in_sentences(true, tally, step)
    take_away(root, true, tally)
    return tally, false_alarms(folder, random, clean)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m assurance.documents", description=__doc__)
    parser.add_argument("--seed", type=int, help="in place of the fixed and a fresh one")
    parser.add_argument("--clean", type=int, default=CLEAN)
    options = parser.parse_args()
    seeds = [SEED, secrets.randbelow(2**31)] if options.seed is None else [options.seed]
    wrong = 0
    for seed in seeds:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="clearance-assurance-") as folder:
            tally, alarms = study(Path(folder), seed, options.clean)
        short = [kind for kind, least in BARS.items() if tally.planted[kind] < least]
        print(f"seed {seed}: planted {json.dumps(tally.planted)}, not named: {len(tally.misses)}")
        print(
            f"false alarms about {options.clean} clean sets: {len(alarms)}; {time.monotonic() - began:.0f} s"
        )
        print("\n".join([*tally.misses[:20], *alarms[:20], *(f"too few {kind}" for kind in short)]))
        wrong += len(tally.misses) + len(alarms) + len(short)
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
