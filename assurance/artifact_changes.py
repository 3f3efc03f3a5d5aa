"""Single changes to a judged project: every artefact in every way, and those that harm nothing.

A change knows how it is made, never what comes of it. All randomness comes from the seed and its name.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from tests.support import judged

HARMLESS = "harmless"
MODEL = "models/trained/model.skops"


@dataclass(frozen=True)
class Ground:
    """The project, an empty folder outside it, and what is undone afterwards."""

    root: Path
    outside: Path
    patch: pytest.MonkeyPatch


Make = Callable[[Ground, Random], None]
Way = Callable[[Path, Ground, Random], None]


@dataclass(frozen=True)
class Change:
    """`kind` is the artefact that is changed, or HARMLESS; `of_model`: the project's model file is."""

    name: str
    kind: str
    make: Make
    of_model: bool = False


def random(seed: int, name: str) -> Random:
    return Random(f"{seed}/{name}")  # noqa: S311 - which bit is flipped is no secret


FILES = {
    "data/source/table.csv": "data",
    "data/origin.json": "data",
    "data/prepared/features.parquet": "data",
    "data/prepared/label.parquet": "data",
    MODEL: "model",
    **{
        f"reports/{name}": "reports"
        for name in ("split.json", "validation_raw.json", "validation_prepared.json", "training.json")
    },
    **{f"reports/{name}": "reports" for name in ("performance.json", "fairness.json", "explanation.json")},
    "reports/figures/roc.svg": "reports",
    "reports/verdict.json": "reports",
    "policies/test.yaml": "policy",
    "requirements.lock": "environment",
}
INPUTS = ("data/source/table.csv", "policies/test.yaml", "requirements.lock")
FOLDERS = {
    "data/source": "data",
    "data/prepared": "data",
    "models/trained": "model",
    "reports/figures": "reports",
}


def _write(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def _flipped(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << random.randrange(8))]) + content[at + 1 :]


def _flip(path: Path, _: Ground, random: Random) -> None:
    _write(path, _flipped(path.read_bytes(), random))


