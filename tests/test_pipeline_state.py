"""Files are what dvc.yaml, dvc.lock and the verdict say, by content; anything else is named and refused."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance import files
from clearance.versioning import digests, dvc_lock, pipeline_state
from tests.support import codes, judged


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return judged.settle(tmp_path / "project", monkeypatch)


def edit_yaml(path: Path, change: Callable[[Any], None]) -> None:
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data, sort_keys=False))


def rewrite_verdict(root: Path, change: Callable[[Any], None]) -> None:
    """Change the verdict and let DVC lock it, so that only the verdict itself is wrong."""
    verdict = files.read_json(root / pipeline_state.VERDICT)
    change(verdict)
    files.write_json(root / pipeline_state.VERDICT, verdict)
    judged.lock(root)


def test_what_dvc_locked_verifies_and_every_file_has_its_sha256(project: Path) -> None:
    result = pipeline_state.verify(project)
    assert re.fullmatch("[0-9a-f]{64}", result.fingerprint)
    assert set(result.outs) == {
        out for stage in judged.GRAPH.values() for kind in ("outs", "metrics") for out in stage.get(kind, [])
    }
    assert set(result.deps) == {"data/source", "requirements.lock", "policies/test.yaml"}
    assert {**result.outs, **result.deps} == {
        path: files.sha256(project / path) for path in (*result.outs, *result.deps)
    }
    assert result.read_json(pipeline_state.VERDICT)["verdict"] == "pass"


def test_a_blocked_project_verifies_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = judged.settle(tmp_path / "project", monkeypatch, blocked=True)
    assert pipeline_state.verify(root).read_json(pipeline_state.VERDICT)["verdict"] == "fail"


def test_the_fingerprint_depends_on_neither_place_nor_order(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else" / "where"
    shutil.copytree(project, elsewhere)

    def turn(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turn(value[key]) for key in reversed(value)}
        return [turn(element) for element in reversed(value)] if isinstance(value, list) else value

    text = (elsewhere / "dvc.lock").read_text()
    locked = yaml.safe_load(text)
    for stage in locked["stages"].values():
        for kind in ("deps", "outs"):
            stage[kind] = turn(stage.get(kind, []))
    locked["stages"] = {name: locked["stages"][name] for name in reversed(locked["stages"])}
    (elsewhere / "dvc.lock").write_text(yaml.safe_dump(locked))
    assert (elsewhere / "dvc.lock").read_text() != text
    assert pipeline_state.verify(elsewhere).fingerprint == pipeline_state.verify(project).fingerprint


@pytest.mark.parametrize(
    "options",
    [
        {"model": 1},
        {"verdict": "fail"},
        {"blocked": True},
        {"changes": {"seed": 2}},
        {"policy": {"version": "4"}},
    ],
    ids=str,
)
def test_any_other_content_has_another_fingerprint(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    other = judged.settle(tmp_path / "other", monkeypatch, **options)
    assert pipeline_state.verify(other).fingerprint != pipeline_state.verify(project).fingerprint


def swap(path: Path) -> None:
    """Change one byte and keep size, inode and times: DVC takes the file as unchanged."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("path", "named", "code"),
    [
        ("models/trained/model.skops", "models/trained", "versioning.output_differs"),
        ("reports/fairness.json", "reports/fairness.json", "versioning.output_differs"),
        ("reports/figures/roc.svg", "reports/figures", "versioning.output_differs"),
        ("data/prepared/label.parquet", "data/prepared", "versioning.output_differs"),
        ("reports/verdict.json", "reports/verdict.json", "versioning.output_differs"),
        ("data/source/table.csv", "data/source", "versioning.input_differs"),
        ("policies/test.yaml", "policies/test.yaml", "versioning.input_differs"),
        ("requirements.lock", "requirements.lock", "versioning.input_differs"),
    ],
)
def test_one_changed_byte_is_found_whatever_the_times_say(
    project: Path, path: str, named: str, code: str
) -> None:
    swap(project / path)
    with codes.raises(code, path=named):
        pipeline_state.verify(project)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("models/trained", "versioning.output_missing"),
        ("reports/fairness.json", "versioning.output_missing"),
        ("data/source", "versioning.input_missing"),
        ("policies/test.yaml", "versioning.input_missing"),
    ],
)
def test_what_is_missing_is_named(project: Path, path: str, code: str) -> None:
    place = project / path
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with codes.raises(code, path=path):
        pipeline_state.verify(project)


def test_a_project_without_a_lock_never_ran(project: Path) -> None:
    (project / "dvc.lock").unlink()
    with codes.raises("versioning.never_run"):
        pipeline_state.verify(project)


