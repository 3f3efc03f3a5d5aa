"""What a person may get wrong, as one table: each has one message with the fault and the mend, and its exit.

The stages run one after the other as their commands do, on a small table of a newcomer's own. What needs a
cache, a server or a kill is planted elsewhere; the second table says where.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from clearance import files, stage
from clearance.documents.measurement import Outcome
from clearance.errors import ExitCode

SOURCE = Path("data/source/applicants.csv")
CHAIN = [
    *("ingest", "validate raw", "prepare", "validate prepared", "train", "score"),
    *("evaluate", "assess", "explain", "reasons", "baseline", "judge"),
]
ROOT = Path(__file__).resolve().parent.parent


def table(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    skill = rng.normal(size=rows).round(3)
    return pd.DataFrame(
        {
            "applicant": np.arange(rows),
            "gender": rng.choice(["woman", "man"], rows),
            "skill": skill,
            "years": rng.integers(0, 20, rows),
            "invited": np.where(skill + rng.normal(size=rows) > 0, "yes", "no"),
        }
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the parameters, the policy and a sound table."""
    monkeypatch.chdir(tmp_path)
    SOURCE.parent.mkdir(parents=True)
    table().to_csv(SOURCE, index=False)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params |= {
        "name": "hiring",
        "source": {"kind": "file", "path": str(SOURCE)},
        "data": {
            "row_key": "applicant",
            "target": "invited",
            "favourable": "yes",
            "protected": ["gender"],
            "features": ["skill", "years"],
        },
    }
    params["policy"]["file"] = "policies/hiring.yaml"
    Path("params.yaml").write_text(yaml.safe_dump(params))
    policy = yaml.safe_load((ROOT / "policies/demo.yaml").read_text())
    policy |= {"attributes": ["gender"], "favourable": {"target": "invited", "value": "yes"}}
    del policy["reasons"]  # about credit
    for rule in policy["rules"]:
        if "attributes" in rule:
            rule["attributes"] = ["gender"]
    Path("policies").mkdir()
    Path("policies/hiring.yaml").write_text(yaml.safe_dump(policy))
    for name in ("requirements.lock", "policies/trusted_types.yaml", "reasons.yaml", "card.yaml"):
        Path(name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def run(command: str) -> int:
    """The exit status of a stage's command, run in this process."""
    name, *arguments = command.split()
    module = importlib.import_module(f"tasks.{name}")
    before, sys.argv = sys.argv, [name, *arguments]
    try:
        with pytest.raises(SystemExit) as excinfo:
            stage.run(module.main)
    finally:
        sys.argv = before
    return int(excinfo.value.code or 0)


def edit(path: str, change: Callable[[dict[str, Any]], Any]) -> None:
    document = yaml.safe_load(Path(path).read_text())
    change(document)
    Path(path).write_text(yaml.safe_dump(document))


def params(change: Callable[[dict[str, Any]], Any]) -> Callable[[], None]:
    return lambda: edit("params.yaml", change)


def policy(change: Callable[[dict[str, Any]], Any]) -> Callable[[], None]:
    return lambda: edit("policies/hiring.yaml", change)


def rows(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[], None]:
    return lambda: change(table()).to_csv(SOURCE, index=False)


def declare(**roles: str) -> None:
    """Give columns a role; a feature with a role is a feature no more."""
    edit("params.yaml", lambda p: p["data"].update(roles | {"features": ["skill"]}))


def content(raw: bytes) -> Callable[[], None]:
    def write() -> None:
        SOURCE.write_bytes(raw)

    return write


FAULTS = {
    "unknown key in params": (
        params(lambda p: p["train"].update(estimater="random_forest")),
        ("ingest", "`train.estimater`", "estimator"),
    ),
    "misspelt key in policy": (
        policy(lambda p: p["rules"][0].update(severty="block")),
        ("train", "severty", "severity"),
    ),
    "a weight among the features": (
        params(lambda p: p["data"].update(weight="years")),
        ("ingest", "years can never be a feature: the sampling weight", "docs/configuration.md"),
    ),
    "a protected cluster": (
        params(lambda p: p["data"].update(cluster="gender")),
        ("ingest", "`gender` is declared protected and also has another role", "docs/configuration.md"),
    ),
    "policy with no rules": (
        policy(lambda p: p.update(rules=[])),
        ("train", "rules", "policies/hiring.yaml"),
    ),
    "missing source": (SOURCE.unlink, ("ingest", "does not exist", "source.path")),
    "wrong delimiter": (
        lambda: table().to_csv(SOURCE, index=False, sep=";"),
        ("ingest", "not separated by ','", 'source.delimiter: ";"'),
    ),
    "empty file": (content(b""), ("ingest", "is empty", "header")),
    "empty table": (rows(lambda t: t.head(0)), ("ingest", "no rows", "`source` in params.yaml")),
    "not UTF-8": (
        content("applicant,gender,skill,years,invited\n1,m\xe4nnlich,1,1,yes\n".encode("latin-1")),
        ("ingest", "UTF-8", "UTF-8"),
    ),
}
"""What stops the run as a fault: the stage that says so, and words of the fault and of the mend."""

REFUSALS = {
    "one class only": (rows(lambda t: t.assign(invited="yes")), "invited"),
    "protected column absent": (rows(lambda t: t.drop(columns="gender")), "gender"),
    "target with three values": (
        rows(lambda t: t.assign(invited=t["invited"].where(t.index % 3 > 0, "maybe"))),
        "`invited` has 3 values",
    ),
    "duplicate keys": (rows(lambda t: t.assign(applicant=t["applicant"] // 2)), "applicant"),
    "a feature that is all null": (rows(lambda t: t.assign(years=None)), "years"),
    "a weight below 0": (
        lambda: (declare(weight="years"), rows(lambda t: t.assign(years=t["years"] - 5))()),  # type: ignore[func-returns-value]
        "the weight `years` is negative, zero or infinite",
    ),
    "an unknown cluster column": (lambda: declare(cluster="gendre"), "did you mean `gender`"),
    "a cluster that is null": (
        lambda: (
            declare(cluster="branch"),  # type: ignore[func-returns-value]
            rows(lambda t: t.assign(branch=(t["applicant"] % 40).where(t["applicant"] > 3)))(),
        ),
        "`branch` is null in 4 of 400 rows",
    ),
}
"""What a table is refused for: it is judged like any other, and the report names the column."""

ELSEWHERE = {
    "a corrupted DVC cache object": "test_pipeline.test_a_rerun_rebuilds_what_was_corrupted",
    "an MLflow server that is down": "test_track.test_a_server_that_is_down_is_told_soon_and_nothing_is_lost",
    "a second run in the checkout": "test_terminal.test_a_second_run_in_the_checkout_is_turned_away_at_once",
    "Ctrl-C or kill -9 in any stage": "test_terminal.test_a_run_that_is_stopped_leaves_nothing_running",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_once_with_its_mend_and_nothing_is_lost(
    name: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, (teller, fault, mend) = FAULTS[name]
    for command in CHAIN[:3]:
        assert run(command) == ExitCode.PASS
    before = Path("data/raw.parquet").read_bytes()
    spoil()
    capsys.readouterr()
    code, command = next((code, command) for command in CHAIN if (code := run(command)))
    output = capsys.readouterr().err
    assert code == ExitCode.ERROR
    assert command == teller
    message = output[output.index("error: ") :]
    assert message.count("error: ") == 1
    first, _, second = message.partition("\n  hint: ")
    assert fault in first
    assert mend in first + second
    assert second
    assert "Traceback" not in output
    assert not list(project.rglob("*.part"))
    if command == "ingest":
        assert Path("data/raw.parquet").read_bytes() == before


@pytest.mark.parametrize("name", REFUSALS)
def test_a_bad_table_is_refused_and_the_report_names_the_column(name: str, project: Path) -> None:
    spoil, column = REFUSALS[name]
    spoil()
    assert [run(command) for command in CHAIN] == [ExitCode.PASS] * len(CHAIN)
    verdict = files.read_json(Path("reports/verdict.json"))
    assert verdict["verdict"] == Outcome.FAIL
    assert Outcome(verdict["verdict"]).exit_code == ExitCode.REFUSED
    assert any("raw table" in reason for reason in verdict["reasons"])
    report = files.read_json(Path("reports/validation_raw.json"))
    wrong = [
        expectation
        for expectation in report["expectations"]
        if not expectation["success"] and expectation["severity"] == "block"
    ]
    assert any(column in expectation["detail"] for expectation in wrong)
    assert not Path("models/trained/model.skops").exists()


def test_the_sound_table_is_trained_on_and_judged(project: Path) -> None:
    assert [run(command) for command in CHAIN] == [ExitCode.PASS] * len(CHAIN)
    assert Path("models/trained/model.skops").exists()


@pytest.mark.parametrize("place", ELSEWHERE.values())
def test_the_other_faults_are_planted_where_the_table_says(place: str) -> None:
    module, _, test = place.partition(".")
    source = (ROOT / "tests" / f"{module}.py").read_text()
    assert f"def {test}" in source