def _flip_in_place(path: Path, _: Ground, random: Random) -> None:
    """Size, inode and times are kept: DVC takes the file as unchanged."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(_flipped(path.read_bytes(), random))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _flip_at_its_time(path: Path, _: Ground, random: Random) -> None:
    before = path.stat()
    _write(path, _flipped(path.read_bytes(), random))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _flip_protected(path: Path, _: Ground, random: Random) -> None:
    _write(path, _flipped(path.read_bytes(), random))
    path.chmod(0o444)


def _cut(path: Path, _: Ground, random: Random) -> None:
    _write(path, path.read_bytes()[: -random.randint(1, min(8, path.stat().st_size))])


def _append(path: Path, _: Ground, random: Random) -> None:
    _write(path, path.read_bytes() + random.choice([b" ", b"\n", b"\0", b"# more\n"]))


def _prepend(path: Path, _: Ground, random: Random) -> None:
    _write(path, random.choice([b" ", b"\n", b"\xef\xbb\xbf"]) + path.read_bytes())


def _zeros(path: Path, _: Ground, __: Random) -> None:
    _write(path, bytes(path.stat().st_size))


def _other(path: Path, random: Random) -> bytes:
    """What the file might hold for another model: as long, as well formed."""
    content = path.read_bytes()
    if path.name == "model.skops":
        return judged.trained(1)
    digits = [match.start() for match in re.finditer(rb"[0-8]", content)]
    if not digits:
        return content.swapcase()
    at = random.choice(digits)
    return content[:at] + bytes([content[at] + 1]) + content[at + 1 :]


def _another(path: Path, _: Ground, random: Random) -> None:
    _write(path, _other(path, random))


def _missing(path: Path, _: Ground, __: Random) -> None:
    path.unlink()


def _folder(path: Path, _: Ground, __: Random) -> None:
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / path.name).write_bytes(content)


def _pipe(path: Path, _: Ground, __: Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _dead_link(path: Path, ground: Ground, _: Random) -> None:
    path.unlink()
    path.symlink_to(ground.outside / "nothing")


def _link_to_another(path: Path, ground: Ground, random: Random) -> None:
    (ground.outside / path.name).write_bytes(_other(path, random))
    path.unlink()
    path.symlink_to(ground.outside / path.name)


def _link_to_equal(path: Path, ground: Ground, _: Random) -> None:
    shutil.move(path, ground.outside / path.name)
    path.symlink_to(ground.outside / path.name)


def _link_within(path: Path, ground: Ground, _: Random) -> None:
    shutil.move(path, ground.root / "aside")
    path.symlink_to(ground.root / "aside")


def _hard_link_to_another(path: Path, ground: Ground, random: Random) -> None:
    (ground.outside / path.name).write_bytes(_other(path, random))
    path.unlink()
    path.hardlink_to(ground.outside / path.name)


CONTENTS: dict[str, Way] = {
    "a bit": _flip,
    "a bit, in place at its time": _flip_in_place,
    "a bit, at its time": _flip_at_its_time,
    "a bit, protected": _flip_protected,
    "cut": _cut,
    "empty": lambda path, _, __: _write(path, b""),
    "zeros": _zeros,
    "longer": _append,
    "longer in front": _prepend,
    "another's": _another,
    "missing": _missing,
    "a folder": _folder,
    "a pipe": _pipe,
    "a dead link": _dead_link,
    "a link to another's": _link_to_another,
    "a hard link to another's": _hard_link_to_another,
}
LINKS: dict[str, Way] = {"a link to its like": _link_to_equal, "a link within": _link_within}


def _first(folder: Path) -> Path:
    return min(path for path in folder.iterdir() if path.is_file())


def _extra(name: str, content: bytes = b"x") -> Way:
    def way(folder: Path, _: Ground, __: Random) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return way


def _extra_link(target: str) -> Way:
    def way(folder: Path, ground: Ground, _: Random) -> None:
        (ground.outside / "folder").mkdir()
        (ground.outside / "folder/file").write_text("x")
        (folder / "link").symlink_to(ground.outside / target)

    return way


def _folder_elsewhere(folder: Path, ground: Ground, _: Random) -> None:
    shutil.move(folder, ground.outside / "moved")
    folder.symlink_to(ground.outside / "moved")


def _other_folder(folder: Path, ground: Ground, random: Random) -> None:
    _folder_elsewhere(folder, ground, random)
    _another(_first(ground.outside / "moved"), ground, random)


def _as_file(folder: Path, _: Ground, __: Random) -> None:
    content = _first(folder).read_bytes()
    shutil.rmtree(folder)
    folder.write_bytes(content)


def _renamed(to: Callable[[str], str]) -> Way:
    def way(folder: Path, _: Ground, __: Random) -> None:
        path = _first(folder)
        path.rename(folder / to(path.name))

    return way


SHAPES: dict[str, Way] = {
    "one file more": _extra("loader.py"),
    "an empty file more": _extra("more", b""),
    "a hidden file more": _extra(".more"),
    "a file in a folder more": _extra("code/__init__.py"),
    "a link to a file more": _extra_link("folder/file"),
    "a link to a folder more": _extra_link("folder"),
    "a dead link more": _extra_link("nothing"),
    "a pipe more": lambda folder, _, __: os.mkfifo(folder / "pipe"),
    "another name": _renamed(lambda name: f"{name}.old"),
    "a name in capitals": _renamed(str.upper),
    "a file twice": lambda folder, _, __: shutil.copy(_first(folder), folder / "twice") and None,
    "emptied": lambda folder, _, __: [path.unlink() for path in folder.iterdir()] and None,
    "gone": lambda folder, _, __: shutil.rmtree(folder),
    "a file": _as_file,
    "a link to another": _other_folder,
}
OUT_SHAPES: dict[str, Way] = {
    "a file more that DVC ignores elsewhere": _extra("x.part"),
    "a link to its like": _folder_elsewhere,
}


def _at(path: str, way: Way) -> Make:
    return lambda ground, random: way(ground.root / path, ground, random)


def _edited(file: str, change: Callable[[Any], Any]) -> Make:
    """The YAML file with a change to what it says."""

    def make(ground: Ground, _: Random) -> None:
        data = yaml.safe_load((ground.root / file).read_text())
        change(data)
        (ground.root / file).write_text(yaml.safe_dump(data, sort_keys=False))

    return make


def _text(file: str, change: Callable[[str], str]) -> Make:
    def make(ground: Ground, _: Random) -> None:
        text = (ground.root / file).read_text()
        (ground.root / file).write_text(replacement := change(text), newline="")
        assert replacement != text, file  # noqa: S101

    return make


Named = Iterator[tuple[str, Make]]


def _broken(file: str) -> Named:
    """What befalls a record as a whole."""
    yield "empty", _text(file, lambda _: "")
    yield "no YAML", _text(file, lambda text: f"{text}\n<<<<<<< theirs: [\n")
    yield "a list", _text(file, lambda _: "- a\n")
    yield "a key twice", _text(file, lambda text: f"{text}{text.splitlines()[0]} again\n")
    yield "missing", _at(file, _missing)
    yield "a folder", _at(file, _folder)
    yield "no text", lambda ground, _: _write(ground.root / file, b"\xff\xfe\x00") and None


def _entries() -> Iterator[tuple[str, str, int]]:
    for stage, of in judged.GRAPH.items():
        yield from ((stage, "deps", at) for at in range(len(of.get("deps", []))))
        outs = len(of.get("outs", [])) + len(of.get("metrics", []))
        yield from ((stage, "outs", at) for at in range(outs))


ENTRY: dict[str, Callable[[list[Any], int], Any]] = {
    "md5": lambda entries, at: entries[at].update(md5="0" * 32),
    "md5 in capitals": lambda entries, at: entries[at].update(md5=entries[at]["md5"].upper() + "A"),
    "size": lambda entries, at: entries[at].update(size=entries[at]["size"] + 1),
    "files": lambda entries, at: entries[at].update(nfiles=entries[at].get("nfiles", 0) + 1),
    "kind of digest": lambda entries, at: entries[at].update(hash="sha256"),
    "path": lambda entries, at: entries[at].update(path=f"{entries[at]['path']}x"),
    "a key more": lambda entries, at: entries[at].update(remote="elsewhere"),
    "gone": lambda entries, at: entries.pop(at),
    "twice, once wrong": lambda entries, at: entries.append(entries[at] | {"md5": "1" * 32}),
}


def _lock() -> Named:
    yield from _broken("dvc.lock")
    yield "another schema", _edited("dvc.lock", lambda lock: lock.update(schema="3.0"))
    yield "no schema", _edited("dvc.lock", lambda lock: lock.pop("schema"))
    for stage, side, at in _entries():
        for name, change in ENTRY.items():

            def edit(lock: Any, stage=stage, side=side, at=at, change=change) -> None:  # type: ignore[no-untyped-def]
                change(lock["stages"][stage][side], at)

            yield f"{stage} {side} {at}: {name}", _edited("dvc.lock", edit)
    for stage, of in judged.GRAPH.items():
        yield from _lock_stage(stage, of.get("params", []))


def _lock_stage(stage: str, params: list[str]) -> Named:
    def at(change: Callable[[Any], Any]) -> Make:
        return _edited("dvc.lock", lambda lock: change(lock["stages"][stage]))

    yield f"{stage}: command", at(lambda entry: entry.update(cmd="true"))
    yield f"{stage}: commands", at(lambda entry: entry.update(cmd=[entry["cmd"]]))
    yield f"{stage}: gone", _edited("dvc.lock", lambda lock: lock["stages"].pop(stage))
    yield f"{stage}: a key more", at(lambda entry: entry.update(frozen=True))
    more = {"params.yaml": {"experiment": "governance-demo"}}
    yield f"{stage}: a parameter more", at(lambda entry: entry.setdefault("params", {}).update(more))
    for name in params:

        def value(entry: Any, name: str = name) -> None:
            entry["params"]["params.yaml"][name] = "another"

        def gone(entry: Any, name: str = name) -> None:
            del entry["params"]["params.yaml"][name]

        yield f"{stage}: parameter {name}", at(value)
        yield f"{stage}: parameter {name} gone", at(gone)


def _graph() -> Named:
    yield from _broken("dvc.yaml")
    yield "variables", _edited("dvc.yaml", lambda graph: graph.update(vars=[{"policy": {"file": "x"}}]))
    for stage, of in judged.GRAPH.items():
        for name, change in _stage_changes(of):

            def edit(graph: Any, stage=stage, change=change) -> None:  # type: ignore[no-untyped-def]
                change(graph["stages"], stage)

            yield f"{stage}: {name}", _edited("dvc.yaml", edit)


def _stage_changes(of: dict[str, Any]) -> Iterator[tuple[str, Callable[[Any, str], Any]]]:
    def with_options(**options: Any) -> Callable[[Any, str], None]:
        def change(stages: Any, name: str) -> None:
            outs = stages[name]["outs"]
            outs[0] = {outs[0]: options}

        return change

    yield "command", lambda stages, name: stages[name].update(cmd="true another")
    yield "an input more", lambda stages, name: stages[name]["deps"].append("params.yaml")
    yield "an input less", lambda stages, name: stages[name]["deps"].pop()
    yield (
        "another input",
        lambda stages, name: stages[name]["deps"].__setitem__(0, "policies/authorised.yaml"),
    )
    yield "an output more", lambda stages, name: stages[name]["outs"].append("reports/more.json")
    yield "an output less", lambda stages, name: stages[name]["outs"].pop()
    yield "an output not kept", with_options(cache=False)
    yield "an output not pushed", with_options(push=False)
    yield "an output sent elsewhere", with_options(remote="elsewhere")
    yield "a folder of its own", lambda stages, name: stages[name].update(wdir="policies")
    yield "frozen", lambda stages, name: stages[name].update(frozen=True)
    yield "a parameter more", lambda stages, name: stages[name].setdefault("params", []).append("experiment")
    yield "another name", lambda stages, name: stages.update({f"{name}_": stages.pop(name)})
    yield "gone", lambda stages, name: stages.pop(name)
    if of.get("params"):
        yield "a parameter less", lambda stages, name: stages[name]["params"].pop()


READ = ("name", "seed", "source", "data", "train", "policy", "overrides", "experiment")


def _leaves(value: Any, *way: str) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, *way, key)
    else:
        yield way


def _params() -> Named:
    yield from _broken("params.yaml")
    for top in READ:
        for way in _leaves(judged.PARAMS[top], top):
            for name, change in _leaf_changes(way).items():
                yield f"{'.'.join(way)}: {name}", _edited("params.yaml", change)
    for top in ("source", "data", "train", "policy"):
        yield f"{top}: a key more", _edited("params.yaml", lambda data, top=top: data[top].update(more=1))


def _leaf_changes(way: tuple[str, ...]) -> dict[str, Callable[[Any], None]]:
    def at(data: Any) -> Any:
        for key in way[:-1]:
            data = data[key]
        return data

    def another(data: Any) -> None:
        value = at(data)[way[-1]]
        if isinstance(value, int | float):
            at(data)[way[-1]] = value + 1
        else:
            at(data)[way[-1]] = [*value, "x"] if isinstance(value, list) else "x"

    def as_list(data: Any) -> None:
        at(data)[way[-1]] = [at(data)[way[-1]]]

    def gone(data: Any) -> None:
        del at(data)[way[-1]]

    return {"another value": another, "a list": as_list, "gone": gone}


def _authorised() -> Named:
    file = "policies/authorised.yaml"
    mild = "{models: {loan-approval: {policy: %s}}}"
    for name, text in {
        "another policy": mild % "policies/mild.yaml",
        "a policy that is not there": mild % "policies/none.yaml",
        "a folder for a policy": mild % "policies",
        "no policy": mild % "null",
        "another model": "{models: {loan-approvals: {policy: policies/test.yaml}}}",
        "no model": "{models: {}}",
        "a key more": mild % "policies/test.yaml, unless: never",
    }.items():

        def make(ground: Ground, _: Random, text: str = text) -> None:
            lenient = (ground.root / "policies/test.yaml").read_text().replace("0.1", "0.9")
            (ground.root / "policies/mild.yaml").write_text(lenient)
            (ground.root / file).write_text(text)

        yield f"authorised: {name}", make
    yield from ((f"authorised: {name}", make) for name, make in _broken(file))
    for name, text in {
        "a type more": "[{type: os.system, reason: handy}]",
        "two types more": "[{type: builtins.eval, reason: a}, {type: builtins.exec, reason: b}]",
        "no list": "types: all",
        "no reason": "[{type: os.system}]",
        "everything": "[{type: 'os.*', reason: all}]",
    }.items():

        def types(ground: Ground, _: Random, text: str = text) -> None:
            (ground.root / "policies/trusted_types.yaml").write_text(text)

        yield f"trusted types: {name}", types


CACHED = {
    **dict.fromkeys(("data/origin.json", "data/prepared/features.parquet"), "data"),
    **{path: kind for path, kind in FILES.items() if kind in ("model", "reports")},
}
CACHE_WAYS = (
    "a bit",
    "a bit, in place at its time",
    "a bit, protected",
    "cut",
    "empty",
    "another's",
    "missing",
    "a link to another's",
)


def _cached(path: str, way: Way) -> Make:
    """The object in DVC's cache is changed, and the output taken out of it again."""

    def make(ground: Ground, random: Random) -> None:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        item = _object(ground.root, path)
        item.chmod(0o644)
        way(item, ground, random)
        if item.is_file() and not item.is_symlink():
            item.chmod(0o444)
        (ground.root / path).unlink()
        with contextlib.suppress(DvcException, OSError), Repo(str(ground.root)) as repo:
            repo.checkout(force=True)

    return make


