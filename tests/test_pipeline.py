"""The whole pipeline on the demo: one run in a fresh copy, and what must be true of it afterwards."""

import json
import os
import sqlite3
from pathlib import Path

import pytest
import yaml

from clearance import files, ledger, paths
from clearance.errors import ExitCode
from tests.support import projects, terminal_run
from tests.support.projects import Done, Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
]

STAGES = list(yaml.safe_load((projects.ROOT / "dvc.yaml").read_text())["stages"])


@pytest.fixture(scope="module")
def verdict(demo: Project) -> dict:
    return files.read_json(demo.root / "reports/verdict.json")


def registry(project: Project) -> list[tuple]:
    """Everything the registry and the tracking store hold, except their bookkeeping of time."""
    with sqlite3.connect(project.root / "mlflow.db") as store:
        return [
            *store.execute(
                "SELECT name, version, run_id, creation_time, last_updated_time FROM model_versions"
            ),
            *store.execute("SELECT name, version, key, value FROM model_version_tags ORDER BY 1, 2, 3"),
            *store.execute("SELECT name, alias, version FROM registered_model_aliases"),
            *store.execute("SELECT run_uuid, key, value FROM tags ORDER BY 1, 2"),
            *store.execute("SELECT run_uuid, start_time, end_time FROM runs ORDER BY 1"),
        ]


def test_a_run_shows_its_stages_the_verdict_a_registered_version_and_where_to_look_next(
    demo: Project, demo_run: Done, verdict: dict
) -> None:
    for stage in STAGES:
        assert stage in demo_run.out
    assert verdict["verdict"].replace("_", " ") in demo_run.out.lower()
    assert "loan-approval-candidate" in demo_run.out
    assert "this test set has now been used to judge 1 model (as of " in demo_run.out
    assert "reports/report.html" in demo_run.out
    assert "Traceback" not in demo_run.out


def test_the_demo_is_honest_about_what_its_rows_can_prove(demo_run: Done, verdict: dict) -> None:
    """With reweighing, too few applicants are in the test rows to tell: no pass, and no champion."""
    assert verdict["verdict"] == "insufficient_evidence"
    assert demo_run.code == ExitCode.INSUFFICIENT_EVIDENCE
    by_race = [f for f in verdict["findings"] if f["attribute"] == "race" and f["severity"] == "block"]
    assert "insufficient_evidence" in {finding["outcome"] for finding in by_race}


def test_nothing_left_the_machine_and_nothing_was_written_outside_the_project(
    demo: Project, demo_run: Done
) -> None:
    assert not demo.guard_log.exists(), demo.guard_log.read_text()
    assert [path.relative_to(demo.home) for path in demo.home.rglob("*")] == []
    assert not (demo.root / ".prefect").exists(), "a run in a terminal starts no server"
    assert (demo.root / "mlflow.db").is_file()


def test_git_sees_nothing_but_the_lock(demo: Project, demo_run: Done) -> None:
    lines = demo.run("git", "status", "--porcelain").ok().out.split("\n")
    assert {line[3:] for line in lines if line} <= {"dvc.lock"}


def test_the_lock_in_git_is_of_the_code_in_git(demo: Project, demo_run: Done) -> None:
    """Digests of code and parameters do not depend on the machine, so the committed lock must hold them."""
    ours = yaml.safe_load((projects.ROOT / "dvc.lock").read_text())["stages"]
    fresh = yaml.safe_load((demo.root / "dvc.lock").read_text())["stages"]

    def code(stages: dict) -> dict:
        return {
            name: [dep for dep in stage["deps"] if dep["path"].endswith((".py", ".j2", ".lock", ".yaml"))]
            for name, stage in stages.items()
        }

    assert code(ours) == code(fresh), "run `make run` and commit dvc.lock"


def test_every_evidence_file_is_bound_by_its_digest(demo: Project, verdict: dict) -> None:
    assert "models/trained/model.skops" in verdict["evidence"]
    for name, digest in verdict["evidence"].items():
        assert files.sha256(demo.root / name) == digest


def dvc(project: Project, *commands: list[str]) -> Done:
    """What DVC's commands do there, in one process: importing DVC takes longer than any of them."""
    lines = ["import sys", "from dvc.cli import main"]
    lines += [f"if code := main({command!r}): sys.exit(code)" for command in commands]
    return project.python("-c", "\n".join(lines))


def test_the_bar_was_recorded_before_the_model_was_proposed(demo: Project, demo_run: Done) -> None:
    with ledger.open(f"sqlite:///{demo.root / paths.LEDGER}") as book:
        kinds = [entry.kind for entry in ledger.entries(book, model="loan-approval")]
    assert kinds.count("preregistration") == 1
    assert kinds.index("preregistration") < kinds.index("proposal")