def test_one_file_more_or_less_in_a_folder_is_found(project: Path) -> None:
    extra = project / "models/trained/loader.part"
    extra.write_text("")
    with codes.raises("versioning.output_differs", path="models/trained"):
        pipeline_state.verify(project)
    extra.unlink()
    (project / "data/prepared/label.parquet").unlink()
    with codes.raises("versioning.output_differs", path="data/prepared"):
        pipeline_state.verify(project)


def test_what_dvc_ignores_in_a_source_is_ignored_as_dvc_does(project: Path) -> None:
    fingerprint = pipeline_state.verify(project).fingerprint
    (project / ".dvcignore").write_text("# comment\n\n*.part\n/never/this\nscratch/\n")
    for name in ("x.part", "scratch/notes.txt", "deeper/scratch/notes.txt", ".git/config"):
        files.write_text(project / "data/source" / name, "x")
    judged.lock(project)
    assert pipeline_state.verify(project).fingerprint == fingerprint
    files.write_text(project / "data/source/deeper/üx.csv", "x")
    judged.lock(project)
    assert pipeline_state.verify(project).fingerprint != fingerprint


def drop_stage(lock: Any) -> None:
    del lock["stages"]["evaluate"]


def other_command(lock: Any) -> None:
    lock["stages"]["train"]["cmd"] = "true something else"


def forget_an_out(lock: Any) -> None:
    lock["stages"]["train"]["outs"].pop()


def another_digest(lock: Any) -> None:
    lock["stages"]["train"]["outs"][0]["md5"] = "0" * 32


def no_digest(lock: Any) -> None:
    del lock["stages"]["train"]["outs"][0]["md5"]


def another_parameter(lock: Any) -> None:
    lock["stages"]["train"]["params"]["params.yaml"]["seed"] = 2


def true_for_one(lock: Any) -> None:
    lock["stages"]["train"]["params"]["params.yaml"]["seed"] = True


def forget_a_parameter(lock: Any) -> None:
    del lock["stages"]["train"]["params"]["params.yaml"]["seed"]


def a_parameter_more(lock: Any) -> None:
    lock["stages"]["evaluate"]["params"] = {"params.yaml": {"seed": 1}}


def no_stages(lock: Any) -> None:
    lock.pop("stages")


@pytest.mark.parametrize(
    ("change", "code", "values"),
    [
        (drop_stage, "stage_not_run", {"stage": "evaluate"}),
        (other_command, "command_differs", {"stage": "train"}),
        (forget_an_out, "files_differ", {"stage": "train", "kind": "outs"}),
        (another_digest, "output_differs", {"stage": "train"}),
        (no_digest, "lock_unreadable", {}),
        (another_parameter, "parameter_differs", {"key": "seed", "stage": "train"}),
        (true_for_one, "parameter_differs", {"key": "seed", "stage": "train"}),
        (forget_a_parameter, "parameter_differs", {"key": "seed", "stage": "train"}),
        (a_parameter_more, "parameter_differs", {"key": "seed", "stage": "evaluate"}),
        (no_stages, "lock_unreadable", {}),
    ],
)
def test_a_lock_that_does_not_fit_is_refused(
    project: Path, change: Callable[[Any], None], code: str, values: dict[str, str]
) -> None:
    edit_yaml(project / "dvc.lock", change)
    with codes.raises(f"versioning.{code}", **values):
        pipeline_state.verify(project)


def new_dependency(graph: Any) -> None:
    graph["stages"]["judge"]["deps"].append("params.yaml")


def new_command(graph: Any) -> None:
    graph["stages"]["judge"]["cmd"] = "true another"


def new_stage(graph: Any) -> None:
    graph["stages"]["document"] = {"cmd": "true document", "outs": ["reports/report.html"]}


def unknown_name(graph: Any) -> None:
    graph["stages"]["judge"]["deps"].append("${policy.nothing}")


def a_loop(graph: Any) -> None:
    graph["stages"]["judge"] = {"foreach": ["a"], "do": {"cmd": "true"}}


@pytest.mark.parametrize(
    ("change", "code", "values"),
    [
        (new_dependency, "files_differ", {"stage": "judge", "kind": "deps"}),
        (new_command, "command_differs", {"stage": "judge"}),
        (new_stage, "stage_not_run", {"stage": "document"}),
        (unknown_name, "parameter_unknown", {"key": "policy.nothing"}),
        (a_loop, "graph_invalid", {}),
    ],
)
def test_a_graph_that_changed_since_is_refused(
    project: Path, change: Callable[[Any], None], code: str, values: dict[str, str]
) -> None:
    edit_yaml(project / "dvc.yaml", change)
    with codes.raises(f"versioning.{code}", **values):
        pipeline_state.verify(project)


@pytest.mark.parametrize(("key", "value"), [("seed", 2), ("name", "other"), ("overrides", {"seed": 1})])
def test_a_parameter_that_changed_since_is_refused(project: Path, key: str, value: Any) -> None:
    edit_yaml(project / "params.yaml", lambda data: data.update({key: value}))
    with codes.raises("versioning.parameter_differs", key=key):
        pipeline_state.verify(project)