def _object(root: Path, path: str) -> Path:
    import hashlib

    name = hashlib.md5((root / path).read_bytes(), usedforsecurity=False).hexdigest()
    return root / ".dvc/cache/files/md5" / name[:2] / name[2:]


COPY = (
    "MLmodel",
    "conda.yaml",
    "input_example.json",
    "model.skops",
    "python_env.yaml",
    "requirements.txt",
    "serving_input_example.json",
)
TAGS = (
    *("clearance.name", "clearance.verdict", "clearance.judging.policy.id"),
    *("clearance.judging.policy.sha256", "clearance.model.sha256"),
    "clearance.evidence.reports.fairness.json",
)


def _copy_of_model(root: Path) -> Path:
    """MLflow's folder of the model that is to be released."""
    with _database(root) as database:
        (model,) = database.execute(
            "select value from model_version_tags where name = 'loan-approval-candidate' "
            "and key = 'clearance.model.id' order by version desc limit 1"
        ).fetchone()
    (place,) = (root / "mlruns").glob(f"*/models/{model}/artifacts")
    return place


@contextlib.contextmanager
def _database(root: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(root / "mlflow.db", timeout=30)) as database:
        yield database
        database.commit()


def _sql(statement: str) -> Make:
    """A change straight in MLflow's database, which must find a row. `:version` is the candidate's."""

    def make(ground: Ground, _: Random) -> None:
        with _database(ground.root) as database:
            (version,) = database.execute(
                "select max(version) from model_versions where name = 'loan-approval-candidate'"
            ).fetchone()
            (run,) = database.execute(
                "select run_id from model_versions where name = 'loan-approval-candidate' and version = ?",
                (version,),
            ).fetchone()
            result = database.execute(statement, {"version": version, "run": run})
            assert result.rowcount, statement  # noqa: S101

    return make


