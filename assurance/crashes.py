"""`kill -9` before and after every side effect of release, approval, promotion, rollback and retirement.

    python -m assurance.crashes [--seed 1 --seed 2 --seed 3]

A child is forked from this warm process, runs one command and kills itself at a moment; the same command is
run again. What the databases and folders hold then must be what one uninterrupted run leaves. The seed says
in which cases, and where, the second run is killed too.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.store.model_registry import sqlalchemy_store as registry_store
from mlflow.store.tracking import sqlalchemy_store as tracking_store

from clearance import files as artifacts
from clearance.ledger import checkpoint_files
from tasks import release as release_task
from tests.support.governed import Done, Place

WRITES = (
    "create_registered_model",
    "create_model_version",
    "delete_model_version",
    "copy_model_version",
    "set_registered_model_alias",
    "delete_registered_model_alias",
    "log_artifact",
    "set_tag",
    "set_model_version_tag",
    "update_model_version",
)
"""What a client of MLflow can be asked to change by these commands."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """A command that somebody runs, in the state that the acts before it leave."""

    name: str
    run: Callable[[Place], Done]


STORY = (
    Act(name="release", run=lambda place: place.run(release_task.main, by="tess")),
    Act(name="approve", run=lambda place: place.decide("approve", 2, "vera")),
    Act(name="reject", run=lambda place: place.decide("reject", 2, "rita")),
    Act(name="revoke", run=lambda place: place.decide("revoke", 2, "rita")),
    Act(name="approve and promote", run=lambda place: place.decide("approve", 2, "rita")),
    Act(name="roll back", run=lambda place: place.roll_back()),
    Act(name="retire", run=lambda place: place.retire()),
)


def tracked(place: Place) -> None:
    """Version 1 serves; another model is judged and tracked."""
    place.judge(model=1)


def effects(place: Place, act: Act) -> list[str]:
    """The side effects of an act, in order, by name; the project is left as the act leaves it."""
    file, names = place.root.parent / "effects.json", []

    def moment(name: str, after: bool) -> None:
        if not after:
            names.append(name)

    code = in_child(place, act, moment, lambda: file.write_text(json.dumps(names)))
    if code != 0:
        raise AssertionError(f"{act.name} fails without a kill: {code}")
    return list(json.loads(file.read_text()))


Moment = Callable[[str, bool], None]
"""Told before (False) and after (True) each side effect, with its name."""


def kill_at(number: int) -> Moment:
    """Die at the moment with this number: even ones lie before, odd ones after a side effect."""
    count = 0

    def moment(_name: str, _after: bool) -> None:
        nonlocal count
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    return moment


def in_child(place: Place, act: Act, moment: Moment | None, last: Callable[[], Any] | None = None) -> int:
    """Run the act in a forked child; its exit code, negative for the signal that ended it."""
    _disconnect()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _live(place, act, moment, last)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _live(place: Place, act: Act, moment: Moment | None, last: Callable[[], Any] | None) -> NoReturn:
    code = 99
    try:
        if moment is not None:
            _hook(moment, place.root)
        outcome = act.run(place)
        code = outcome.code
        if code:
            sys.stderr.write(f"{act.name}: {outcome.said}\n")
        if last is not None:
            last()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _disconnect() -> None:
    """Close every pooled connection: none of SQLite's may be carried into a child."""
    for store in (tracking_store.SqlAlchemyStore, registry_store.SqlAlchemyStore):
        for engine in store._engine_map.values():
            engine.dispose()


def _hook(moment: Moment, root: Path) -> None:
    """Have the child tell of each of its side effects. The process is thrown away afterwards."""
    for name in WRITES:
        _wrap(MlflowClient, name, f"mlflow {name}", moment)
    _wrap(checkpoint_files, "write", "ledger checkpoint", moment)
    write_text = artifacts.write_text

    def write(path: Path, text: str) -> None:
        if not path.is_relative_to(root):  # what was fetched for a while changes nothing
            write_text(path, text)
            return
        moment(f"file {path.name}", False)
        write_text(path, text)
        moment(f"file {path.name}", True)

    artifacts.write_text = write
    execute = sa.Connection.exec_driver_sql

    def commit(self: sa.Connection, statement: str, *arguments: Any) -> Any:
        if statement != "COMMIT":
            return execute(self, statement, *arguments)
        moment("ledger commit", False)
        result = execute(self, statement, *arguments)
        moment("ledger commit", True)
        return result

    sa.Connection.exec_driver_sql = commit  # type: ignore[method-assign]


def _wrap(owner: Any, name: str, label: str, moment: Moment) -> None:
    original = getattr(owner, name)

    def write(*arguments: Any, **options: Any) -> Any:
        moment(label, False)
        result = original(*arguments, **options)
        moment(label, True)
        return result

    setattr(owner, name, write)


