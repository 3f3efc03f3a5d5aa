"""Everybody tries everything in every state of evidence: what is blocked, found, recorded, let through.

    python -m assurance.unauthorised [--cases 700] [--fresh 100] [--seed 4]

Each case puts one project into a situation, lets one person run one command, and looks past all commands at
the databases. What is legitimate is written down here by hand, and nowhere derived from the code under test.
No news is what somebody may do and did before.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import itertools
import json
import logging
import random
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from clearance import ledger
from clearance.trust import dsse, key_files, signers
from tests.support import governed, judged
from tests.support.governed import CANDIDATES, NAME, Place

ACTORS = ("pipeline", "dan", "vera", "rita", "otto", "ada", "tess", "stranger")
ACTS = ("approve", "reject", "revoke", "override", "promote", "rollback", "retire")
DECIDE, OBJECT = frozenset({"vera", "rita"}), frozenset({"vera", "rita", "tess"})
OPERATE = frozenset({"pipeline", "otto", "tess"})
"""Who may decide on tess's model; who may object to it (she too may); who may move a champion."""

NOBODY: frozenset[str] = frozenset()
Build = Callable[[Place], Any]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A project in a state, and what is legitimate there; whatever is not named must be refused.

    `version` is what the commands are about, `back` what a rollback asks for (default: the same).
    `completes`: whose approval or override, also by the same words again, leaves a complete set.
    `promotes`: it is complete. `returns`: the rollback is legitimate. `reigns`: there is a champion to
    retire. `broken`: the checks of `verify` that must fail. `silent`: who cannot sign any more.
    """

    name: str
    base: str
    build: Build | None = None
    version: int = 1
    approve: frozenset[str] = NOBODY
    override: frozenset[str] = NOBODY
    reject: frozenset[str] = NOBODY
    revoke: frozenset[str] = NOBODY
    completes: frozenset[str] = NOBODY
    promotes: bool = False
    back: int | None = None
    returns: bool = False
    reigns: bool = False
    broken: frozenset[str] = NOBODY
    silent: frozenset[str] = NOBODY

    @property
    def sound(self) -> bool:
        """Whether the ledger is, so that something can be recorded."""
        return "ledger" not in self.broken

    def is_legitimate(self, act: str, who: str) -> bool:
        """Whether this person may do this here."""
        if act in ("promote", "rollback", "retire"):
            right = {"promote": self.promotes, "rollback": self.returns, "retire": self.reigns}[act]
            return right and who in OPERATE
        return who in getattr(self, act)

    def champion_after(self, act: str, who: str, before: int | None) -> int | None:
        """The champion once a legitimate act is done."""
        if act == "retire":
            return None
        if act == "rollback":
            return self.back
        moves = act == "promote" or (act in ("approve", "override") and who in self.completes)
        return self.version if moves else before


def _swap_model(place: Place, version: int) -> None:
    (place.model_folder(version) / "model.skops").write_bytes(judged.trained(9))


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old not in text:
        raise AssertionError(f"{path.name} does not hold {old}")
    path.write_text(text.replace(old, new))


def _bundle(place: Place, version: int) -> Path:
    return place.bundle_file(version)


def _payload(envelope: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(base64.b64decode(envelope["payload"])))


def _edit_bundle(place: Place, version: int) -> None:
    """Another verdict, under the old signature."""
    path = _bundle(place, version)
    envelope = dsse.read(path)
    payload = _payload(envelope)
    payload["predicate"]["judged"]["as_of"] = "2026-11-21"
    envelope["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    path.write_text(json.dumps(envelope))


def _resign_bundle(place: Place, version: int, by: str) -> None:
    """Another verdict, under a new signature."""
    path = _bundle(place, version)
    payload = _payload(dsse.read(path))
    payload["predicate"]["judged"]["as_of"] = "2026-11-21"
    dsse.write(path, place.signed(by, payload))


def _by_hand(place: Place, version: int, kind: str, **changes: Any) -> None:
    """Decisions of vera and rita, signed over something else than what there is, put into the ledger."""
    for who in ("vera", "rita"):
        envelope = place.decision(kind, version, who, **changes)
        place.record(who, _kind(kind), version, envelope)


def _kind(kind: str) -> ledger.EntryKind:
    return ledger.EntryKind.OVERRIDE if kind == "override" else ledger.EntryKind.APPROVAL


def _replay(place: Place) -> None:
    for entry in place.entries("approval"):
        place.record("pipeline", ledger.EntryKind.APPROVAL, 2, entry.body["envelope"])


def _forge_signatures(place: Place) -> None:
    """What vera and rita signed about version 1, turned into a word on version 2."""
    content = place.proposed(2).content
    for entry in place.entries("approval"):
        envelope = dict(entry.body["envelope"])
        payload = _payload(envelope)
        payload["subject"][0]["digest"]["sha256"] = content
        payload["predicate"]["version"] = 2
        envelope["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
        place.record("pipeline", ledger.EntryKind.APPROVAL, 2, envelope)


def _sign_unknown(place: Place) -> None:
    with tempfile.TemporaryDirectory() as folder:
        unknown = signers.signer(key_files.create(Path(folder), "vera").uri)
        for who in ("vera", "rita"):
            payload = _payload(place.decision("approve", 1, who))
            place.record("pipeline", ledger.EntryKind.APPROVAL, 1, dsse.sign(payload, unknown))


def _borrow_names(place: Place) -> None:
    place.record("vera", ledger.EntryKind.APPROVAL, 1, place.decision("approve", 1, "rita", signer="vera"))
    place.record("rita", ledger.EntryKind.APPROVAL, 1, place.decision("approve", 1, "vera", signer="rita"))


def _sign_together(place: Place) -> None:
    envelope = place.decision("approve", 1, "vera")
    countersignature = dsse.countersign(
        envelope, signers.signer(f"file2:{place.root}/.clearance/keys/rita.pem")
    )
    place.record("vera", ledger.EntryKind.APPROVAL, 1, countersignature)


def _override_twice(place: Place) -> None:
    place.hold("override", 3, "vera")
    place.hold("override", 3, "vera")


def _revoke_keys(place: Place) -> None:
    def change(content: dict[str, Any]) -> None:
        for who in ("vera", "rita"):
            content["people"][who]["keys"][0]["revoked"] = {"at": "2026-01-01T00:00:00Z", "why": "lost"}

    place.roles(change)


def _take_roles(place: Place) -> None:
    def change(content: dict[str, Any]) -> None:
        for who in ("vera", "rita"):
            content["people"][who]["roles"] = [{"role": "auditor"}]

    place.roles(change)


def _plant(_place: Place) -> None:
    """A second candidate straight in MLflow, with the model and the tags of the one that serves."""
    client = MlflowClient()
    first = client.get_model_version(CANDIDATES, "1")
    client.create_model_version(CANDIDATES, first.source, first.run_id, tags=dict(first.tags))


def _plant_and_propose(place: Place) -> None:
    """A planted candidate whose evidence an auditor signed and proposed."""
    _plant(place)
    payload = _payload(dsse.read(_bundle(place, 2)))
    dsse.write(_bundle(place, 2), place.signed("ada", payload))
    with place.office("ada") as office:
        first = place.proposed(1)
        body = {"version": 2, "content": first.content, "fingerprint": first.fingerprint, "pushed": False}
        office.record(office.draft(ledger.EntryKind.PROPOSAL, NAME, **body))


def _propose_other(place: Place) -> None:
    with place.office("tess") as office:
        body = {
            "version": 1,
            "content": "e" * 64,
            "fingerprint": place.proposed(1).fingerprint,
            "pushed": False,
        }
        office.record(office.draft(ledger.EntryKind.PROPOSAL, NAME, **body))


def _overtake(place: Place) -> None:
    """Version 1 is agreed to and not promoted; version 2 is."""
    _agree(place, 1)
    place.release(model=1)
    place.agree(2)


def _agree(place: Place, version: int, kind: str = "approve") -> None:
    place.hold(kind, version, "vera").hold(kind, version, "rita")


def _copy_refused(place: Place) -> None:
    """The refused candidate 3 under the model's own name, and the alias on it."""
    MlflowClient().copy_model_version(f"models:/{CANDIDATES}/3", NAME)
    place.move_alias(3)