def _mlflow() -> Named:
    for file in COPY:
        for name, way in CONTENTS.items():
            yield f"{file}: {name}", _in_copy(way, file)
    for name, way in SHAPES.items():
        yield f"folder: {name}", _in_copy(way)
    yield from _mlflow_rows()


def _in_copy(way: Way, file: str = "") -> Make:
    return lambda ground, random: way(_copy_of_model(ground.root) / file, ground, random)


def _mlflow_rows() -> Named:
    own = "name = 'loan-approval-candidate' and version = :version"
    for tag in TAGS:
        mine = f"{own} and key = '{tag}'"
        yield f"tag {tag}", _sql(f"update model_version_tags set value = 'x' where {mine}")  # noqa: S608
        yield f"tag {tag} gone", _sql(f"delete from model_version_tags where {mine}")  # noqa: S608
    for column in ("run_id", "storage_location"):
        first = f"select {column} from model_versions where name = 'loan-approval-candidate' and version = 1"  # noqa: S608
        yield f"version's {column}", _sql(f"update model_versions set {column} = ({first}) where {own}")  # noqa: S608
    for name, change in {
        "no mark of completeness": "delete from tags where run_uuid = :run and key = 'clearance.complete'",
        "another start of the run": "update runs set start_time = start_time + 1 where run_uuid = :run",
        "a deleted run": "update runs set lifecycle_stage = 'deleted' where run_uuid = :run",
    }.items():
        yield name, _sql(change)


