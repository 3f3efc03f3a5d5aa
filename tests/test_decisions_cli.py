"""`clearance decisions`: who may do what with recorded decisions, and what the ledger says afterwards."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from clearance import cli, inference_log, ledger
from clearance.errors import ClearanceError, ExitCode
from clearance.inference_log import InferenceLog, records, settings
from clearance.inference_log.retention import MARGIN
from clearance.inference_log.seals import Seals
from clearance.promotion import inference_trail, session
from tests.support import disks, inferences
from tests.support.inferences import inference

ROOT = Path(__file__).parent.parent
MONTH = dt.timedelta(days=31)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the demo's people and policies, and nothing else."""
    root = tmp_path_factory.mktemp("decisions")
    shutil.copytree(ROOT / "policies", root / "policies")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, root / name)
    policy = yaml.safe_load((root / "policies/demo.yaml").read_text())
    policy["inference_log"]["seal"] = {"records": 3, "hours": 24}
    (root / "policies/demo.yaml").write_text(yaml.safe_dump(policy))
    with session.open_session(root, "pipeline"):
        pass
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = Path(shutil.copytree(template, tmp_path / "project"))
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def log(root: Path) -> Iterator[InferenceLog]:
    with inference_log.open(settings.address(root), settings.key_path(root)) as log:
        yield log


def run(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["decisions", *words])


def kinds(root: Path) -> list[str]:
    with session.open_read_only(root) as reader:
        return [entry.kind for entry in reader.entries()]


def test_decisions_are_sealed_and_verified(root: Path, log: InferenceLog) -> None:
    log.append(*(inference() for _ in range(7)))
    assert run("verify").exit_code == ExitCode.PASS
    result = run("seal", "--as", "otto")
    assert result.output.count("sealed records") == 2
    assert kinds(root)[-2:] == ["inference_segment", "inference_segment"]
    assert run("seal", "--as", "otto", "--all").output.startswith("sealed records 7 to 7")
    document = json.loads(run("verify", "--json").output)
    assert (document["ok"], document["records"], document["sealed"]) == (True, 7, 7)
    with session.open_read_only(root) as reader:
        assert reader.audit().ok
        assert not reader.voids()


def test_what_was_changed_behind_the_seal_fails(root: Path, log: InferenceLog) -> None:
    log.append(*(inference() for _ in range(3)))
    run("seal", "--as", "otto")
    inferences.change(settings.address(root), "DELETE FROM clearance_inference_records WHERE sequence = 3")
    result = run("verify")
    assert result.exit_code == ExitCode.ERROR
    assert result.output.splitlines()[-1].startswith("FAILED")
    assert json.loads(run("verify", "--json").output)["findings"] > 0


def test_whoever_may_read_is_recorded_and_nobody_else_reads(root: Path, log: InferenceLog) -> None:
    (receipt,) = log.append(inference(subject="ada lovelace"))
    result = run("show", receipt.id, "--as", "ada", "--reason", "complaint 7", "--json")
    document = json.loads(result.output)
    assert (document["kind"], document["subject"], document["score"]) == (
        "inference",
        "ada lovelace",
        0.1 + 0.2,
    )
    assert run("show", receipt.id, "--as", "ada", "--reason", "again").output.count("Boston") == 1
    refused = run("show", receipt.id, "--as", "dan", "--reason", "curious")
    assert refused.exit_code == ExitCode.ERROR
    assert "Boston" not in refused.output
    assert kinds(root)[-1] == "refusal"
    assert log.verify().by_kind == {"inference": 1, "read": 2}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", records.new_id(), "--as", "ada", "--reason", "x"), ExitCode.ERROR),
        (("show", "1", "--as", "ada", "--reason", "x"), ExitCode.ERROR),
        (("show", "1", "--as", "ada"), ExitCode.USAGE),
        (("show", "1", "--as", "ada", "--reason", " "), ExitCode.ERROR),
        (("erase", "nobody"), ExitCode.ERROR),
        (("erase", "nobody", "--yes"), ExitCode.USAGE),
        (("expire", "--yes"), ExitCode.USAGE),
        (("seal", "--as", "dan"), ExitCode.ERROR),
    ],
)
def test_what_is_not_possible_is_refused(log: InferenceLog, words: tuple[str, ...], code: ExitCode) -> None:
    log.append(inference())
    assert run(*words).exit_code == code