def _cut_tail(place: Place) -> None:
    last = place.entries()[-1].number
    place.ledger_sql("DELETE FROM clearance_ledger_entries WHERE number = ?", last)


def _ledger(sql: str) -> Build:
    return lambda place: place.ledger_sql(f"{sql} WHERE number = 3")


def _spoil_checkpoint(place: Place) -> None:
    path = place.root / ".clearance/ledger.checkpoints"
    lines = path.read_text().splitlines()
    envelope = json.loads(lines[2])
    payload = _payload(envelope)
    payload["predicate"]["at"] = "2026-01-01T00:00:00.000000Z"
    envelope["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    path.write_text("\n".join([*lines[:2], json.dumps(envelope), *lines[3:]]) + "\n")


def _expired(place: Place) -> None:
    rules = [rule | {"valid_until": "2026-11-22"} for rule in governed.RULES]
    place.release(policy=governed.POLICY | {"rules": rules})


EVIDENCE, LEDGER, ALIAS = (frozenset({name}) for name in ("evidence", "ledger", "alias"))
_FAILED = {"base": "failed", "version": 3, "back": 1, "returns": True, "reigns": True, "reject": OBJECT}
CLEAN = (
    Situation(name="waiting", base="waiting", approve=DECIDE, reject=OBJECT),
    Situation(
        name="half agreed",
        base="half",
        approve=DECIDE,
        completes=frozenset({"rita"}),
        reject=OBJECT,
        revoke=frozenset({"vera"}),
    ),
    Situation(
        name="agreed",
        base="waiting",
        build=partial(_agree, version=1),
        approve=DECIDE,
        completes=DECIDE,
        promotes=True,
        reject=OBJECT,
        revoke=DECIDE,
    ),
    Situation(
        name="serving",
        base="champion",
        approve=DECIDE,
        promotes=True,
        returns=True,
        back=1,
        reigns=True,
        reject=OBJECT,
        revoke=DECIDE,
    ),
    Situation(name="second", base="second", version=2, approve=DECIDE, reject=OBJECT, reigns=True),
    Situation(
        name="second agreed",
        base="second",
        build=partial(_agree, version=2),
        version=2,
        approve=DECIDE,
        completes=DECIDE,
        promotes=True,
        reject=OBJECT,
        revoke=DECIDE,
        reigns=True,
    ),
    Situation(
        name="former champion",
        base="successor",
        approve=DECIDE,
        reject=OBJECT,
        revoke=DECIDE,  # what no longer counts can be taken back all the same
        back=1,
        returns=True,
        reigns=True,
    ),
    Situation(name="failed", override=DECIDE, **_FAILED),
    Situation(
        name="half overridden",
        build=lambda place: place.hold("override", 3, "vera"),
        override=frozenset({"rita"}),
        completes=frozenset({"rita"}),
        revoke=frozenset({"vera"}),
        **_FAILED,
    ),
    Situation(
        name="overridden",
        build=partial(_agree, version=3, kind="override"),
        promotes=True,
        revoke=DECIDE,
        **_FAILED,
    ),
    Situation(name="unsure", override=DECIDE, **_FAILED | {"base": "unsure"}),
    Situation(
        name="rejected",
        base="half",
        build=lambda place: place.hold("reject", 1, "rita"),
        approve=DECIDE,
        reject=OBJECT,
        revoke=DECIDE,
    ),
)


def _spoiled(name: str, spoil: Build, version: int = 1, base: str = "waiting", **more: Any) -> Situation:
    """Agreed to by all who must, then spoiled."""

    def build(place: Place) -> None:
        _agree(place, version)
        spoil(place)

    return Situation(name=name, base=base, build=build, version=version, **more)


SPOILED = (
    _spoiled("model file swapped", partial(_swap_model, version=1), broken=EVIDENCE),
    _spoiled(
        "model file added",
        lambda place: (place.model_folder(1) / "loader.py").write_text("pass"),
        broken=EVIDENCE,
    ),
    _spoiled(
        "model file lost", lambda place: (place.model_folder(1) / "model.skops").unlink(), broken=EVIDENCE
    ),
    _spoiled("bundle edited", partial(_edit_bundle, version=1), broken=EVIDENCE),
    _spoiled("bundle signed anew", partial(_resign_bundle, version=1, by="tess"), broken=EVIDENCE),
    _spoiled("bundle missing", lambda place: _bundle(place, 1).unlink(), broken=EVIDENCE),
    _spoiled(
        "bundle of another version",
        lambda place: _bundle(place, 2).write_bytes(_bundle(place, 1).read_bytes()),
        version=2,
        base="second",
        reigns=True,
        broken=EVIDENCE,
    ),
    _spoiled(
        "verdict edited",
        lambda place: _edit(place.run_folder(1) / "reports/verdict.json", '"pass"', '"fail"'),
        broken=EVIDENCE,
    ),
    _spoiled(
        "report missing",
        lambda place: (place.run_folder(1) / "reports/fairness.json").unlink(),
        broken=EVIDENCE,
    ),
    _spoiled("proposed twice", _propose_other, broken=EVIDENCE),
    _spoiled(
        "another policy authorised",
        lambda place: _edit(place.root / "policies/test.yaml", "version: '3'", "version: '4'"),
        reject=OBJECT,
        revoke=DECIDE,
    ),
    _spoiled("keys revoked", _revoke_keys, silent=DECIDE, reject=frozenset({"tess"})),
    _spoiled(
        "ledger row edited", _ledger("UPDATE clearance_ledger_entries SET actor = 'vera'"), broken=LEDGER
    ),
    _spoiled("ledger row deleted", _ledger("DELETE FROM clearance_ledger_entries"), broken=LEDGER),
    _spoiled("ledger's tail cut", _cut_tail, broken=LEDGER),
    _spoiled(
        "checkpoints removed",
        lambda place: (place.root / ".clearance/ledger.checkpoints").unlink(),
        broken=LEDGER,
    ),
    _spoiled("checkpoint edited", _spoil_checkpoint, broken=LEDGER),
)
_FORGED = {"base": "second", "version": 2, "approve": DECIDE, "reject": OBJECT, "reigns": True}
_OPEN = {"base": "waiting", "approve": DECIDE, "reject": OBJECT}
FORGED = (
    Situation(name="replayed approvals", build=_replay, revoke=DECIDE, **_FORGED),
    Situation(name="approvals edited after signing", build=_forge_signatures, **_FORGED),
    Situation(
        name="forged digest",
        build=partial(_by_hand, version=1, kind="approve", content="e" * 64),
        revoke=DECIDE,
        **_OPEN,
    ),
    Situation(
        name="foreign model",
        build=partial(_by_hand, version=1, kind="approve", model="other"),
        revoke=DECIDE,
        **_OPEN,
    ),
    Situation(
        name="foreign policy",
        build=partial(_by_hand, version=1, kind="approve", policy="mild"),
        revoke=DECIDE,
        **_OPEN,
    ),
    Situation(
        name="foreign champion",
        build=partial(_by_hand, version=1, kind="approve", champion="c" * 64),
        revoke=DECIDE,
        **_OPEN,
    ),
    Situation(name="unknown key", build=_sign_unknown, **_OPEN),
    Situation(name="borrowed names", build=_borrow_names, **_OPEN),
    Situation(name="two keys on one approval", build=_sign_together, **_OPEN),
    Situation(
        name="approved by its trainer",
        build=lambda place: [place.decide("approve", 1, "tess") for _ in range(2)],
        revoke=frozenset({"tess"}),
        **_OPEN,
    ),
    Situation(
        name="approvals of a failed verdict",
        build=partial(_agree, version=3),
        override=DECIDE,
        revoke=DECIDE,
        **_FAILED,
    ),
    Situation(
        name="overrides that ended",
        build=partial(_by_hand, version=3, kind="override", until=dt.timedelta(microseconds=1)),
        override=DECIDE,
        revoke=DECIDE,
        **_FAILED,
    ),
    Situation(
        name="overrides without measure",
        build=partial(_by_hand, version=3, kind="override", until=dt.timedelta(days=60)),
        override=DECIDE,
        revoke=DECIDE,
        **_FAILED,
    ),
    Situation(
        name="overridden twice by one",
        build=_override_twice,
        override=frozenset({"rita"}),
        completes=frozenset({"rita"}),
        revoke=frozenset({"vera"}),
        **_FAILED,
    ),
    Situation(
        name="a tag that says pass",
        build=lambda place: place.sql(
            "UPDATE model_version_tags SET value = 'pass' WHERE key = 'clearance.verdict'"
        ),
        override=DECIDE,
        **_FAILED,
    ),
    Situation(name="policy expired", base="judged", build=_expired, override=DECIDE, reject=OBJECT),
    Situation(
        name="another champion since",
        base="waiting",
        build=_overtake,
        approve=DECIDE,
        reject=OBJECT,
        revoke=DECIDE,
        reigns=True,
    ),
    Situation(name="roles taken away before", base="waiting", build=_take_roles, reject=frozenset({"tess"})),
    Situation(name="never proposed", base="champion", build=_plant, version=2, reigns=True, broken=EVIDENCE),
    Situation(
        name="proposed by an auditor",
        base="champion",
        build=_plant_and_propose,
        version=2,
        reigns=True,
        broken=EVIDENCE,
    ),
    Situation(
        name="alias moved",
        base="successor",
        revoke=DECIDE,
        build=lambda place: place.move_alias(1),
        approve=DECIDE,
        reject=OBJECT,
        back=2,
        returns=True,
        reigns=True,
        broken=ALIAS,
    ),
    Situation(
        name="alias removed",
        base="champion",
        build=lambda place: place.sql("DELETE FROM registered_model_aliases"),
        reject=OBJECT,
        revoke=DECIDE,
        back=1,
        returns=True,
        reigns=True,
        broken=ALIAS,
    ),
    Situation(name="alias on a refused model", build=_copy_refused, override=DECIDE, broken=ALIAS, **_FAILED),
)
SITUATIONS = (*CLEAN, *SPOILED, *FORGED)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One person, one act, one situation; `move` is the alias moved in MLflow's own database, by anybody."""

    situation: Situation
    act: str
    who: str

    def __str__(self) -> str:
        return f"{self.situation.name}: {self.act} by {self.who}"


def cases() -> list[Case]:
    """The whole matrix."""
    decisions = [
        Case(situation=situation, act=act, who=who)
        for situation, act, who in itertools.product(SITUATIONS, ACTS, ACTORS)
    ]
    moves = [Case(situation=situation, act="move", who="anybody") for situation in SITUATIONS]
    return decisions + moves


def act(place: Place, case: Case) -> governed.Done:
    """Let the person do it, by the command."""
    version, who, back = case.situation.version, case.who, case.situation.back
    if case.act == "promote":
        return place.promote(version, who)
    if case.act == "rollback":
        return place.roll_back(back or version, who)
    if case.act == "retire":
        return place.retire(who)
    return place.decide(case.act, version, who, days=7 if case.act == "override" else None)


def move(place: Place) -> None:
    """Move the alias in the database itself, to a version planted there if there is none."""
    before, there = place.alias(), place.sql("SELECT version FROM model_versions WHERE name = ?", NAME)
    others = [int(row[0]) for row in there if int(row[0]) != before]
    if others:
        place.move_alias(others[0])
    elif before is not None:
        place.sql("DELETE FROM registered_model_aliases")
    else:
        MlflowClient().copy_model_version(f"models:/{CANDIDATES}/1", NAME)
        place.move_alias(1)


def judge(place: Place, case: Case) -> Iterator[str]:
    """What came of a case: `blocked`, `found`, `recorded`, `let through`; or what is wrong."""
    situation = case.situation
    if situation.build:
        place.make(f"case {situation.name}", situation.base, situation.build)
    else:
        place.put(situation.base)
    if case.act == "move":
        move(place)
        problems = place.broken(situation.version)
        yield "found" if situation.broken - ALIAS <= problems and _tells(place, problems) else "missed"
        return
    before, count = (place.told(), place.alias()), len(place.entries())
    outcome = act(place, case)
    after, entries = (place.told(), place.alias()), place.entries()
    if situation.is_legitimate(case.act, case.who):
        expectation = situation.champion_after(case.act, case.who, before[0])
        may_move = expectation != before[0] or case.act in ("promote", "rollback", "retire")
        # candidates and copies have the same numbers here, but for what an attacker pointed the alias at
        right = outcome.code == 0 and after == ((expectation, expectation) if may_move else before)
        yield "let through" if right else "refused"
    else:
        yield "blocked" if outcome.code != 0 and after == before else "moved"
        if situation.broken:
            yield "found" if situation.broken <= place.broken(situation.version) else "missed"
    hands = {case.who, *(["pipeline"] if case.act in ("approve", "override") else [])}  # it promotes for them
    if any(entry.actor in hands for entry in entries[count:]):
        yield "recorded"
    elif case.who == "stranger" or case.who in situation.silent or not situation.sound:
        yield "has no key" if situation.sound else "has no ledger"
    else:
        yield "is no news" if situation.is_legitimate(case.act, case.who) else "unrecorded"


def _tells(place: Place, problems: set[str]) -> bool:
    """Whether the alias is told, or is where the ledger says after all."""
    return "alias" in problems or place.alias() == place.told()


WRONG = ("moved", "missed", "refused", "unrecorded")


def run(count: int | None, seed: int, home: Path) -> dict[str, Any]:
    """Try `count` cases of the matrix, drawn with `seed` (None: all of it), in a project below `home`."""
    matrix = cases()
    if count is not None:
        matrix = random.Random(seed).sample(matrix, min(count, len(matrix)))  # noqa: S311
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        place = Place(home).enter(patch)
        for case in matrix:
            for outcome in judge(place, case):
                tally[outcome] += 1
                if outcome in WRONG:
                    wrong.append(f"{outcome}: {case}")
                    sys.stderr.write(f"  {wrong[-1]}\n")
    return {
        "seed": seed,
        "cases": len(matrix),
        **{name: tally[name] for name in sorted({*tally, *WRONG})},
        "wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=700, help="0: the whole matrix")
    parser.add_argument("--fresh", type=int, default=100)
    parser.add_argument("--seed", type=int, default=4)
    options = parser.parse_args()
    logging.getLogger("tasks").setLevel(logging.CRITICAL)
    fresh = secrets.randbelow(2**32)
    wrong = 0
    for count, seed in ((options.cases or None, options.seed), (options.fresh, fresh)):
        with tempfile.TemporaryDirectory() as home:
            counts = run(count, seed, Path(home).resolve())
        wrong += len(counts.pop("wrong"))
        print(", ".join(f"{name} {value}" for name, value in counts.items()), flush=True)
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
