"""What deploys the project: the rules of its manifests, its bill of materials, its image's source."""

from __future__ import annotations

import copy
import datetime as dt
import fnmatch
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from clearance.documents.comparison_document import (
    ComparedRows,
    ComparedVersion,
    ComparisonDocument,
    ComparisonFinding,
)
from clearance.documents.measurement import Outcome
from clearance.documents.release_receipt import ReleaseReceipt
from clearance.versioning import pipeline_state
from tools import compose_rules, deploy_check, gate, image, manifests, sbom

ROOT = Path(__file__).parent.parent
Objects = list[dict[str, Any]]
PRODUCTION = deploy_check.load(deploy_check.path("production"))
ARGO = deploy_check.load(deploy_check.ARGO)
WORKLOADS = [item for item in PRODUCTION if item["kind"] in manifests.WORKLOADS]


MUTATIONS = yaml.safe_load((ROOT / "tests/samples/mutated_manifests.yaml").read_text(encoding="utf-8"))


def find(objects: Objects, subject: str) -> dict[str, Any] | None:
    """The object that a pattern such as `ConfigMap/settings-*` names."""
    matches = [
        item for item in objects if fnmatch.fnmatch(f"{item['kind']}/{item['metadata']['name']}", subject)
    ]
    return matches[0] if matches else None


def pod(item: dict[str, Any]) -> dict[str, Any]:
    """The spec of a workload's pod."""
    for key in manifests.WORKLOADS[item["kind"]]:
        item = item[key]
    return item


def mutate(objects: Objects, mutation: dict[str, Any]) -> Objects:
    """A copy of the objects with one fault in it."""
    objects = copy.deepcopy(objects)
    item = find(objects, mutation["of"])
    if item is None:
        kind, _, name = mutation["of"].partition("/")
        content = {mutation["at"]: mutation["add"]}
        return [*objects, {"kind": kind, "metadata": {"name": name, "namespace": "clearance"}, **content}]
    if not mutation["at"]:
        return [other for other in objects if other is not item]
    first, *rest = mutation["at"].split(".")
    path = {"pod": [], "main": ["containers", "0"]}.get(first, [first]) + rest
    place: Any = pod(item) if first in {"pod", "main"} else item
    for key in path[:-1]:
        place = place[int(key)] if isinstance(place, list) else place[key]
    if "remove" in mutation:
        del place[path[-1]]
    elif "add" in mutation:
        place[path[-1]].append(mutation["add"])
    else:
        place[path[-1]] = mutation["set"]
    return objects


@pytest.mark.parametrize("overlay", deploy_check.OVERLAYS)
def test_our_own_manifests_keep_every_rule(overlay: str) -> None:
    objects = deploy_check.load(deploy_check.path(overlay))
    assert manifests.findings(objects, digests=deploy_check.OVERLAYS[overlay]) == []


def test_argo_template_and_compose_file_keep_every_rule() -> None:
    assert manifests.findings(ARGO, digests=True) == []
    assert compose_rules.findings(deploy_check.load(deploy_check.COMPOSE)[0]) == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation["fault"])
def test_a_mutated_manifest_is_refused_for_its_own_fault(mutation: dict[str, Any]) -> None:
    objects = mutate(PRODUCTION, mutation)
    assert objects != PRODUCTION
    assert mutation["code"] in {finding.code for finding in manifests.findings(objects, digests=True)}


def test_there_are_more_than_sixty_mutations_and_each_rule_has_one() -> None:
    assert len(MUTATIONS) > 60
    source = (ROOT / "tools/manifests.py").read_text(encoding="utf-8")
    assert {mutation["code"] for mutation in MUTATIONS} == set(
        re.findall(r'yield "([a-z_]+\.[a-z_]+)"', source)
    )