def world(place: Place) -> dict[str, Any]:
    """What a run leaves: the registry without ids and times, entries without given-up intents, files."""
    entries = place.entries()
    given_up = {entry.body["intent"] for entry in entries if entry.kind == "repair"}
    volatile = ("intent", "envelope")
    lasting = [entry for entry in entries if entry.kind != "repair" and entry.number not in given_up]
    files = [*(place.root / ".clearance/evidence").glob("*"), *place.run_folder(2).rglob("*")]
    tags = "SELECT name, version, key, value FROM model_version_tags WHERE key != 'clearance.model.id'"
    return {
        "models": sorted(place.sql("SELECT name FROM registered_models")),
        "versions": sorted(place.sql("SELECT name, version, current_stage FROM model_versions")),
        "tags": sorted(place.sql(tags)),
        "aliases": sorted(place.sql("SELECT name, alias, version FROM registered_model_aliases")),
        "entries": [
            (
                entry.kind,
                entry.actor,
                {key: value for key, value in entry.body.items() if key not in volatile},
            )
            for entry in lasting
        ],
        "files": sorted((path.name, artifacts.sha256(path)) for path in files if path.is_file()),
    }


@dataclass(frozen=True, kw_only=True)
class Uninterrupted:
    """An act, the state before it, its side effects, and what it leaves when nobody kills it."""

    act: Act
    before: str
    effects: Sequence[str]
    leaves: dict[str, Any]


def rehearse(place: Place) -> Iterator[Uninterrupted]:
    """Run the story once, and keep the state before each act."""
    place.make("crash: tracked", "champion", tracked)
    before = "crash: tracked"
    for act in STORY:
        place.put(before)
        names = effects(place, act)
        leaves = world_of(place)
        yield Uninterrupted(act=act, before=before, effects=names, leaves=leaves)
        before = f"crash: {act.name}"
        place.save(before)


def world_of(place: Place) -> dict[str, Any]:
    """`world`, as it is compared."""
    return dict(json.loads(json.dumps(world(place))))


def judge(place: Place, rehearsal: Uninterrupted, moments: Sequence[int]) -> tuple[int, list[str]]:
    """Kill the act at each of the moments in turn, run it once more: how often it died, and what is wrong."""
    place.put(rehearsal.before)
    kills = 0
    for moment in moments:
        code = in_child(place, rehearsal.act, kill_at(moment))
        if code != -signal.SIGKILL:
            break  # what is left to do has fewer side effects
        kills += 1
    code = in_child(place, rehearsal.act, None)
    return kills, list(_wrong(place, rehearsal, code))


def _wrong(place: Place, rehearsal: Uninterrupted, code: int) -> Iterator[str]:
    if code != 0:
        yield f"not recovered: exit code {code}"
    world = world_of(place)
    expectation = Counter(json.dumps(entry) for entry in rehearsal.leaves["entries"])
    there = Counter(json.dumps(entry) for entry in world["entries"])
    if missing := expectation - there:
        yield f"lost: {', '.join(missing)}"
    if doubled := there - expectation:
        yield f"doubled: {', '.join(doubled)}"
    if place.told() != place.alias():
        yield f"half-promoted: the ledger says {place.told()}, the alias {place.alias()}"
    for name in ("models", "versions", "tags", "aliases", "files"):
        if world[name] != rehearsal.leaves[name]:
            yield f"other {name}"
    for name, check in place.verify(2).items():
        if not check.holds and name in ("ledger", "alias", "evidence", "copy"):
            yield f"verify: {check}"


def plan(story: Sequence[Uninterrupted], seed: int) -> list[tuple[Uninterrupted, list[int]]]:
    """Every moment of every act; in a third of the cases, drawn with `seed`, the repetition is killed too."""
    random_ = random.Random(seed)  # noqa: S311
    cases = []
    for rehearsal in story:
        for moment in range(2 * len(rehearsal.effects)):
            second = [random_.randrange(2 * len(rehearsal.effects))] if random_.random() < 1 / 3 else []
            cases.append((rehearsal, [moment, *second]))
    return cases


def run(seeds: Sequence[int], home: Path, most: int | None = None) -> dict[str, Any]:
    """Kill at every moment for each seed (or at `most` of them), in a project below `home`."""
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        place = Place(home).enter(patch)
        story = list(rehearse(place))
        for seed in seeds:
            cases = plan(story, seed)
            if most is not None:
                cases = random.Random(seed).sample(cases, min(most, len(cases)))  # noqa: S311
            for rehearsal, moments in cases:
                kills, faults = judge(place, rehearsal, moments)
                tally["cases"] += 1
                tally["kills"] += kills
                tally["recovered"] += not faults
                for fault in faults:
                    tally[fault.partition(":")[0]] += 1
                    at = rehearsal.effects[moments[0] // 2]
                    side = "after" if moments[0] % 2 else "before"
                    wrong.append(f"{rehearsal.act.name}, killed {side} {at} ({moments}): {fault}")
                    sys.stderr.write(f"  {wrong[-1]}\n")
    effects = {rehearsal.act.name: list(rehearsal.effects) for rehearsal in story}
    counts = {
        name: tally[name] for name in ("cases", "kills", "recovered", "lost", "doubled", "half-promoted")
    }
    return {"seeds": list(seeds), **counts, "wrong": wrong, "effects": effects}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, action="append", default=[])
    parser.add_argument("--most", type=int, help="cases a seed; default: all")
    options = parser.parse_args()
    logging.getLogger("tasks").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as home:
        report = run(options.seed or [1, 2, 3], Path(home).resolve(), options.most)
    for act, names in report.pop("effects").items():
        print(f"{act}: {len(names)} side effects: {', '.join(names)}")
    wrong = report.pop("wrong")
    print(f"{len(wrong)} wrong; " + ", ".join(f"{name} {value}" for name, value in report.items()))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
