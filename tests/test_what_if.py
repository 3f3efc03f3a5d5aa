"""Policies at the terminal: checked, explained, and tried on the evidence at hand without a trace."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from clearance import cli, files
from clearance.metrics import data_bias
from clearance.metrics.disparity import METRICS
from clearance.policy import policy_file, schema
from clearance.reporting import explain_rule
from tests.support import reported

ROOT = Path(__file__).resolve().parent.parent
USES = {"warn_from": 3, "kind": "engineering", "source": "our risk board", "valid_from": "2026-01-01"}
TERMS: dict[str, Any] = {
    "first_version": {"approvals": 2},
    "kind": "engineering",
    "source": "our risk board",
    "valid_from": "2027-01-01",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A judged project that its policy refuses, as the working folder."""
    root = reported.write(tmp_path / "project", reported.documents(reported.DIGITS["gap"]))
    (root / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(root)
    return root


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, catch_exceptions=False)


def put(file: Path, **changes: Any) -> str:
    """A policy file like the project's with some keys changed."""
    file.write_text(yaml.safe_dump(reported.policy(**changes)))
    return str(file)


def changed(at: int, **changes: Any) -> list[dict[str, Any]]:
    rules_: list[dict[str, Any]] = reported.policy()["rules"]
    rules_[at] |= changes
    return rules_


# Judging


def test_the_evidence_is_judged_anew_with_every_finding_and_the_verdicts_status(project: Path) -> None:
    result = call("judge")
    out = result.output
    assert result.exit_code == 3
    assert out.startswith("Refused: loans under p 7 as of 2026-11-22\n")
    assert "Fail (1):\n  parity (blocks, legal): demographic parity difference by race is 0.300" in out
    assert "Pass (2):\n  valid (blocks, engineering): blocking data failures in the raw table are 0" in out
    assert "Reported, not decided (1):\n  brier (engineering): Brier score is 0.14" in out
    assert "Not in force on 2026-11-22 (1):\n  later: from 2030-01-01" in out


@pytest.mark.parametrize(
    ("limit", "day", "word"),
    [
        (0.5, "2026-11-22", "Pass"),
        (0.25, "2026-11-22", "Insufficient evidence"),
        (0.5, "2030-01-01", "Refused"),
        (0.5, "2020-01-01", "Not evaluated"),
    ],
)
def test_another_policy_or_day_is_a_what_if_that_changes_nothing(
    project: Path, limit: float, day: str, word: str
) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    other = put(project.parent / "other.yaml", rules=changed(2, limit={"at_most": limit}))
    result = call("judge", "--policy", other, "--as-of", day)
    code = {"Pass": 0, "Insufficient evidence": 4, "Refused": 3, "Not evaluated": 5}[word]
    assert result.exit_code == code
    assert result.output.startswith(f"{word}: loans under p 7 as of {day} (what-if)\n")
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_a_policy_is_found_from_where_the_command_was_typed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "policies")
    result = call("judge", "--policy", "p.yaml")
    assert result.exit_code == 3 and "(what-if)" in result.output
    result = call("judge", "--policy", "none.yaml")
    assert result.exit_code == 1 and "none.yaml is missing" in result.stderr


def test_evidence_about_another_model_is_no_evidence_here_either(project: Path) -> None:
    report = project / "reports/fairness.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | {"model_sha256": "0" * 64}))
    result = call("judge")
    assert result.exit_code == 5 and "fairness is stale" in result.output


# Checking