@given(workload=st.sampled_from(range(len(WORKLOADS))), data=st.data())
def test_what_a_container_does_not_say_is_refused(workload: int, data: Any) -> None:
    """In any workload: drop any part of a security context, of the resources or of the image's name."""
    objects = copy.deepcopy(PRODUCTION)
    spec = pod([item for item in objects if item["kind"] in manifests.WORKLOADS][workload])
    container = data.draw(st.sampled_from([*spec.get("initContainers", ()), *spec["containers"]]))
    parts = [
        *(
            (spec["securityContext"], key)
            for key in ("runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile")
        ),
        *((container["securityContext"], key) for key in container["securityContext"]),
        *((container["resources"], key) for key in container["resources"]),
        *((spec, key) for key in ("serviceAccountName", "automountServiceAccountToken")),
        (container, "image"),
    ]
    place, key = data.draw(st.sampled_from(parts))
    del place[key]
    assert manifests.findings(objects, digests=True)


@given(st.text(max_size=30).filter(lambda kind: kind not in manifests.KINDS))
def test_an_unknown_kind_of_object_is_refused(kind: str) -> None:
    item = {"kind": kind, "metadata": {"name": "x", "namespace": "clearance"}}
    codes = {finding.code for finding in manifests.findings([*PRODUCTION, item], digests=True)}
    assert "object.kind" in codes


@pytest.mark.parametrize("change", [
    lambda spec: spec.pop("activeDeadlineSeconds"),
    lambda spec: spec["templates"][0]["container"]["securityContext"].update(privileged=True),
    lambda spec: spec["templates"][0]["container"].update(image="clearance:latest"),
    lambda spec: spec.pop("securityContext"),
    lambda spec: spec["templates"][0].update(sidecars=[{"name": "s", "image": "s"}]),
    lambda spec: spec["volumes"].append({"name": "h", "hostPath": {"path": "/"}}),
])  # fmt: skip
def test_a_mutated_argo_template_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    objects = copy.deepcopy(ARGO)
    change(objects[0]["spec"])
    assert manifests.findings(objects, digests=True)