def test_a_parameter_that_no_stage_reads_may_change(project: Path) -> None:
    fingerprint = pipeline_state.verify(project).fingerprint
    edit_yaml(project / "params.yaml", lambda data: data.update(experiment="another"))
    assert pipeline_state.verify(project).fingerprint == fingerprint


def test_numbers_that_dvc_and_we_read_differently_are_the_same_parameter(project: Path) -> None:
    arguments = "{C: 1e-3, tol: 1.5E+2, huge: .inf, yes: no, none: null, text: '1e-3', list: [1, 0.5]}"
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(re.sub(r"arguments:\n +C: 0.1", f"arguments: {arguments}", text))
    judged.lock(project)
    assert "0.001" in (project / "dvc.lock").read_text()
    assert pipeline_state.verify(project).fingerprint


def forge(verdict: Any) -> None:
    verdict["evidence"]["reports/fairness.json"] = "0" * 64


def cite_a_stranger(verdict: Any) -> None:
    verdict["evidence"]["params.yaml"] = "0" * 64


def climb_out(verdict: Any) -> None:
    verdict["evidence"]["models/trained/../../params.yaml"] = "0" * 64


def cite_nothing(verdict: Any) -> None:
    verdict["evidence"] = {}


def forget_evidence(verdict: Any) -> None:
    del verdict["evidence"]


def other_policy(verdict: Any) -> None:
    verdict["policy"]["sha256"] = "0" * 64


@pytest.mark.parametrize(
    ("change", "code", "values"),
    [
        (forge, "evidence_differs", {"path": "reports/fairness.json"}),
        (cite_a_stranger, "foreign_evidence", {"path": "params.yaml"}),
        (climb_out, "foreign_evidence", {"path": "models/trained/../../params.yaml"}),
        (cite_nothing, "verdict_incomplete", {}),
        (forget_evidence, "verdict_incomplete", {}),
        (other_policy, "evidence_differs", {"path": "policies/test.yaml"}),
    ],
)
def test_a_verdict_that_cites_other_content_is_refused(
    project: Path, change: Callable[[Any], None], code: str, values: dict[str, str]
) -> None:
    rewrite_verdict(project, change)
    with codes.raises(f"versioning.{code}", **values):
        pipeline_state.verify(project)


def test_what_changed_after_it_was_verified_is_not_read(project: Path) -> None:
    result = pipeline_state.verify(project)
    swap(project / "reports/fairness.json")
    with codes.raises("files.changed"):
        result.read_json("reports/fairness.json")
    with codes.raises("versioning.not_an_output", path="params.yaml"):
        result.read_json("params.yaml")


def test_each_file_is_read_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    original = digests._read

    def count(path: Path) -> digests.Digest:
        read.append(path)
        return original(path)

    monkeypatch.setattr(digests, "_read", count)
    pipeline_state.verify(project)
    assert len(read) == len(set(read)) >= 15


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda lock: lock["stages"]["train"]["outs"][1].update(size=1), "output_differs"),
        (lambda lock: lock["stages"]["train"]["outs"][0].update(nfiles=2), "output_differs"),
        (lambda lock: lock["stages"]["train"]["outs"][0].update(hash="sha256"), "lock_unreadable"),
        (lambda lock: lock["stages"]["train"]["outs"][0].update(remote="x"), "lock_unreadable"),
        (lambda lock: lock["stages"]["train"].update(frozen=True), "lock_unreadable"),
        (lambda lock: lock.update(schema="3.0"), "lock_unreadable"),
        (lambda lock: lock.pop("schema"), "lock_unreadable"),
    ],
)
def test_nothing_in_the_lock_is_passed_over(project: Path, change: Callable[[Any], None], code: str) -> None:
    edit_yaml(project / "dvc.lock", change)
    with codes.raises(f"versioning.{code}"):
        pipeline_state.verify(project)


@pytest.mark.parametrize("key", ["wdir", "frozen", "always_changed"])
def test_a_stage_with_a_key_that_changes_its_meaning_is_refused(project: Path, key: str) -> None:
    edit_yaml(project / "dvc.yaml", lambda graph: graph["stages"]["train"].update({key: "policies"}))
    with codes.raises("versioning.graph_invalid"):
        pipeline_state.verify(project)


def test_variables_of_the_graphs_own_are_refused(project: Path) -> None:
    edit_yaml(project / "dvc.yaml", lambda graph: graph.update(vars=[{"policy": {"file": "x"}}]))
    with codes.raises("versioning.graph_has_variables"):
        pipeline_state.verify(project)