def test_a_subject_is_erased_by_whoever_may(root: Path, log: InferenceLog) -> None:
    log.append(inference(subject="bob"), inference(subject="bob"))
    before = run("erase", "bob")
    assert before.output.startswith("2 records")
    assert run("erase", "bob", "--as", "dan", "--reason", "x", "--yes").exit_code == ExitCode.ERROR
    assert run("erase", "bob", "--as", "otto", "--reason", "Art. 17", "--yes").exit_code == ExitCode.PASS
    assert run("erase", "bob", "--as", "otto", "--reason", "x", "--yes").exit_code == ExitCode.ERROR
    report = log.verify()
    assert (report.ok, report.erased) == (True, 1)


def test_decisions_are_deleted_when_every_period_has_ended(
    root: Path, log: InferenceLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(*(inference() for _ in range(3)))
    run("seal", "--as", "otto")
    assert run("expire").output == "No decisions are past every retention period.\n"
    later = 26 * MONTH + 2 * MARGIN
    monkeypatch.setattr("clearance.ledger.reading._now", lambda: dt.datetime.now(dt.UTC) + later)
    assert run("expire").output.startswith("3 records up to record 3.")
    assert run("expire", "--as", "dan", "--reason", "x", "--yes").exit_code == ExitCode.ERROR
    result = run("expire", "--as", "otto", "--reason", "yearly", "--yes")
    assert result.output == "Deleted 3 records, up to record 3.\n"
    assert kinds(root)[-1] == "inference_deletion"
    assert json.loads(run("verify", "--json").output)["records"] == 0


def test_without_a_log_there_is_nothing_to_verify(root: Path) -> None:
    result = run("verify")
    assert result.exit_code == ExitCode.ERROR
    assert not (root / settings.LOG_FILE).exists()
    with pytest.raises(ClearanceError) as error, inference_trail.opened(root):
        pass
    assert error.value.code == "inference_log.no_log"


def test_an_auditor_needs_no_key_file(root: Path, log: InferenceLog) -> None:
    log.append(*(inference() for _ in range(3)))
    run("seal", "--as", "otto")
    settings.key_path(root).rename(root / "elsewhere")
    document = json.loads(run("verify", "--json").output)
    assert (document["ok"], document["authenticated"], document["sealed"]) == (True, False, 3)
    assert run("verify").output.startswith("note: ")
    assert not settings.key_path(root).exists()
    settings.key_path(root).write_text(f"{'0' * 64}\n")
    settings.key_path(root).chmod(0o600)
    assert run("verify").exit_code == ExitCode.ERROR


@pytest.mark.parametrize("closed", [True, False])
def test_a_copy_that_nobody_may_write_verifies(root: Path, tmp_path: Path, closed: bool) -> None:
    with inference_log.open(settings.address(root), settings.key_path(root)) as log:
        log.append(*(inference() for _ in range(3)))
        backup = tmp_path / "backup"
        if not closed:  # what is committed lies in the write-ahead log
            shutil.copytree(root / ".clearance", backup, ignore=shutil.ignore_patterns("*-shm"))
    if closed:
        shutil.copytree(root / ".clearance", backup)
    with disks.read_only(backup):
        address = f"sqlite:///{backup}/inference.db"
        report = inference_log.audit(address, backup / "inference.key", lambda _: Seals(segments=()))
        assert (report.ok, report.records, report.authenticated) == (True, 3, True)


def test_the_policy_says_whether_decisions_may_wait(root: Path) -> None:
    terms = inference_trail.terms(root, "loan-approval")
    assert [(period.id, period.months) for period in terms.retention] == [
        ("ai-act-logs", 6),
        ("ecoa-records", 25),
    ]
    assert inference_trail.spool(root, terms) is None
    spool = inference_trail.spool(root, terms.model_copy(update={"on_failure": "spool"}))
    assert spool is not None
    assert spool.limit == 64 << 20
    assert inference_trail.terms(root, "unknown") == type(terms)()


def test_a_segment_counts_only_from_whoever_may_seal(root: Path, log: InferenceLog) -> None:
    """An auditor with a key cannot raise a false alarm: what they record is void."""
    log.append(*(inference() for _ in range(3)))
    event = ledger.events.InferenceSegmentEvent(
        log=log.id,
        segment=1,
        first=1,
        last=3,
        records=3,
        previous="0" * 64,
        head="0" * 64,
        latest="2026-01-01T00:00:00.000000Z",
    )
    with session.open_session(root, "ada") as acting:
        draft = acting.draft(event.kind, None, **event.to_body())
        ledger.append(acting.book, [draft])
    assert run("verify").exit_code == ExitCode.PASS