@pytest.mark.parametrize(("service", "change"), [
    ("server", {"privileged": True}),
    ("server", {"user": "0"}),
    ("server", {"read_only": False}),
    ("server", {"cap_drop": []}),
    ("server", {"security_opt": []}),
    ("server", {"ports": ["8322:8322"]}),
    ("server", {"network_mode": "host"}),
    ("server", {"environment": {"CLEARANCE_LEDGER": "postgresql://a:hunter2@b/c"}}),
    ("postgresql", {"environment": {"POSTGRES_PASSWORD": "hunter2"}}),
    ("postgresql", {"image": "postgres:latest"}),
    ("postgresql", {"image": "postgres"}),
    ("postgresql", {"user": "root"}),
    ("worker", {"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}),
])  # fmt: skip
def test_a_mutated_compose_file_is_refused(service: str, change: dict[str, Any]) -> None:
    compose = copy.deepcopy(deploy_check.load(deploy_check.COMPOSE)[0])
    compose["services"][service].update(change)
    assert [finding.subject for finding in compose_rules.findings(compose)] == [f"service/{service}"]


@pytest.mark.parametrize("overlay", deploy_check.OVERLAYS)
def test_the_rendered_overlay_is_what_kustomize_makes_of_it(overlay: str) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    assert list(yaml.safe_load_all(deploy_check.render(overlay))) == deploy_check.load(
        deploy_check.path(overlay)
    )


@pytest.mark.parametrize(("key", "value", "code"), [
    ("concurrencyPolicy", "Allow", "job.concurrency"),
    ("startingDeadlineSeconds", None, "job.start"),
    ("workflowSpec", {"workflowTemplateRef": {"name": "drift"}}, "job.deadline"),
])  # fmt: skip
def test_a_mutated_schedule_of_argo_is_refused(key: str, value: object, code: str) -> None:
    objects = copy.deepcopy(ARGO)
    objects[1]["spec"][key] = value
    assert [finding.code for finding in manifests.findings(objects, digests=True)] == [code]


def test_every_job_ends_before_the_next_of_it_is_due() -> None:
    """A run that hangs blocks no schedule: daily jobs, deadlines below a day, and no two at once."""
    jobs = [item["spec"] for item in PRODUCTION if item["kind"] == "CronJob"]
    assert len(jobs) == 3
    for spec in jobs:
        minute, hour, *_ = spec["schedule"].split()
        assert minute.isdigit()
        assert hour.isdigit()
        assert spec["concurrencyPolicy"] == "Forbid"
        assert 0 < spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 24 * 3600


def test_no_pod_mounts_the_secret_of_another_role_and_no_role_reads_any() -> None:
    mounted = {}
    for workload in WORKLOADS:
        spec = pod(workload)
        names = {item["secret"]["secretName"] for item in spec["volumes"] if "secret" in item}
        mounted[spec["serviceAccountName"]] = names
    assert mounted == {
        "auditor": {"auditor"},
        "data-scientist": {"data-scientist"},
        "drift": set(),
        "promoter": {"promoter"},
        "server": {"server", "server-tls"},
    }
    resources = [
        resource
        for item in PRODUCTION
        if item["kind"] == "Role"
        for allowed in item["rules"] or ()
        for resource in allowed["resources"]
    ]
    assert not [resource for resource in resources if resource.startswith("secrets")]


def test_the_bill_lists_each_locked_package_and_is_valid() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    time = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    text = sbom.bill(lock, time)
    assert text == sbom.bill(lock, time)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    listed = {(item["name"].lower(), item["version"]) for item in bill["components"]}
    assert ("mlflow", dict(sbom.packages(lock))["mlflow"]) in listed
    assert len(listed) == len(sbom.packages(lock)) > 200


def test_a_package_whose_marker_does_not_hold_is_not_in_the_bill() -> None:
    lock = "here==1.0 \\\n    --hash=sha256:00\nnowhere==2.0 ; sys_platform == 'win32' \\\n"
    assert sbom.packages(lock) == [("here", "1.0")]


def test_the_bundle_of_a_commit_does_not_depend_on_how_the_clone_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str, folder: Path) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *words]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    first, second = tmp_path / "first", tmp_path / "second"
    git("init", "--quiet", str(first), folder=tmp_path)
    for number in range(5):
        (first / "table.txt").write_text("".join(f"{line * (number + 1)}\n" for line in range(500)))
        git("add", ".", folder=first)
        git("commit", "--quiet", "--message", str(number), folder=first)
    commit = git("rev-parse", "HEAD", folder=first)
    git("clone", "--quiet", "--no-local", str(first), str(second), folder=tmp_path)
    git("repack", "-adfq", "--depth=1", folder=second)
    bundles = []
    for folder in (first, second):
        monkeypatch.setattr(image, "ROOT", folder)
        bundles.append(image.bundle(commit))
    assert bundles[0] == bundles[1]
    (tmp_path / "project.bundle").write_bytes(bundles[0])
    git("clone", "--quiet", "project.bundle", "third", folder=tmp_path)
    assert git("rev-parse", "HEAD", folder=tmp_path / "third") == commit


def test_every_engine_is_given_commit_lock_and_time() -> None:
    origin = image.Source(commit="c" * 40, time=1_700_000_000, lock="d" * 64)
    for engine in image.ENGINES:
        command = image.build_command(
            engine, Path("f"), origin, base="python@sha256:1", tag="t", flags=["--no-cache"]
        )
        assert command[:2] == [engine, "build"]
        assert {
            f"SOURCE_COMMIT={origin.commit}",
            f"LOCK_DIGEST={origin.lock}",
            "SOURCE_DATE_EPOCH=1700000000",
        } < {*command}
        assert ("--timestamp" in command) is (engine != "docker")
        assert command[-2:] == ["--no-cache", "f"]