@pytest.mark.parametrize("options", [{"cache": False}, {"push": False}, {"remote": "elsewhere"}])
def test_how_an_output_is_kept_is_part_of_the_fingerprint(project: Path, options: dict[str, Any]) -> None:
    before = pipeline_state.verify(project).fingerprint
    edit_yaml(
        project / "dvc.yaml",
        lambda graph: graph["stages"]["train"].update(
            outs=[{"models/trained": options}, "reports/training.json"]
        ),
    )
    assert pipeline_state.verify(project).fingerprint != before


@pytest.mark.parametrize("path", ["reports/fairness.json", "models/trained/model.skops", "models", "reports"])
def test_an_output_behind_a_link_is_refused_though_it_is_the_same(
    project: Path, tmp_path: Path, path: str
) -> None:
    shutil.move(project / path, tmp_path / "elsewhere")
    (project / path).symlink_to(tmp_path / "elsewhere")
    with codes.raises("versioning.irregular_file", path=project / path):
        pipeline_state.verify(project)


def test_nothing_behind_a_folder_that_is_a_link_is_read(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(project / "models", tmp_path / "elsewhere")
    (project / "models").symlink_to(tmp_path / "elsewhere")
    read, paths = digests._read, []

    def heard(path: Path) -> digests.Digest:
        paths.append(path)
        return read(path)

    monkeypatch.setattr(digests, "_read", heard)
    with codes.raises("versioning.irregular_file", path=project / "models"):
        pipeline_state.verify(project)
    assert paths
    assert [path for path in paths if path.is_relative_to(project / "models")] == []


def test_a_link_into_dvcs_cache_is_what_dvc_makes_and_is_let_pass(project: Path) -> None:
    from dvc.repo import Repo

    fingerprint = pipeline_state.verify(project).fingerprint
    with Repo(str(project)) as repo, repo.config.edit() as config:
        config["cache"]["type"] = ["symlink"]
    with Repo(str(project)) as repo:
        repo.checkout(relink=True)
    assert (project / "reports/fairness.json").is_symlink()
    assert pipeline_state.verify(project).fingerprint == fingerprint


@pytest.mark.parametrize("folder", ["data/source", "models/trained"])
@pytest.mark.parametrize("kind", ["a folder", "nothing", "a pipe"])
def test_what_no_digest_covers_is_refused(project: Path, tmp_path: Path, folder: str, kind: str) -> None:
    place = project / folder / "more"
    os.mkfifo(place) if kind == "a pipe" else place.symlink_to(tmp_path if kind == "a folder" else "nothing")
    with codes.raises("versioning.irregular_file", path=place):
        pipeline_state.verify(project)


def test_a_source_that_is_a_link_is_read_through_it(project: Path, tmp_path: Path) -> None:
    shutil.move(project / "data/source", tmp_path / "large")
    (project / "data/source").symlink_to(tmp_path / "large")
    pipeline_state.verify(project)
    swap(tmp_path / "large/table.csv")
    with codes.raises("versioning.input_differs", path="data/source"):
        pipeline_state.verify(project)


def test_what_is_read_is_what_was_hashed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a check and a second reading somebody could put another file there: there is no second one."""
    result, place = pipeline_state.verify(project), project / "reports/fairness.json"
    content, hashed = files.read_json(place), files.sha256

    def hash_and_swap(path: Path) -> str:
        digest = hashed(path)
        place.write_text("{}")
        return digest

    monkeypatch.setattr(files, "sha256", hash_and_swap)
    assert result.read_json("reports/fairness.json") == content


def test_numbers_that_are_none_are_no_evidence(project: Path) -> None:
    (project / "reports/fairness.json").write_text('{"value": NaN}')
    digests = {"reports/fairness.json": files.sha256(project / "reports/fairness.json")}
    evidence = pipeline_state.PipelineState(root=project, fingerprint="", outs=digests, deps={})
    with codes.raises("files.not_json"):
        evidence.read_json("reports/fairness.json")


def test_a_stage_that_runs_more_than_a_module_or_another_command_than_committed_is_named() -> None:
    lock = dvc_lock.declared_commands(
        "stages: {a: {cmd: python -m tasks.train}, b: {cmd: python -m tasks.validate raw},"
        " c: {cmd: [python -m tasks.train, cp x reports/fairness.json]}, d: {cmd: python -m tasks.train; id}}"
    )
    assert [sentence.split()[1] for sentence in dvc_lock.unusual_commands(lock)] == ["c", "d"]
    committed = dvc_lock.declared_commands("stages: {a: {cmd: python -m tasks.other}, c: {cmd: [x]}}")
    assert len(dvc_lock.unusual_commands(lock, committed)) == 4
    assert not dvc_lock.unusual_commands(lock.only(["a", "b"]), lock)
    assert dvc_lock.declared_commands("stages: [").stages == {}