def test_a_valid_policy_is_said_to_be_valid(tmp_path: Path) -> None:
    result = call("policy", "check", put(tmp_path / "p.yaml"), "--as-of", "2030-01-01")
    line, *warnings = result.output.splitlines()
    assert (result.exit_code, line) == (0, "valid: policy p, version 7 (Loans), rules: 5")
    assert len(warnings) == 1 and "promotion.rebuild" in warnings[0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"rules": changed(1, valid_until="2026-06-30")},
            "warning: rule ranks has expired: its last day was 2026-06-30",
        ),
        (
            {
                "impact_table": {"excludable_below": 0.02, "kind": "legal", "source": "a law"}
                | {"valid_from": "2027-01-01"}
                | {"excluded": [{"attribute": "race", "category": "Ent", "justification": "few"}]}
            },
            "warning: impact_table is not in force on 2026-11-22: no category in `excluded` is left out",
        ),
        ({}, "warning: rule later is not yet in force: its first day is 2030-01-01"),
        (
            {"rules": changed(2, valid_until="2026-06-30")},
            "warning: race must be assessed, but no rule in force on 2026-11-22 reads it",
        ),
        (
            {"test_uses": USES | {"valid_until": "2026-06-30"}},
            "warning: test_uses is not in force on 2026-11-22: no number of uses is a warning",
        ),
        (
            {"test_uses": USES | {"kind": "legal"}},
            "warning: test_uses is legal but does not state the certainty of its source",
        ),
        (
            {"rules": changed(2, metric="fairness.demographic_parity_diference")},
            "which may not be measured: did you mean fairness.demographic_parity_difference?",
        ),
        (
            {"rules": [rule | {"severity": "warn"} for rule in reported.policy()["rules"]]},
            "warning: no rule in force on 2026-11-22 decides and blocks: no model can pass this policy",
        ),
        (
            {"rules": changed(2, certainty=None)},
            "warning: rule parity is legal but does not state the certainty of its source",
        ),
    ],
)
def test_what_is_valid_and_perhaps_not_meant_is_a_warning(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    result = call("policy", "check", put(tmp_path / "p.yaml", **changes), "--as-of", "2026-11-22")
    assert result.exit_code == 0
    assert says in result.output


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rules": []}, "`rules` must not be empty"),
        ({"rules": {"a": {}}}, "`rules` must be a list"),
        ({"rules": changed(2, source="")}, "`rules.2.source` (rule parity) must not be empty"),
        ({"rules": changed(2, valid_from="soon")}, "`rules.2.valid_from` (rule parity) must be a day, like"),
        ({"rules": changed(2, id=None, severity="stop")}, "`rules.2.severity` must be 'block' or 'warn'"),
        ({"version": 7}, "`version` must be text, so put it in quotes"),
        ({"test_uses": {"warn_from": 2}}, "`test_uses.source` is missing"),
        ({"rules": changed(2, limit={"at_mots": 1})}, "did you mean `at_most`"),
        ({"attributes": ["race", "age"]}, "age must be assessed, but no rule reads it"),
        ({"rules": changed(2, attributes=["race", "race & age"])}, "a rule reads race & age"),
    ],
)
def test_a_faulty_policy_is_one_clear_error_with_its_mend(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    result = call("policy", "check", put(tmp_path / "p.yaml", **changes))
    assert (result.exit_code, result.output.splitlines()[0]) == (1, result.stderr.splitlines()[0])
    assert says in result.stderr
    assert "\n  hint: " in result.stderr
    assert result.stderr.count("error:") == 1


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    result = call("policy", "check", str(tmp_path))
    assert result.exit_code == 1
    assert "cannot be read: Is a directory" in result.stderr


def test_a_file_without_keys_is_told_where_those_of_a_policy_are_listed(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("")
    result = call("policy", "check", str(tmp_path / "p.yaml"))
    assert "holds no keys" in result.stderr
    assert "policies/README.md those of a policy" in result.stderr


def test_no_metric_that_is_measured_is_taken_for_a_misspelt_one() -> None:
    measured = {f"fairness.{name}" for name in METRICS}
    measured |= {
        f"validation_prepared.{name}" for name in (*data_bias.LABELS, "proxy_auc", "class_imbalance")
    }
    assert len(measured) > 25
    for name in measured:
        one = reported.rule("one", name, None, attributes=["race"], decides_by="report_only", severity="warn")
        book = schema.Policy.model_validate(reported.policy(rules=[*reported.policy()["rules"], one]))
        text = " ".join(explain_rule.cautions(book, dt.date(2030, 1, 1)))
        assert "did you mean" not in text, name


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    result = call("policy", "check", str(tmp_path / "none.yaml"))
    assert result.exit_code == 1
    assert "none.yaml is missing" in result.stderr


# Explaining


def test_a_rule_is_told_in_words(project: Path) -> None:
    output = call("policy", "explain", "parity").output
    assert output.splitlines() == [
        "Rule parity of policy p, version 7 (Loans)",
        "  Measures: demographic parity difference by race: the highest selection rate of a group (its share "
        "of favourable decisions) minus the lowest; 0 means parity.",
        "  Limit: ≤ 0.1",
        "  Decides: passes if all of the 95% interval is within the limit, fails if none of it is; otherwise "
        "the evidence is insufficient.",
        "  Effect: blocks: a model that does not pass it is not released.",
        "  Without a number: not evaluated. It is never a pass.",
        "  Kind: law or regulation (Atlantis).",
        "  Source: Source of parity.",
        "  Certainty of the source: not confirmed.",
        "  In force: from 2026-01-01, with no end date.",
    ]


def test_a_rule_of_another_policy_is_told_with_its_significance() -> None:
    file = str(ROOT / "policies/packs/four_fifths.yaml")
    output = call("policy", "explain", "four-fifths", "--policy", file).output
    for part in (
        "≥ 0.8",
        "the 95% interval excludes 1",
        "United States, employment selection",
        "RIN 3046-AB43",
        "wording read",
        "from 1978-09-25",
    ):
        assert part in output


def test_who_says_so_is_not_said_twice(tmp_path: Path) -> None:
    for source, citation in {
        "engineering convention: no row judges twice": "No row judges twice.",
        "engineering convention, set here": "Set here.",
        "engineering convention for parity": "For parity.",
        "engineering convention": "Engineering convention.",
        "our risk board": "Our risk board.",
    }.items():
        file = put(tmp_path / "p.yaml", rules=changed(0, source=source))
        output = call("policy", "explain", "valid", "--policy", file).output
        assert f"Kind: engineering convention, not law.\n  Source: {citation}\n" in output


def test_the_limit_on_test_uses_is_told_with_its_kind_source_and_first_day(tmp_path: Path) -> None:
    file = put(tmp_path / "p.yaml", test_uses=USES)
    assert call("policy", "explain", "test_uses", "--policy", file).output.splitlines() == [
        "`test_uses` of policy p, version 7 (Loans)",
        "  Counts: how many models the same test set has judged, counted from what `track` recorded.",
        "  Limit: a warning from use 3 on.",
        "  Effect: warns: it is reported and stops nothing.",
        "  Kind: engineering convention, not law.",
        "  Source: Our risk board.",
        "  Certainty of the source: not stated.",
        "  In force: from 2026-01-01, with no end date.",
    ]
    result = call("policy", "explain", "test_use", "--policy", file)
    assert "(did you mean test_uses?)" in result.stderr


def test_the_rule_on_small_categories_is_told_and_who_is_left_out(tmp_path: Path) -> None:
    left_out = [{"attribute": "race", "category": "Ent", "justification": "five people applied"}]
    rule = {"excludable_below": 0.02, "kind": "legal", "source": "a law", "certainty": "secondary"}
    rule |= {"valid_from": "2023-07-05", "excluded": left_out}
    file = put(tmp_path / "p.yaml", impact_table=rule)
    output = call("policy", "explain", "impact_table", "--policy", file).output
    for part in (
        *(
            "less than 2.0% of the rows",
            "Ent (race): five people applied",
            "Kind: law or regulation.",
            "Source: A law.",
        ),
        *("known from a secondary source", "from 2023-07-05"),
    ):
        assert part in output
    plain = put(tmp_path / "q.yaml")
    result = call("policy", "explain", "impact_table", "--policy", plain)
    assert "has no rule or section impact_table" in result.stderr


def test_the_terms_of_the_comparison_are_explained(tmp_path: Path) -> None:
    quality = [{"metric": "accuracy", "margin": 0.01}, {"metric": "brier", "margin": 0.005}]
    file = put(tmp_path / "p.yaml", challenge=TERMS | {"quality": quality, "unknown_share": 0.1})
    assert call("policy", "explain", "challenge", "--policy", file).output.splitlines() == [
        "`challenge` of policy p, version 7 (Loans)",
        "  Compares: the candidate with the champion, on the same test rows.",
        "  Quality: accuracy may get worse by at most 0.01; Brier score may get worse by at most 0.005.",
        "  Fairness, for each fairness rule that decides: a difference between groups may grow by at most "
        "0.02; a ratio may lose at most 2.5% of the champion's.",
        "  Without a champion: at least 2 people must approve it.",
        "  Rows needed: 100 in all and 30 for every rate of a group; fewer is insufficient evidence.",
        "  Unknown categories: in at most 10.0% of the rows a feature may hold a category that the champion "
        "never saw.",
        "  Decides: passes if all of the 95% interval of each change is within its margin.",
        "  Effect: blocks: a model that does not pass it is not released.",
        "  Kind: engineering convention, not law.",
        "  Source: Our risk board.",
        "  Certainty of the source: not stated.",
        "  In force: from 2027-01-01, with no end date.",
    ]


def test_every_dated_section_has_an_explanation_and_a_caution_of_its_own(tmp_path: Path) -> None:
    excluded = [{"attribute": "race", "category": "Ent", "justification": "few"}]
    dated = {"kind": "legal", "source": "a law", "valid_from": "2027-01-01"}
    sections = {
        "challenge": TERMS | dated,
        "impact_table": dated | {"excludable_below": 0.02, "excluded": excluded},
        "test_uses": dated | {"warn_from": 3},
    }
    file = put(tmp_path / "p.yaml", **sections)
    policy = policy_file.load(Path(file))
    assert policy.sections.keys() == sections.keys()
    cautions = call("policy", "check", file, "--as-of", "2026-01-01").output
    for name in sections:
        assert len(explain_rule.explain(policy, name)) > 1 + 4, "more than its name and its source"
        assert f"warning: {name} is not in force on 2026-01-01: " in cautions
        assert f"warning: {name} is legal but does not state the certainty" in cautions


def test_a_rule_that_only_reports_is_not_said_to_stop_anything() -> None:
    file = str(ROOT / "policies/packs/nyc_local_law_144.yaml")
    output = call("policy", "explain", "impact-ratio", "--policy", file).output
    assert "by race, sex and race & sex" in output
    assert "The number is reported; it is never a pass and never stops a model." in output
    assert "Effect:" not in output


def test_an_unknown_rule_is_an_error_that_names_the_one_probably_meant(project: Path) -> None:
    result = call("policy", "explain", "party")
    assert result.exit_code == 1
    assert "policy p has no rule or section party (did you mean parity?)" in result.stderr


def test_the_schema_is_printed_as_it_is_committed() -> None:
    assert call("policy", "schema").output == schema.json_schema()
    assert json.loads(schema.json_schema())["additionalProperties"] is False


def test_the_recorded_verdict_is_not_touched_by_a_what_if(project: Path) -> None:
    before = files.sha256(project / "reports/verdict.json")
    call("judge", "--as-of", "2031-01-01")
    assert files.sha256(project / "reports/verdict.json") == before