def _calm_file(path: str) -> Named:
    """What happens to a file in a day and leaves its content."""

    def touch(place: Path, _: Ground, random: Random) -> None:
        os.utime(place, (random.randrange(1 << 30), random.randrange(1 << 30)))

    def copied(place: Path, _: Ground, __: Random) -> None:
        _write(place, place.read_bytes())

    def hard(place: Path, ground: Ground, _: Random) -> None:
        (ground.outside / place.name).hardlink_to(place)

    yield "touched", _at(path, touch)
    yield "copied", _at(path, copied)
    for mode in (0o444, 0o600, 0o640, 0o664, 0o755):
        yield f"mode {mode:o}", _at(path, lambda place, _, __, mode=mode: place.chmod(mode))
    yield "a second name", _at(path, hard)
    if path in INPUTS:
        yield "a link to its like", _at(path, _link_to_equal)
    else:
        yield "restored", _restored(path)


def _restored(path: str, link: str = "") -> Make:
    def make(ground: Ground, _: Random) -> None:
        from dvc.repo import Repo

        with Repo(str(ground.root)) as repo, repo.config.edit() as config:
            if link:
                config["cache"]["type"] = [link]
        for folder in CACHED if link else (path,):
            (ground.root / folder).unlink()
        with Repo(str(ground.root)) as repo:
            repo.checkout(force=True, relink=bool(link))
        if link == "symlink":
            assert (ground.root / MODEL).is_symlink()  # noqa: S101

    return make


