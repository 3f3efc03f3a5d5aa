"""Only a judged, authorised, verified model becomes champion; every other end is recorded and explained."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo
from mlflow import MlflowClient

from clearance import files, ledger, library, paths, registry
from clearance.errors import (
    ConfigurationError,
    IntegrityError,
    ReleaseRefused,
    TransientError,
    UnavailableError,
)
from clearance.ledger import address as ledger_address
from clearance.promotion import release
from clearance.promotion.next_step import Step
from clearance.promotion.session import open_session
from clearance.versioning import dvc_remote, pipeline_state
from tasks import release as release_task
from tasks import track
from tests.support import judged
from tests.support.nightly import every_third

ROOT = Path(__file__).parent.parent
DAY = dt.date(2026, 11, 30)
STRICTER = dt.date(2027, 6, 1)
NAME, CANDIDATES = "loan-approval", "loan-approval-candidate"
NOT_REPRODUCED = "promotion.verdict_not_reproduced"
DEMO = "signed with demo keys, which do not prove who signed"

Settle = Callable[..., Path]


@pytest.fixture
def settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settle:
    def place(**options: Any) -> Path:
        return judged.settle_with_store(tmp_path / "project", monkeypatch, **options)

    return place


def track_and_release(root: Path, day: dt.date = DAY) -> dict[str, Any]:
    track.main()
    return release.release(root, day)


def versions(name: str) -> dict[int, dict[str, str]]:
    return {
        int(version.version): dict(version.tags)
        for version in MlflowClient().search_model_versions(f"name='{name}'")
    }


def champion() -> int | None:
    version = registry.champion(registry.connect(), NAME)
    return version and version.number


def test_a_pass_is_registered_copied_and_made_champion(settle: Settle) -> None:
    root = settle()
    receipt = track_and_release(root)
    fingerprint = pipeline_state.verify(root).fingerprint
    (question,) = receipt.pop("request")
    assert "not pinned" in question
    with open_session(root) as session:
        assert receipt.pop("ledger") == ledger.head(session.book)[1]
    assert receipt == {
        "status": "promoted",
        "reason": "loan-approval version 1 is the champion.",
        "fingerprint": fingerprint,
        "verdict": "pass",
        "is_champion": True,
        "candidate": {"name": CANDIDATES, "version": 1, "note": DEMO},
        "champion": {"name": NAME, "version": 1, "note": DEMO},
        "test_uses": 1,
        "attempt": {"number": 1, "sentence": "attempt 1 at loan-approval since the beginning"},
    }
    tags = versions(CANDIDATES)[1]
    verdict = files.read_json(root / pipeline_state.VERDICT)
    assert tags["clearance.fingerprint"] == fingerprint
    assert tags["clearance.verdict"] == "pass"
    assert tags["clearance.judging.policy.id"] == "test"
    assert tags["clearance.judging.policy.sha256"] == files.sha256(root / "policies/test.yaml")
    assert tags["clearance.model.sha256"] == files.sha256(root / "models/trained/model.skops")
    evidence = {key: value for key, value in tags.items() if key.startswith("clearance.evidence.")}
    assert sorted(evidence.values()) == sorted(verdict["evidence"].values())
    assert versions(NAME)[1] == tags | {"clearance.demo": DEMO}
    assert MlflowClient().get_model_version_by_alias(NAME, "champion").tags == versions(NAME)[1]


def test_the_same_again_changes_nothing(settle: Settle) -> None:
    root = settle()
    first = track_and_release(root)
    before = judged.dump(root)
    second = track_and_release(root)
    assert judged.dump(root) == before
    assert second == first | {"status": "already champion"}
    third = track_and_release(root, STRICTER)  # what it would be judged today moves nobody
    assert judged.dump(root) == before
    assert third["is_champion"]


@pytest.mark.parametrize("verdict", ["fail", "insufficient_evidence"])
def test_a_refused_model_is_recorded_as_carefully_and_not_promoted(settle: Settle, verdict: str) -> None:
    root = settle(verdict=verdict)
    receipt = track_and_release(root)
    assert (receipt["status"], receipt["is_champion"], receipt["champion"]) == ("not promoted", False, None)
    assert "demographic parity difference" in receipt["reason"].lower()
    tags = versions(CANDIDATES)[1]
    assert tags["clearance.verdict"] == verdict
    assert tags["clearance.evidence.reports.fairness.json"] == files.sha256(root / "reports/fairness.json")
    assert not versions(NAME)
    before = judged.dump(root)
    assert track_and_release(root) == receipt
    assert judged.dump(root) == before


def test_a_blocked_run_registers_nothing_and_says_where_its_record_is(settle: Settle) -> None:
    root = settle(blocked=True)
    receipt = track_and_release(root)
    assert receipt["status"] == "no model"
    assert "only the run was tracked" in receipt["reason"]
    assert not MlflowClient().search_registered_models()


def test_a_hypothetical_verdict_records_nothing_and_asks_nobody(
    settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = {"file": "policies/other.yaml", "as_of": "2026-11-22"}
    root = settle(changes={"overrides": {"policy": {"file": "policies/other.yaml"}}, "policy": policy})
    monkeypatch.setattr(registry, "connect", lambda: pytest.fail("the registry was asked"))
    receipt = release.release(root, DAY)
    assert (receipt["status"], receipt["verdict"], receipt["candidate"]) == ("what if", "pass", None)


def test_a_run_with_other_overrides_may_be_promoted(settle: Settle) -> None:
    root = settle(changes={"overrides": {"train": {"arguments": {"C": 0.1}}}})
    assert track_and_release(root)["status"] == "promoted"


def test_what_passes_no_more_today_is_not_promoted(settle: Settle) -> None:
    root = settle()
    receipt = track_and_release(root, STRICTER)
    assert receipt["status"] == "not promoted"
    assert receipt["reason"].startswith("Judged again on 2027-06-01: refused; ")
    assert versions(CANDIDATES)[1]["clearance.verdict"] == "pass"
    assert not versions(NAME)


def test_a_policy_that_is_not_the_authorised_one_promotes_nothing(settle: Settle) -> None:
    root = settle(changes={"policy": {"file": "policies/mild.yaml", "as_of": "2026-11-22"}})
    shutil.copy(root / "policies/mild.yaml", root / "policies/test.yaml")
    with (root / "policies/test.yaml").open("a") as file:
        file.write("# another version of the same rules\n")
    receipt = track_and_release(root)
    assert receipt["status"] == "not promoted"
    assert "judged under a version of policies/mild.yaml" in receipt["reason"]
    assert list(versions(CANDIDATES)) == [1] and not versions(NAME)


def test_a_model_nobody_authorised_a_policy_for_is_not_promoted(settle: Settle) -> None:
    root = settle(changes={"name": "another"})
    receipt = track_and_release(root)
    assert receipt["status"] == "not promoted"
    assert receipt["reason"].startswith("another was judged under a version of ")
    assert list(versions("another-candidate")) == [1] and not versions("another")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "models: {loan-approval: {policy: policies/none.yaml, tier: none}}",
            "policies/none.yaml, .* is missing",
        ),
        ("models: {loan-approval: {polcy: policies/test.yaml}}", "did you mean `policy`"),
        ("model: {}", "models"),
        ("", "holds no keys"),
        (None, "is missing"),
    ],
)
def test_a_faulty_list_of_authorised_policies_is_an_error(
    settle: Settle, text: str | None, match: str
) -> None:
    root = settle()
    path = root / "policies/authorised.yaml"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ConfigurationError, match=match):
        track_and_release(root)
    assert not MlflowClient().search_registered_models()


def test_where_approvals_are_asked_for_the_candidate_waits(settle: Settle) -> None:
    root = settle(policy={"promotion": judged.PROMOTION | {"approvals": {"none": {"validator": 1}}}})
    receipt = track_and_release(root)
    assert receipt["status"] == "awaiting approval"
    assert receipt["reason"] == "Missing: 1 approval from role validator (possible: vera)."
    assert list(versions(CANDIDATES)) == [1] and not versions(NAME)


def test_on_which_verdicts_a_model_may_ship_is_the_policys_to_say(settle: Settle) -> None:
    when = {"promotion": judged.PROMOTION | {"when": ["pass", "insufficient_evidence"]}}
    assert track_and_release(settle(verdict="insufficient_evidence", policy=when))["status"] == "promoted"


def forge(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the verdict and lock it, as somebody would who wants a pass."""
    verdict = files.read_json(root / pipeline_state.VERDICT)
    change(verdict)
    files.write_json(root / pipeline_state.VERDICT, verdict)
    judged.lock(root)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda verdict: verdict.update(verdict="pass"), NOT_REPRODUCED),
        (lambda verdict: verdict["findings"][1].update(outcome="pass"), NOT_REPRODUCED),
        (lambda verdict: verdict.update(findings=[], reasons=[], verdict="pass"), NOT_REPRODUCED),
        (lambda verdict: verdict["policy"].update(as_of="2026-01-01"), NOT_REPRODUCED),
        (lambda verdict: verdict.update(extra="a word"), "documents.does_not_fit"),
        (lambda verdict: verdict["evidence"].pop("reports/fairness.json"), NOT_REPRODUCED),
    ],
)
def test_a_forged_verdict_is_found_out(
    settle: Settle, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    root = settle(verdict="fail")
    forge(root, change)
    with pytest.raises(IntegrityError) as error:
        track_and_release(root)
    assert error.value.code == code
    assert not MlflowClient().search_registered_models()


def test_evidence_that_does_not_match_registers_nothing(settle: Settle) -> None:
    root = settle()
    track.main()
    (root / "reports/fairness.json").unlink()
    with pytest.raises(IntegrityError, match=r"reports/fairness\.json is missing"):
        release.release(root, DAY)
    assert not MlflowClient().search_registered_models()


def test_what_was_not_tracked_is_not_released(settle: Settle) -> None:
    root = settle()
    with pytest.raises(IntegrityError) as error:
        release.release(root, DAY)
    assert error.value.code == "promotion.run_incomplete"
    track.main()
    (run,) = MlflowClient().search_runs(["1"])
    MlflowClient().delete_tag(run.info.run_id, "clearance.complete")
    with pytest.raises(IntegrityError) as error:
        release.release(root, DAY)
    assert error.value.code == "promotion.run_incomplete"


def test_a_better_model_takes_over_and_the_old_one_does_not_slip_back(settle: Settle) -> None:
    root = settle()
    track_and_release(root)
    judged.put(root, model=1)
    assert track_and_release(root)["champion"] == {"name": NAME, "version": 2, "note": DEMO}
    judged.put(root)
    before = judged.dump(root)
    receipt = track_and_release(root)
    assert receipt["status"] == "superseded"
    assert f"{NAME} version 2 is champion" in receipt["reason"]
    assert judged.dump(root) == before
    MlflowClient().delete_registered_model_alias(NAME, "champion")
    with pytest.raises(IntegrityError) as error:
        track_and_release(root)
    assert error.value.code == "promotion.alias_moved"
    assert error.value.values["position"] == "is missing"
    assert champion() is None


def test_a_refused_model_leaves_the_champion_alone(settle: Settle) -> None:
    root = settle()
    track_and_release(root)
    judged.put(root, verdict="fail", model=1)
    receipt = track_and_release(root)
    assert receipt["status"] == "not promoted"
    assert receipt["champion"] == {"name": NAME, "version": 1, "note": DEMO}


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


WRITES = (
    "create_registered_model",
    "create_model_version",
    "copy_model_version",
    "set_model_version_tag",
    "update_model_version",
    "set_registered_model_alias",
    "log_artifact",
)


def kill_at(patch: pytest.MonkeyPatch, moment: int, *, after: bool) -> list[str]:
    """Die before, or `after`, the write number `moment`; the writes so far are returned as they come."""
    writes: list[str] = []

    def wrap(name: str) -> None:
        original = getattr(MlflowClient, name)

        def write(*arguments: Any, **keywords: Any) -> Any:
            writes.append(name)
            if len(writes) == moment and not after:
                raise Killed
            result = original(*arguments, **keywords)
            if len(writes) == moment:
                raise Killed
            return result

        patch.setattr(MlflowClient, name, write)

    for name in WRITES:
        wrap(name)
    return writes


def forget(root: Path) -> None:
    """Begin a new ledger, as a registry of its own needs one."""
    for path in (root / ".clearance").glob("ledger*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(root / ".clearance/evidence", ignore_errors=True)


def told(root: Path) -> list[tuple[str, int]]:
    """The ledger's entries, without the intents that a crash left unfinished and that were given up."""
    with open_session(root) as office:
        entries = office.entries(NAME)
        assert office.audit().ok
    given_up = {entry.body["intent"] for entry in entries if entry.kind == "repair"}
    return [
        (entry.kind, entry.body["version"])
        for entry in entries
        if entry.kind != "repair" and entry.number not in given_up
    ]


def world() -> dict[str, Any]:
    """The registry without ids and times."""
    own = ("clearance.model.id",)
    models = MlflowClient().search_registered_models()
    return {
        model.name: {
            "aliases": {alias: int(number) for alias, number in model.aliases.items()},
            "versions": {
                number: {key: value for key, value in tags.items() if key not in own}
                for number, tags in versions(model.name).items()
            },
        }
        for model in models
    }


def test_a_release_killed_at_any_write_ends_like_one_that_was_not(
    settle: Settle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = settle()
    with pytest.MonkeyPatch.context() as patch:
        writes = kill_at(patch, 0, after=False)
        track_and_release(root)
    baseline, entries = world(), told(root)
    assert set(writes) == set(WRITES)
    for moment, after in every_third(product(range(1, len(writes) + 1), (False, True))):
        store = tmp_path / f"{moment}-{after}" / "mlflow.db"
        store.parent.mkdir()
        shutil.copy(judged.empty_store(), store)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
        forget(root)
        track.main()
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, moment, after=after)
            release.release(root, DAY)
        assert release.release(root, DAY)["is_champion"]
        assert world() == baseline, (writes[moment - 1], after)
        assert told(root) == entries, (writes[moment - 1], after)
        assert release.release(root, DAY)["status"] == "already champion"


def at_the_alias(root: Path, *, after: bool) -> None:
    """A release that dies before or `after` its last write, which sets the alias."""
    track.main()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, len(WRITES) + 1, after=after)  # two registered models are created
        release.release(root, DAY)


def test_a_champion_that_a_crash_left_unconfirmed_is_confirmed_and_not_promoted_back_later(
    settle: Settle,
) -> None:
    root = settle()
    at_the_alias(root, after=True)
    assert champion() == 1 and ("promotion", 1) not in told(root)
    judged.put(root, model=1)
    track_and_release(root)
    assert [entry for entry in told(root) if entry[0] == "promotion"] == [("promotion", 1), ("promotion", 2)]
    judged.put(root)
    assert track_and_release(root)["status"] == "superseded"
    assert champion() == 2


def test_a_copy_left_behind_by_a_crash_is_not_promoted_over_a_later_champion(settle: Settle) -> None:
    root = settle()
    at_the_alias(root, after=False)
    assert champion() is None and list(versions(NAME)) == [1]
    judged.put(root, model=1)
    track_and_release(root)
    assert ("promotion", 1) not in told(root)
    judged.put(root)
    assert track_and_release(root)["status"] == "superseded"
    assert champion() == 2


def test_a_step_that_mlflow_does_not_keep_ends_in_an_error(
    settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = settle()
    monkeypatch.setattr(registry, "set_champion", lambda *_: None)
    with pytest.raises(TransientError) as error:
        track_and_release(root)
    assert error.value.code == "promotion.step_not_kept"
    assert error.value.values["step"] is Step.SET_CHAMPION


def model_place(root: Path) -> Path:
    (place,) = (root / "mlruns").glob("*/models/*/artifacts")
    return place


def test_a_model_file_that_was_swapped_in_mlflow_is_not_promoted(settle: Settle) -> None:
    root = settle()
    track.main()
    (model_place(root) / "model.skops").write_bytes(judged.trained(1))
    with pytest.raises(IntegrityError, match=r"model\.skops is not what was judged"):
        release.release(root, DAY)
    assert champion() is None and not versions(NAME)


def test_a_champion_whose_file_was_swapped_is_told(settle: Settle) -> None:
    root = settle()
    track_and_release(root)
    (model_place(root) / "model.skops").write_bytes(judged.trained(1))
    with pytest.raises(IntegrityError, match=r"model\.skops is not what was judged"):
        release.release(root, DAY)


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_a_candidate_that_somebody_planted_is_told(settle: Settle, verdict: str) -> None:
    root = settle(verdict=verdict)
    track.main()
    client = MlflowClient()
    client.create_registered_model(CANDIDATES)
    (run,) = client.search_runs(["1"])
    client.create_model_version(
        CANDIDATES,
        f"models:/{run.outputs.model_outputs[0].model_id}",
        run.info.run_id,
        tags={
            "clearance.fingerprint": pipeline_state.verify(root).fingerprint,
            "clearance.name": NAME,
            "clearance.verdict": "not what was judged",
        },
    )
    with pytest.raises(IntegrityError) as error:
        release.release(root, DAY)
    assert error.value.code == "promotion.tag_changed"
    assert error.value.values["tag"] == "clearance.verdict"
    assert champion() is None


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry counts as one that others see, and so does the ledger."""
    connect = registry.connect
    monkeypatch.setattr(ledger_address, "is_shared", lambda _: True)
    monkeypatch.setattr(registry, "connect", lambda: replace(connect(), shared=True))


def add_remote(root: Path, address: str) -> None:
    with Repo(str(root)) as repo, repo.config.edit() as config:
        config["remote"]["store"] = {"url": address}
        config["core"]["remote"] = "store"


@pytest.mark.parametrize("name", ["CI", "CLEARANCE_EPHEMERAL"])
def test_a_machine_that_goes_away_needs_a_registry_that_stays(
    settle: Settle, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    root = settle()
    track.main()
    monkeypatch.setenv(name, "true")
    with pytest.raises(ReleaseRefused) as error:
        release.release(root, DAY)
    assert error.value.code == "promotion.registry_not_shared"
    assert error.value.values["variable"] == name
    assert not MlflowClient().search_registered_models()
    monkeypatch.setenv(name, "false")
    assert release.release(root, DAY)["status"] == "promoted"


@pytest.mark.parametrize("address", [None, "store", "{root}/store", "file://{root}/store"])
def test_a_machine_that_goes_away_needs_a_remote_that_stays(
    settle: Settle, monkeypatch: pytest.MonkeyPatch, shared: None, address: str | None
) -> None:
    root = settle()
    track.main()
    monkeypatch.setenv("CI", "1")
    if address:
        add_remote(root, address.format(root=root))
    with pytest.raises(ReleaseRefused) as error:
        release.release(root, DAY)
    assert error.value.code == "promotion.remote_not_shared"
    assert not MlflowClient().search_registered_models()


def test_a_project_may_lie_in_a_folder_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = judged.settle_with_store(tmp_path / "100%25 a%b? {x} #1 &c=d'e\"", monkeypatch)
    add_remote(root, str(tmp_path / "a {remote}"))
    track.main()
    assert release.release(root, DAY)["status"] == "promoted"
    assert all(check.holds for check in library.verify(root))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([root.name, "a {remote}"])


def test_a_machine_that_goes_away_needs_a_ledger_that_stays(
    settle: Settle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root, connect = settle(), registry.connect
    track.main()
    monkeypatch.setattr(registry, "connect", lambda: replace(connect(), shared=True))
    add_remote(root, str(tmp_path / "store"))
    monkeypatch.setenv("CI", "1")
    for url in (None, f"sqlite:///{tmp_path}/elsewhere.db"):
        if url:
            monkeypatch.setenv("CLEARANCE_LEDGER", url)
        with pytest.raises(ReleaseRefused) as error:
            release.release(root, DAY)
        assert error.value.code == "promotion.ledger_not_shared"
    assert not MlflowClient().search_registered_models()
    assert ledger_address.is_shared("postgresql://host/ledger")


def test_outputs_are_pushed_before_a_promotion(
    settle: Settle, monkeypatch: pytest.MonkeyPatch, shared: None, tmp_path: Path
) -> None:
    root = settle()
    track.main()
    monkeypatch.setenv("CI", "1")
    add_remote(root, str(tmp_path / "store"))
    assert release.release(root, DAY)["status"] == "promoted"
    pushed = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    digests = {files.sha256(path) for path in pushed}
    for out in ("models/trained/model.skops", "data/prepared/label.parquet", "reports/verdict.json"):
        assert files.sha256(root / out) in digests


def test_a_refused_model_is_not_pushed(settle: Settle, tmp_path: Path) -> None:
    root = settle(verdict="fail")
    add_remote(root, str(tmp_path / "store"))
    assert track_and_release(root)["status"] == "not promoted"
    assert not (tmp_path / "store").exists()


def test_without_a_successful_push_nothing_is_promoted(settle: Settle, tmp_path: Path) -> None:
    root = settle()
    (tmp_path / "store").write_text("a file where the remote's folder should be")
    add_remote(root, str(tmp_path / "store"))
    with pytest.raises(UnavailableError, match="cannot be pushed"):
        track_and_release(root)
    assert champion() is None and not versions(NAME)
    (tmp_path / "store").unlink()
    assert release.release(root, DAY)["status"] == "promoted"


@pytest.mark.parametrize("whole", [True, False], ids=["the listing", "a file in it"])
def test_what_the_remote_did_not_get_is_not_promoted(settle: Settle, tmp_path: Path, whole: bool) -> None:
    root = settle()
    add_remote(root, str(tmp_path / "store"))
    locked = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    (out,) = (out for out in locked["train"]["outs"] if out["path"] == "models/trained")
    digest = out["md5"] if whole else hashlib.md5(judged.trained(0), usedforsecurity=False).hexdigest()
    (root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).unlink()  # DVC pushes the rest, and is content
    with pytest.raises(UnavailableError, match=r"the DVC remote lacks models/trained after the push"):
        track_and_release(root)
    assert champion() is None


def test_a_remote_that_is_named_and_not_configured_is_an_error(settle: Settle) -> None:
    root = settle()
    with Repo(str(root)) as repo, repo.config.edit() as config:
        config["core"]["remote"] = "nowhere"
    with pytest.raises(ConfigurationError, match="nowhere is not configured"):
        dvc_remote.default_remote(root)


def test_the_command_leaves_a_receipt_and_says_what_happened(
    settle: Settle, caplog: pytest.LogCaptureFixture
) -> None:
    root = settle(verdict="fail")
    track.main()
    caplog.set_level("INFO")
    caplog.clear()
    release_task.main()
    receipt = files.read_json(root / paths.RELEASE_RECEIPT)
    assert receipt["candidate"] == {"name": CANDIDATES, "version": 1, "note": DEMO}
    assert [record.getMessage() for record in caplog.records][1:4] == [
        f"registered: loan-approval-candidate version 1 ({DEMO})",
        *receipt["request"],
        f"not promoted: {receipt['reason']}",
    ]
    assert len(caplog.records) == 6  # the verdict first, the attempt and the uses of the test set last
    assert receipt["test_uses"] == 1
    (root / "reports/fairness.json").unlink()
    with pytest.raises(IntegrityError):
        release_task.main()
    assert not (root / paths.RELEASE_RECEIPT).exists()


@pytest.mark.parametrize("first", [False, True])
def test_an_alias_that_somebody_moved_by_hand_is_found_and_put_right(settle: Settle, first: bool) -> None:
    root = settle()
    if not first:
        track_and_release(root)
        judged.put(root, model=1)
    track_and_release(root)
    if first:
        judged.put(root, verdict="fail", model=1)
        track_and_release(root)
        MlflowClient().copy_model_version(f"models:/{CANDIDATES}/2", NAME)
    other = 2 if first else 1
    MlflowClient().set_registered_model_alias(NAME, "champion", str(other))
    with pytest.raises(IntegrityError) as error:
        track_and_release(root)
    assert error.value.code == "promotion.alias_moved"
    assert error.value.values["position"] == f"points at loan-approval version {other}"
    assert f"rollback --to {1 if first else 2}" in error.value.hint


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real MLflow server on loopback, with a store of its own."""
    import socket
    import time
    import urllib.error
    import urllib.request

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    home = tmp_path / "server"
    home.mkdir()
    shutil.copy(judged.empty_store(), home / "mlflow.db")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--workers", "1"]
    command += ["--artifacts-destination", str(home / "artifacts"), "--serve-artifacts"]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=home, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health")  # noqa: S310 - loopback
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, (home / "log").read_text()
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait()


@pytest.mark.slow
def test_through_a_real_server_it_ends_the_same(
    settle: Settle,
    served: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    root = settle()
    add_remote(root, str(tmp_path / "store"))
    track_and_release(root)
    embedded = world()
    forget(root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", served)
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(ledger_address, "is_shared", lambda _: True)
    assert track_and_release(root)["status"] == "promoted"
    assert world() == embedded
    assert capfd.readouterr() == ("", "")
    before = judged.dump(tmp_path / "server")
    assert track_and_release(root)["status"] == "already champion"
    assert judged.dump(tmp_path / "server") == before
    artifact = next((tmp_path / "server" / "artifacts").rglob("model.skops"))
    assert files.sha256(artifact) == files.sha256(root / "models/trained/model.skops")
    artifact.write_bytes(judged.trained(1))
    with pytest.raises(IntegrityError, match=r"model\.skops is not what was judged"):
        release.release(root, DAY)


def test_compliances_list_names_the_demos_model_and_an_existing_policy() -> None:
    from clearance.policy import authorised

    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert authorised.find(ROOT, settings["name"]).policy == Path(settings["policy"]["file"])


REASONS = {"kind": "legal", "source": "12 CFR 1002.9(b)(2)", "valid_from": "2026-01-01"}
STATED: dict[str, Any] = {
    "policy": {
        **{"id": "test", "version": "1", "source": "12 CFR 1002.9(b)(2)", "method": "near_cutoff"},
        **{"band": 0.2, "minimum_rows": 30, "at_most": 4, "near_share": 0.9, "key_factors": False},
        "required": True,
    },
    "near_cutoff": {"rows": 40, "means": {"income": 0.1}},
}


@pytest.mark.parametrize(
    ("reasons", "why"),
    [
        (STATED, None),
        (None, "reports/reasons.json"),
        ({"not_evaluated": "the policy was another one"}, "reports/reasons.json"),
        (STATED | {"text_problems": ["`income` has no text"]}, "`income` has no text"),
        (STATED | {"insufficient": "only 3 tune rows"}, "only 3 tune rows"),
        (STATED | {"not_evaluated": "no exact contributions"}, "no exact contributions"),
        (
            STATED | {"not_evaluated": "no contributions", "policy": STATED["policy"] | {"required": False}},
            None,
        ),
        (
            STATED | {"text_problems": ["no text"], "policy": STATED["policy"] | {"required": False}},
            "no text",
        ),
    ],
)
def test_a_version_whose_denials_cannot_be_reasoned_is_not_promoted(
    reasons: dict[str, Any] | None, why: str | None, settle: Settle
) -> None:
    """Neither without the document, nor with a text that no notice may state; unless the policy allows it."""
    receipt = track_and_release(settle(policy={"reasons": REASONS}, reasons=reasons))
    assert receipt["is_champion"] == (why is None)
    assert why is None or why in receipt["reason"]


def test_a_policy_without_reasons_asks_for_none(settle: Settle) -> None:
    receipt = track_and_release(settle(reasons=STATED | {"text_problems": ["no text"]}))
    assert receipt["is_champion"]