@pytest.mark.parametrize("state", ["empty", "same lock", "another lock"])
def test_a_project_volume_is_filled_once_and_must_have_the_lock_of_the_image(
    tmp_path: Path, state: str
) -> None:
    """The entry point of the image, run with its folders moved."""
    project, own = tmp_path / "project", tmp_path / "own"
    own.mkdir()
    project.mkdir()
    (own / "requirements.lock").write_text("a==1\n")
    script = (ROOT / image.OPEN_PROJECT).read_text(encoding="utf-8")
    script = script.replace("/opt/clearance", str(own)).replace("/project\n", f"{project}\n")
    if state == "empty":
        subprocess.run(["git", "init", "-q", "s"], cwd=tmp_path, check=True)
        for name in ("dvc.yaml", "requirements.lock"):
            (tmp_path / "s" / name).write_text("a==1\n")
        names = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
        subprocess.run(["git", "add", "."], cwd=tmp_path / "s", check=True)
        subprocess.run(["git", *names, "commit", "-qm", "x"], cwd=tmp_path / "s", check=True)
        bundle = ["git", "bundle", "create", "-q", str(own / "project.bundle"), "HEAD", "--all"]
        subprocess.run(bundle, cwd=tmp_path / "s", check=True)
    else:
        (project / "dvc.yaml").write_text("mine\n")
        (project / "requirements.lock").write_text("a==1\n" if state == "same lock" else "a==2\n")
    done = subprocess.run(
        ["sh", "-c", script, "sh", "cat", "dvc.yaml"], capture_output=True, text=True, check=False
    )
    expected = {"empty": (0, "a==1\n"), "same lock": (0, "mine\n"), "another lock": (78, "")}
    assert (done.returncode, done.stdout) == expected[state], done.stderr


def comparison(outcome: str, fingerprint: str, champion: bool = True) -> ComparisonDocument:
    model = ComparedVersion(fingerprint=fingerprint, sha256="ab" * 32, threshold=0.5, version=None)
    finding = ComparisonFinding(
        demand="quality",
        metric="accuracy",
        attribute=None,
        limit=None,
        severity="block",
        outcome=Outcome(outcome),
        reason="accuracy is 0.031 lower",
        change=None,
    )
    return ComparisonDocument(
        name="loans",
        candidate=model,
        champion=replace(model, fingerprint="other") if champion else None,
        policy_sha256="cd" * 32,
        asked={},
        rows=ComparedRows(test=9, left_out=0, compared=9, sha256=None),
        outcome=Outcome(outcome),
        approvals=0,
        findings=(finding,),
        figures={},
        notes=(),
    )


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (comparison("fail", "mine"), "fail"),
        (comparison("insufficient_evidence", "mine"), "insufficient_evidence"),
        (comparison("pass", "mine"), "pass"),
        (comparison("pass", "of another model"), "not_evaluated"),
        (None, "not_evaluated"),
    ],
    ids=["accuracy lost", "too few rows", "no loss", "another model", "no comparison"],
)
def test_the_gate_takes_a_comparison_of_this_very_model_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: ComparisonDocument | None, expected: str
) -> None:
    for name in ("params.yaml", "policies"):
        (tmp_path / name).symlink_to(ROOT / name)
    state = SimpleNamespace(fingerprint="mine")
    monkeypatch.setattr(pipeline_state, "verify", lambda _root: state)
    receipt = SimpleNamespace(fingerprint="mine", is_champion=False)
    monkeypatch.setattr(ReleaseReceipt, "read", lambda _root: receipt)
    if last is not None:
        last.write(tmp_path)
    outcome, reasons = gate.compare_with_champion(tmp_path)
    assert (outcome, bool(reasons)) == (expected, expected != "pass")
    receipt.is_champion = True
    assert gate.compare_with_champion(tmp_path)[0] == Outcome.PASS
    receipt.fingerprint = "of an earlier run"
    assert gate.compare_with_champion(tmp_path)[0] == expected