def _turned(value: Any) -> Any:
    return {key: _turned(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


def _dumped(file: str, turn: bool = False, **how: Any) -> Make:
    def make(ground: Ground, _: Random) -> None:
        data = yaml.safe_load((ground.root / file).read_text())
        (ground.root / file).write_text(
            yaml.safe_dump(_turned(data) if turn else data, sort_keys=False, **how)
        )

    return make


def _calm_record(file: str) -> Named:
    """The same said in other words."""
    yield "a comment", _text(file, lambda text: f"# a word\n{text}")
    yield "a comment behind", _text(file, lambda text: f"{text}# a word\n")
    yield "blank lines", _text(file, lambda text: "\n\n" + re.sub(r"\n(?=\S)", "\n\n", text))
    yield "lines that end otherwise", _text(file, lambda text: text.replace("\n", "\r\n"))
    yield "a mark of its encoding", _text(file, lambda text: f"\ufeff{text}")
    yield "the start of a document", _text(file, lambda text: f"---\n{text}")
    yield "in braces", _dumped(file, default_flow_style=True)
    yield "deeper", _dumped(file, indent=6)
    yield "in quotes", _dumped(file, default_style=None, allow_unicode=True, width=20)
    yield "keys in another order", _dumped(file, turn=True)
    yield "a link to its like", _at(file, _link_to_equal)


def _elsewhere(ground: Ground, _: Random) -> None:
    """A copy of the project in another folder, speaking to the same MLflow."""
    copy = ground.outside / "a copy, elsewhere"
    skipped = shutil.ignore_patterns("mlflow.db*", "mlruns")
    shutil.copytree(ground.root, copy, symlinks=True, ignore=skipped)
    ground.patch.chdir(copy)


def _calm() -> Named:
    for path in FILES:
        yield from ((f"{path}: {name}", make) for name, make in _calm_file(path))
    for file in ("dvc.lock", "dvc.yaml", "params.yaml", "policies/authorised.yaml"):
        yield from ((f"{file}: {name}", make) for name, make in _calm_record(file))
    for folder in FOLDERS:
        yield f"{folder}: an empty folder", _at(folder, lambda place, _, __: (place / "empty").mkdir())
    yield "a file that DVC ignores", _at("data/source", _extra("x.part"))
    yield "a file beside", lambda ground, _: (ground.root / "reports/notes.txt").write_text("x") and None
    yield "elsewhere", _elsewhere
    yield "another mask", lambda _, __: _mask(0o077)
    for link in ("symlink", "hardlink", "copy"):
        yield f"cache by {link}", _restored("", link)
    yield "no cache", lambda ground, _: shutil.rmtree(ground.root / ".dvc/cache")
    yield (
        "a model more",
        _edited(
            "policies/authorised.yaml",
            lambda data: data["models"].update(other={"policy": "policies/test.yaml", "tier": "none"}),
        ),
    )
    yield (
        "the policy by a longer way",
        _edited(
            "policies/authorised.yaml",
            lambda data: data["models"]["loan-approval"].update(policy="./policies/../policies/test.yaml"),
        ),
    )
    unread = {"train": 0.6, "tune": 0.2, "test": 0.2}
    yield "a parameter that no stage reads", _edited("params.yaml", lambda data: data.update(split=unread))
    yield "no type more", lambda ground, _: _put(ground.root / "policies/trusted_types.yaml", "[]")
    for stage in judged.GRAPH:

        def told(graph: Any, stage: str = stage) -> None:
            graph["stages"][stage].update(desc="what it does", meta={"owner": "somebody"})

        yield f"{stage} described", _edited("dvc.yaml", told)
    yield (
        "a lost candidate",
        _sql(
            "delete from model_version_tags where name = 'loan-approval-candidate' and version = :version "
            "and key = 'clearance.fingerprint'"
        ),
    )


def _put(path: Path, text: str) -> None:
    path.write_text(text)


def _mask(mask: int) -> None:
    os.umask(mask)


def _all() -> Iterator[Change]:
    for path, kind in FILES.items():
        ways = CONTENTS if path in INPUTS else CONTENTS | LINKS
        for name, way in ways.items():
            yield Change(f"{path}: {name}", kind, _at(path, way), path == MODEL and name not in LINKS)
    for folder, kind in FOLDERS.items():
        shapes = SHAPES if folder == "data/source" else SHAPES | OUT_SHAPES
        yield from (Change(f"{folder}: {name}", kind, _at(folder, way)) for name, way in shapes.items())
    for folder, kind in {"models": "model", "reports": "reports"}.items():
        yield Change(f"{folder}: a link to its like", kind, _at(folder, _folder_elsewhere))
    for path in CACHED:
        for name in CACHE_WAYS:
            yield Change(f"{path} in the cache: {name}", "DVC cache", _cached(path, CONTENTS[name]))
    for kind, changes in {
        "lock file": _lock,
        "graph": _graph,
        "parameters": _params,
        "policy": _authorised,
        "MLflow": _mlflow,
        HARMLESS: _calm,
    }.items():
        yield from (Change(f"{kind}: {name}", kind, make) for name, make in changes())


ALL = tuple(_all())
NAMED = {change.name: change for change in ALL}