def test_dvc_shows_metrics_and_plots(demo: Project, demo_run: Done) -> None:
    commands = (["metrics", "show"], ["metrics", "diff"], ["plots", "show", "--out", ".clearance/plots"])
    result = dvc(demo, *commands).ok()
    assert "roc_auc" in result.out
    page = Path(result.out.strip().splitlines()[-1].removeprefix("file://"))
    assert "false_positive_rate" in page.read_text()


def test_the_user_reads_the_verdict_again_as_markdown(demo: Project, demo_run: Done, verdict: dict) -> None:
    result = demo.run("clearance", "verdict", "--markdown")
    assert result.code == demo_run.code
    assert result.out.startswith("#")
    for finding in verdict["findings"]:
        assert finding["rule"] in result.out


def test_every_document_of_the_run_and_of_its_version_holds(demo: Project, demo_run: Done) -> None:
    for words in ((), ("1",)):
        result = demo.run("clearance", "check-documents", *words).ok()
        assert result.out.startswith("all hold: reports/card.json")
        assert len(result.out.splitlines()) == 1


def test_the_card_of_the_version_is_composed_with_the_ledger(demo: Project, demo_run: Done) -> None:
    result = demo.run("clearance", "card", "1", "--format", "json").ok()
    card = json.loads(result.out)
    signed = json.loads((demo.root / "reports/card.json").read_text())
    assert [part for part in card["sections"] if part in signed["sections"]] == signed["sections"]
    added = {part["id"] for part in card["sections"]} - {part["id"] for part in signed["sections"]}
    assert {"standing", "approvals", "test_set", "champion_history", "incidents", "restrictions"} <= added
    assert demo.run("clearance", "card", "1", "--at", "2020-01-01").code == ExitCode.ERROR


def test_plain_training_is_refused_on_race_in_a_workspace_of_its_own(demo: Project, demo_run: Done) -> None:
    mine = projects.files(demo.root, ("params.yaml", "dvc.lock", "reports/verdict.json"))
    workspaces = demo.root / ".clearance/workspaces"
    earlier = set(workspaces.glob("*"))
    result = terminal_run.in_project(demo, "--set", "train.mitigation=none")
    assert result.code == ExitCode.REFUSED, result.out
    assert "demographic parity difference by race" in result.out
    assert projects.files(demo.root, tuple(mine)) == mine
    (folder,) = set(workspaces.glob("*")) - earlier
    document = json.loads((folder / "reports/verdict.json").read_text())
    assert document["overrides"] == {"train": {"mitigation": "none"}}
    failed = [f for f in document["findings"] if f["outcome"] == "fail" and f["severity"] == "block"]
    assert {(f["metric"], f["attribute"]) for f in failed} == {
        ("fairness.demographic_parity_difference", "race")
    }


def test_a_policy_chosen_at_run_time_is_a_what_if_and_releases_nothing(demo: Project, demo_run: Done) -> None:
    lenient = yaml.safe_load((demo.root / "policies/demo.yaml").read_text())
    lenient["rules"] = [rule for rule in lenient["rules"] if not rule["metric"].startswith("fairness")]
    (demo.root / "policies/lenient.yaml").write_text(yaml.safe_dump(lenient))
    before = registry(demo)
    try:
        result = terminal_run.in_project(demo, "--policy", "policies/lenient.yaml")
    finally:
        (demo.root / "policies/lenient.yaml").unlink()
    assert result.code == ExitCode.PASS, result.out
    assert "what-if" in result.out.lower()
    assert registry(demo) == before


def test_a_rerun_rebuilds_what_was_corrupted_and_changes_nothing_else(demo: Project, demo_run: Done) -> None:
    """One output is edited, and so is its copy in the cache, each with its size and time kept."""
    names = ("dvc.lock", "data/raw.parquet", "reports/verdict.json", "reports/report.html")
    good, contents = projects.files(demo.root, names), registry(demo)
    output = demo.root / "data/raw.parquet"
    lock = yaml.safe_load((demo.root / "dvc.lock").read_text())
    (digest,) = (out["md5"] for out in lock["stages"]["ingest"]["outs"] if out["path"] == "data/raw.parquet")
    cached = demo.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    for path in (output, cached):
        status = path.stat()
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.chmod(0o644)
        path.write_bytes(bytes(content))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        path.chmod(status.st_mode & 0o777)
    again = terminal_run.in_project(demo)
    assert again.code == demo_run.code, again.out
    assert again.out.count("cached") == len(STAGES)  # all but ingest, and the bar, which was recorded
    assert projects.files(demo.root, names) == good
    assert registry(demo) == contents
    plain = dvc(demo, ["repro"], ["status"]).ok()
    assert plain.out.count("didn't change, skipping") >= len(STAGES)
    assert "Running stage" not in plain.out
    assert "Data and pipelines are up to date." in plain.out
