"""The page says everything the evidence says, nothing else, and cannot be made to do anything."""

import copy
import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearance import files, params, paths
from clearance.documents import measurement
from clearance.documents.baseline_document import FeatureBins, FeatureReference
from clearance.errors import IntegrityError
from clearance.params import data_contract
from clearance.reporting import report
from tests.support import evidence, reported

ROOT = Path(__file__).parent.parent
HOSTILE = "</td><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}&lt;"
BOUGHT = {
    **{"file": "external/v.csv", "sha256": evidence.DIGEST, "format": "table", "origin": "declared"},
    **{"answer": "scores", "trained_on": "none", "trained_elsewhere": 0, "made_with": {}},
    "declared": [{"about": "scores", "value": "each row's is the one in external/v.csv"}],
}
SECTIONS = ["Data", "Model", "Performance", "Fairness", "Explanation"]


def test_a_model_made_elsewhere_is_named_with_its_declarer_before_the_reason(tmp_path: Path) -> None:
    documents = reported.documents()
    documents["training"]["external"] = BOUGHT | {"declared_by": HOSTILE}
    html = reported.page(reported.write(tmp_path, documents))
    assert HOSTILE not in html
    (line,) = [text for _, of, text in reported.Parsed(html).elements if of.get("class") == "elsewhere"]
    assert HOSTILE in "".join(line)
    assert html.index('class="elsewhere"') < html.index('class="why"')
    own = reported.page(reported.write(tmp_path / "own", reported.documents()))
    assert 'class="elsewhere"' not in own


def section(html: str, name: str) -> str:
    """The text of the section under this heading."""
    (text,) = [t for t in reported.Parsed(html).texts("section") if t.startswith(name + " ")]
    return text


@pytest.mark.parametrize(
    ("gap", "word", "why", "settled"),
    [
        ("Ada", "Pass", "All 3 blocking checks pass.", "It applies to this model, this data and policy p 7"),
        (
            "gap",
            "Refused",
            "Demographic parity difference by race is 0.300",
            "so that the whole interval is ≤ 0.1",
        ),
        ("wide", "Insufficient evidence", "straddles the limit", "about 16 times as many rows"),
        (
            "out",
            "Insufficient evidence",
            "straddles the limit",
            "the value itself is outside the limit",
        ),
    ],
)
def test_the_verdict_comes_first_with_one_sentence_why_and_what_would_settle_it(
    tmp_path: Path, gap: str, word: str, why: str, settled: str
) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents(reported.DIGITS[gap])))
    parsed = reported.Parsed(html)
    assert parsed.texts("h2")[0] == word
    assert parsed.texts("title") == [f"{word}: loans, evidence report"]
    assert why in next(text for tag, of, text in parsed.elements if of.get("class") == "why")[0]
    assert 0 < html.index(why) < html.index(settled) < html.index('id="rules"')


def test_the_verdict_is_told_by_word_and_shape_not_by_colour_alone(tmp_path: Path) -> None:
    icons = set()
    for gap in ("Ada", "gap", "wide"):
        parsed = reported.Parsed(
            reported.page(reported.write(tmp_path, reported.documents(reported.DIGITS[gap])))
        )
        heading = next(at for at, (tag, _, _) in enumerate(parsed.elements) if tag == "h2")
        icons.add(next(of["href"] for tag, of, _ in parsed.elements[heading:] if tag == "use"))
    assert icons == {"#icon-pass", "#icon-fail", "#icon-insufficient_evidence"}
    assert {f"#{of['id']}" for of in parsed.of("symbol")} >= icons


def test_every_finding_is_a_row_with_number_limit_outcome_kind_and_source(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents(reported.DIGITS["gap"])))
    rows = reported.Parsed(html).texts("tr")
    (parity,) = [row for row in rows if "source of parity" in row]
    for phrase in (
        "Demographic parity difference by race",
        "blocks",
        "legal limit",
        "Fail",
        "0.300 (0.200 to 0.400)",
    ):
        assert phrase in parity
    for phrase in ("95% interval", "limit: ≤ 0.1", "(Atlantis): source of parity (not confirmed)"):
        assert phrase in parity
    (ranks,) = [row for row in rows if "source of ranks" in row]
    assert "0.812 (0.750 to 0.880)" in ranks
    assert "Pass" in ranks
    assert "engineering limit" in ranks
    (brier,) = [row for row in rows if "source of brier" in row]
    assert "Reported" in brier
    assert "warns" in brier
    assert [row for row in rows if ": source of " in row].index(parity) == 0, "the worst comes first"
    assert "later (from 2030-01-01)" in section(html, "Rules")


def test_nothing_is_loaded_and_nothing_runs(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents()))
    parsed = reported.Parsed(html)
    for tag, attributes, _ in parsed.elements:
        assert tag not in {"script", "iframe", "object", "embed", "base", "form", "audio", "video"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}:
                assert value is not None
                assert value.startswith(("#", "data:")), f"{tag} {name}={value[:60]}"
    css = "".join(parsed.texts("style"))
    assert "@import" not in css
    assert "url(" not in css
    (policy,) = [
        of["content"] for of in parsed.of("meta") if of.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")


def test_charts_and_pictures_have_a_text_for_those_who_do_not_see_them(tmp_path: Path) -> None:
    parsed = reported.Parsed(reported.page(reported.write(tmp_path, reported.documents())))
    assert [of["aria-label"] for of in parsed.of("svg") if of.get("class") == "chart"] == [
        "Calibration: calibration error not measured",
        "ROC curve: ROC AUC 0.812 (0.750 to 0.880)",
        "Precision and recall: average precision not measured",
    ]
    assert [of["alt"] for of in parsed.of("img")] == ["odd", "Contributions, one dot per row"]
    assert all(str(of["src"]).startswith("data:image/svg+xml;base64,") for of in parsed.of("img"))


def test_the_same_evidence_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    root = reported.write(tmp_path, reported.documents())
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "tasks.document"],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo"},
            check=True,
        )
        assert (root / paths.REPORT_PAGE).read_text(encoding="utf-8") == reported.page(root)


def test_the_step_imports_no_heavy_library() -> None:
    heavy = ("pandas", "numpy", "sklearn", "matplotlib", "mlflow", "prefect", "shap", "great_expectations")
    code = f"import sys, clearance.reporting.report; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def put(value: Any, old: str, new: str) -> Any:
    """The JSON value with `old` replaced in every key and text."""
    return json.loads(json.dumps(value).replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1]))


def hostile(root: Path, text: str) -> Path:
    """A project in which every name and text that comes from outside is `text`."""
    reports = reported.documents(reported.DIGITS["gap"])
    for name in ("Elf", "race", "income", "`debt`", "0123456789abcdef", "shap.LinearExplainer", "log-odds"):
        reports = put(reports, name, text if name != "Elf" else f"Elf{text}")
    reports["training"]["warnings"] = [text]
    reports["training"]["search"] = {text: [text]}
    data = reported.settings()["data"] | {"protected": [text]}
    rules = put(json.loads(json.dumps(reported.policy(title=text))), "race", text)
    rules["rules"][2] |= {"source": text, "jurisdiction": text}
    configuration = reported.settings(overrides={text: text, "train.note": [text]}, data=data)
    points = put(dict(reported.TWO_CANDIDATES), "LogisticRegression, none", text)
    points["evaluate/score_distribution"] = {text: {text: [1, 2], f"Elf{text}": [0, 9]}}
    feature = FeatureReference(bins=FeatureBins(kind="category", categories=(text, "b")), counts=(3, 2, 0, 1))
    return reported.write(
        root,
        reports,
        rules=rules,
        chosen=configuration,
        source={"kind": text, text: text},
        points=points,
        reference=reported.baseline(**{text: feature}),
    )


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE + "long " * 2000], ids=["short", "10,000 characters"])
def test_hostile_text_is_inert(tmp_path: Path, text: str) -> None:
    def shape(html: str) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(of)) for tag, of, _ in reported.Parsed(html).elements]

    harmless = reported.page(hostile(tmp_path / "a", "harmless"))
    attacked = reported.page(hostile(tmp_path / "b", text))
    assert shape(attacked) == shape(harmless)
    assert "<script" not in attacked
    assert attacked.count("{{ 7 * 7 }}") == harmless.count("harmless") > 20


def test_unseen_characters_are_shown(tmp_path: Path) -> None:
    html = reported.page(hostile(tmp_path, "a\u202eb\u0007c\u2066d"))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", html)
    assert "a\\u202eb\\u0007c\\u2066d" in html


def test_a_blocked_run_says_what_blocked_and_why_each_section_is_not_measured(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.blocked(), figures=False))
    assert reported.Parsed(html).texts("h2")[0] == "Refused"
    because = "Not measured: validate_raw: the row key id names 2 rows twice."
    for name in SECTIONS:
        assert because in section(html, name)
    assert "What blocked the run The row key id names 2 rows twice." in reported.Parsed(html).texts("main")[0]
    assert "This blocked the run: no model was trained on this table." in section(html, "Data")
    (row,) = [row for row in reported.Parsed(html).texts("tr") if row.startswith("id ")]
    assert "The row key id names 2 rows twice." in row
    assert "blocks" in row
    assert reported.Parsed(html).of("img") == []


@pytest.mark.parametrize("name", list(reported.documents()))
def test_a_missing_document_is_a_printed_gap(tmp_path: Path, name: str) -> None:
    reports = reported.documents()
    del reports[name]
    html = reported.page(reported.write(tmp_path, reports))
    assert f"Not measured: reports/{name}.json was not written." in "".join(
        reported.Parsed(html).texts("main")
    )


def test_a_project_without_any_evidence_still_gets_a_page(tmp_path: Path) -> None:
    root = reported.write(tmp_path, {}, figures=False)
    (root / "data/origin.json").unlink()
    files.write_json(root / paths.VERDICT, files.read_json(root / paths.VERDICT) | {"evidence": {}})
    html = reported.page(root)
    assert reported.Parsed(html).texts("h2")[0] == "Not evaluated"
    for name in SECTIONS:
        assert "Not measured:" in section(html, name)


def test_an_unreadable_document_is_a_printed_gap(tmp_path: Path) -> None:
    root = reported.write(tmp_path, reported.documents())
    (root / "reports/fairness.json").write_text("{")
    verdict = files.read_json(root / paths.VERDICT)
    verdict["evidence"]["reports/fairness.json"] = files.sha256(root / "reports/fairness.json")
    files.write_json(root / paths.VERDICT, verdict)
    assert "Not measured: reports/fairness.json is not readable." in section(reported.page(root), "Fairness")


def test_evidence_about_another_model_is_not_shown(tmp_path: Path) -> None:
    reports = reported.documents()
    reports["performance"] |= {"model_sha256": "99" * 32}
    html = reported.page(reported.write(tmp_path, reports))
    assert "Not measured: it is about model 999999999999…" in section(html, "Performance")
    assert "0.812" not in html


@pytest.mark.parametrize("path", ["reports/fairness.json", "data/origin.json", "reports/split.json"])
def test_evidence_that_the_judge_did_not_read_is_refused(tmp_path: Path, path: str) -> None:
    root = reported.write(tmp_path, reported.documents())
    (root / path).write_text((root / path).read_text() + " ")
    with pytest.raises(IntegrityError, match="not what was recorded"):
        report.read(root)
    (root / path).unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        report.read(root)


def test_without_a_verdict_there_is_no_page(tmp_path: Path) -> None:
    root = reported.write(tmp_path, reported.documents())
    (root / paths.VERDICT).unlink()
    with pytest.raises(IntegrityError, match=r"verdict\.json is missing"):
        report.read(root)


def test_groups_show_their_counts_and_small_ones_are_marked(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents()))
    parsed = reported.Parsed(html)
    rows = {row.split()[0]: row for row in parsed.texts("tr") if row.startswith(("Elf 50", "Orc ▲", "Ent ▲"))}
    assert rows["Elf"].startswith("Elf 50.0% 20 of 40 "), (
        "what is decided comes first, and 40 rows are enough"
    )
    assert "64.3% 18 of 28 ▲ few rows" in rows["Elf"], "a small denominator is marked in a group that is not"
    assert "▲ fewer than 30 rows" in rows["Orc"] and rows["Orc"].endswith(" 12")
    assert "none 0 of 0" in rows["Ent"]
    assert sum(of.get("class") == "small-group" for of in parsed.of("tr")) == 2


def test_the_explanation_states_its_sample_and_keeps_small_groups_out(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents()))
    text = section(html, "Explanation")
    assert "for a sample of 31 test rows, drawn group by group" in text
    assert "error of at most 1.00e-12" in text
    assert "Elf 24 +0.400 -0.200" in reported.Parsed(html).texts("tr")
    assert "would reveal individuals: Orc (7 rows)." in text


def test_an_explanation_of_no_rows_gives_its_reason(tmp_path: Path) -> None:
    hole = measurement.undefined("there are no test rows to explain")
    reports = reported.documents() | {
        "explanation": evidence.explanation(
            {"additivity_error": hole, "rows": hole}, model_sha256=reported.MODEL_SHA256
        ).to_json()
    }
    text = section(reported.page(reported.write(tmp_path, reports)), "Explanation")
    assert "Not measured: there are no test rows to explain." in text


def test_an_undefined_measurement_says_why(tmp_path: Path) -> None:
    reports = reported.documents()
    hole = measurement.undefined("every test row has the label 1")
    reports["performance"]["measurements"]["roc_auc"] = hole.to_json()
    html = reported.page(reported.write(tmp_path, reports))
    assert "undefined: every test row has the label 1" in section(html, "Performance")
    assert "not measured" in section(html, "Rules")


@pytest.mark.parametrize(
    ("limit", "ends", "inside"),
    [
        ({"at_least": None, "at_most": 0.1}, (0.0, 0.02, 0.05), True),
        ({"at_least": None, "at_most": 0.1}, (0.2, 0.3, 0.4), False),
        ({"at_least": 0.8, "at_most": None}, (0.85, 0.9, 1.0), True),
        ({"at_least": 0.8, "at_most": 1.25}, (0.5, 0.9, 1.0), False),
        ({"at_least": -0.1, "at_most": None}, (-0.5, -0.3, -0.2), False),
        ({"at_least": None, "at_most": 0.0}, (0.0, 0.0, 0.0), True),
    ],
)
def test_the_drawing_of_an_interval_lies_where_its_numbers_do(
    limit: dict[str, Any], ends: tuple[float, float, float], inside: bool
) -> None:
    drawing = report.strip({"limit": limit} | dict(zip(("low", "value", "high"), ends, strict=True)))
    assert drawing is not None
    assert 0 <= drawing.low <= drawing.value <= drawing.high <= 160
    assert 0 <= drawing.allowed_from <= drawing.allowed_to <= 160
    assert (drawing.allowed_from <= drawing.low and drawing.high <= drawing.allowed_to) == inside


def test_without_an_interval_or_a_limit_nothing_is_drawn() -> None:
    assert report.strip({"limit": None, "low": 0.0, "value": 0.1, "high": 0.2}) is None
    assert report.strip({"limit": {"at_most": 1.0}, "low": None, "value": 0.1, "high": None}) is None


def test_a_what_if_run_says_so_and_shows_its_overrides_verbatim(tmp_path: Path) -> None:
    plain = reported.page(reported.write(tmp_path / "a", reported.documents()))
    assert "WHAT-IF" not in plain
    assert "Overrides." not in plain
    overrides = {"policy.as_of": "2031-02-03", "train.arguments": {"C": 0.25}}
    configuration = reported.settings(
        overrides=overrides, policy={"file": "policies/p.yaml", "as_of": "2031-02-03"}
    )
    html = reported.page(reported.write(tmp_path / "b", reported.documents(), chosen=configuration))
    assert html.index("WHAT-IF") < html.index('id="verdict"')
    (banner,) = [text for text in reported.Parsed(html).texts("pre") if "policy" in text]
    assert banner == "policy.as_of: 2031-02-03 train.arguments.C: 0.25"


def test_an_override_of_the_model_is_no_what_if(tmp_path: Path) -> None:
    configuration = reported.settings(overrides={"seed": 5})
    html = reported.page(reported.write(tmp_path, reported.documents(), chosen=configuration))
    assert "WHAT-IF" not in html
    assert "seed: 5" in reported.Parsed(html).texts("pre")


def test_the_lineage_has_the_digest_of_everything_the_page_rests_on(tmp_path: Path) -> None:
    root = reported.write(tmp_path, reported.documents())
    text = section(reported.page(root), "Lineage")
    rested_on = [*root.glob("reports/*.json"), root / "data/origin.json", root / "policies/p.yaml"]
    rested_on += [root / "reports/figures" / stage for stage in ("train", "evaluate", "explain")]
    assert len(rested_on) == 14
    for path in rested_on:
        assert f"{path.relative_to(root).as_posix()} {files.sha256(path)}" in text
    question = data_contract.of(params.load(root / "params.yaml"))
    for phrase in ("p, version 7", "2026-11-22", "ef" * 32, "12" * 32, "cd" * 32, question.digest):
        assert phrase in text


def test_data_model_and_tune_numbers_are_told(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents()))
    data = section(html, "Data")
    for phrase in ("rows 190", "SELECT * FROM source", "tune 38", "1 not met", "0.210 (0.100 to 0.300)"):
        assert phrase in data
    assert "0123456789ab: -7" in data
    assert "Elf 120, Orc 70" in data
    model = section(html, "Model")
    for phrase in (
        "LogisticRegression",
        '{"C": 0.1}',
        "reweighing",
        "highest balanced_accuracy",
        "ROC AUC 0.900",
    ):
        assert phrase in model
    assert "selection rate none" in model


def test_the_page_says_what_it_does_not_prove(tmp_path: Path) -> None:
    text = section(
        reported.page(reported.write(tmp_path, reported.documents())), "What this page does not prove"
    )
    assert "52 test rows from the same source, at the same time" in text
    assert "assessed for race, alone and in the combinations shown" in text


def text_of(root: Path, name: str) -> str:
    return section(reported.page(root), name)


def test_one_candidate_is_said_to_be_one_and_there_is_no_picture(tmp_path: Path) -> None:
    root = reported.write(tmp_path, reported.documents())
    text = text_of(root, "Model")
    assert "One candidate was trained: there was nothing to choose from." in text
    assert "On tune rows its point values break parity by race (0.140, 0.0400 outside the limit)." in text
    assert "Selection rule" not in text
    assert "demographic parity difference: 1 candidate" not in reported.page(root)


def many(*candidates: dict[str, Any], **choice: Any) -> dict[str, dict[str, Any]]:
    reports = reported.documents()
    reports["training"] |= {
        "candidates": list(candidates),
        "choice": reported.CHOICE | choice,
        "reference": None,
    }
    return reports


def test_many_candidates_are_told_with_the_rule_the_picture_and_the_chosen_one(tmp_path: Path) -> None:
    candidates = reported.candidate("none", 0.8), reported.candidate("reweighing", 0.71, chosen=True)
    left_out = {
        key: candidates[0][key] for key in ("estimator", "arguments", "chosen", "uses_protected_at_decision")
    }
    left_out |= {"mitigation": "threshold_optimizer", "fitted": False, "why": "which the policy forbids"}
    reports = many(*candidates, left_out, rules_not_measured_on_tune_rows=["parity by race & sex"])
    html = reported.page(reported.write(tmp_path, reports, points=reported.TWO_CANDIDATES))
    text = section(html, "Model")
    assert "3 candidates were tried. Selection rule: of the candidates that keep every rule" in text
    assert "Number 2 (LogisticRegression, reweighing) was chosen: the highest utility" in text
    assert "Not measured on tune rows, and therefore not used: parity by race & sex." in text
    parsed = reported.Parsed(html)
    (row,) = [row for row in parsed.texts("tr") if "Which the policy forbids." in row]
    assert row.startswith("3 LogisticRegression")
    assert "threshold_optimizer none" in row
    assert sum(of.get("class") == "chosen" for of in parsed.of("tr")) == 1
    title = "Balanced accuracy against demographic parity difference: 2 candidates"
    assert title in [of.get("aria-label") for of in parsed.of("svg")]
    assert "2 LogisticRegression, reweighing 0.140 0.710 chosen, on the line" in parsed.texts("tr")
    assert "The ringed one was chosen" in text


def test_candidates_of_which_nothing_can_be_drawn_have_no_picture_and_a_reason(tmp_path: Path) -> None:
    reports = many(reported.candidate("none", None), reported.candidate("reweighing", 0.71, chosen=True))
    text = text_of(reported.write(tmp_path, reports), "Model")
    assert "No chart: fewer than two candidates have both a utility and a disparity." in text


def test_before_and_after_mitigation_stand_side_by_side(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents()))
    text = section(html, "Model")
    assert "without mitigation, which was fitted only for this comparison and could not be chosen." in text
    rows = reported.Parsed(html).texts("tr")
    for row in (
        "Balanced accuracy 0.750 0.710 0.0400 lower",
        "Selection rate none none cannot be compared",
        "Demographic parity difference by race 0.300 (0.200 to 0.400) 0.140 (0.040 to 0.240) 0.160 closer to "
        "parity",
        "Accuracy difference by race 0.050 (0.000 to 0.100) 0.050 (0.000 to 0.100) the same",
    ):
        assert row in rows
    assert "reference group by race" not in text, "undefined on both sides: not a line"
    assert "1 other fairness figure" in text, "what no rule reads is folded away, not dropped"


def test_before_was_a_candidate_where_it_was_one(tmp_path: Path) -> None:
    reports = reported.documents()
    reports["training"]["before_after"]["before_was_a_candidate"] = True
    assert "without mitigation, which was also a candidate." in text_of(
        reported.write(tmp_path, reports), "Model"
    )


def test_a_model_without_mitigation_has_no_before_and_after(tmp_path: Path) -> None:
    reports = reported.documents()
    reports["training"] |= {"mitigation": "none", "before_after": None, "reference": None}
    text = text_of(reported.write(tmp_path, reports), "Model")
    assert "The model has no mitigation, so there is no before and after." in text
    assert "Before and after mitigation" not in text


def test_a_record_of_an_older_kind_leaves_printed_gaps(tmp_path: Path) -> None:
    reports = reported.documents()
    for key in ("candidates", "choice", "before_after", "reference", "utility"):
        del reports["training"][key]
    del reports["fairness"]["above_median"]
    root = reported.write(tmp_path, reports)
    assert "Not recorded: the training record lists no candidate." in text_of(root, "Model")
    assert "not counted" in text_of(root, "Fairness")


def test_bias_in_the_data_is_told_in_words_and_figures(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents()))
    text = section(html, "Data")
    assert "the rates of recorded favourable outcomes differ by up to 21.0 percentage points" in text
    assert "the largest gap in missing values is in debt, 8.3 percentage points between two groups" in text
    assert (
        "the strongest proxy, income, ranks them correctly 71 times in 100, and all features together" in text
    )
    rows = reported.Parsed(html).texts("tr")
    for start, end in {
        "Label rate difference": "0.210 (0.100 to 0.300)",
        "Label rate ratio": "0.740 (0.600 to 0.800)",
        "Class imbalance": "0.260",
        "Difference in missing values": "0.083 (0.010 to 0.200) debt",
        "ROC AUC of the strongest proxy": "0.713 (0.600 to 0.800) income",
        "ROC AUC of all features as a proxy": "0.780 (0.700 to 0.900)",
        "Jensen-Shannon divergence": "not measured",
    }.items():
        (row,) = [row for row in rows if row.startswith(start)]
        assert row.endswith(end)


def test_a_proxy_that_could_not_be_measured_says_why_and_no_sentence_is_made_of_it(tmp_path: Path) -> None:
    reports = reported.documents()
    hole = measurement.undefined("two groups, 10 rows of each").to_json()
    reports["validation_prepared"]["measurements"]["proxy_auc"]["race"] = hole
    text = text_of(reported.write(tmp_path, reports), "Data")
    assert "undefined: two groups, 10 rows of each" in text
    assert "ranks them correctly" not in text


def test_the_page_says_from_which_use_its_test_rows_are_a_warning_and_who_says_so(tmp_path: Path) -> None:
    limit = {"warn_from": 9, "kind": "engineering", "source": "our risk board", "valid_from": "2026-01-01"}
    rules = reported.policy(test_uses=limit | {"certainty": "text"})
    warning = text_of(
        reported.write(tmp_path / "a", reported.documents(), rules=rules), "What this page does not prove"
    )
    assert (
        "warns from use 9 on (engineering limit, from 2026-01-01; source: our risk board (wording" in warning
    )
    unnamed = text_of(reported.write(tmp_path / "b", reported.documents()), "What this page does not prove")
    assert "The policy sets no number of uses from which that is a warning." in unnamed


@pytest.mark.parametrize(
    "found", [reported.documents(), reported.blocked(), {}], ids=["whole", "blocked", "none"]
)
def test_the_page_can_be_read_by_a_screen_reader(tmp_path: Path, found: dict[str, Any]) -> None:
    parsed = reported.Parsed(reported.page(reported.write(tmp_path, copy.deepcopy(found))))
    levels = [int(tag[1]) for tag, _, _ in parsed.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels
    assert all(of.get("scope") in {"col", "row"} for of in parsed.of("th"))
    assert len(parsed.texts("caption")) == len(parsed.of("table"))
    assert all(parsed.texts("caption"))
    assert all(of.get("alt") for of in parsed.of("img"))
    assert parsed.of("html")[0]["lang"] == "en"
    ids = [of["id"] for _, of, _ in parsed.elements if "id" in of]
    assert len(ids) == len(set(ids))
    assert {of["href"] for of in parsed.of("a")} <= {f"#{name}" for name in ids}
    assert all(of["aria-labelledby"] in ids for of in parsed.of("section"))


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_text_colour_stands_out_from_every_ground_it_is_put_on(theme: int) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    css = (ROOT / "clearance/reporting/templates/report.css").read_text()
    block = re.findall(r":root \{([^}]*--paper[^}]*)\}", css)[theme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    grounds = {name: ["paper", "card", "tint"] for name in ("ink", "soft", "accent")}
    for outcome in report.OUTCOMES:
        grounds[outcome] = ["card", f"{outcome}-tint"]
        grounds["ink"].append(f"{outcome}-tint")
        grounds["soft"].append(f"{outcome}-tint")
    grounds |= {
        "insufficient_evidence": [
            *grounds["insufficient_evidence"],
            *(f"{o}-tint" for o in report.OUTCOMES),
        ]
    }
    for text, backs in grounds.items():
        for back in backs:
            light, dark = sorted((_luminance(colours[text]), _luminance(colours[back])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {back}"


def test_the_first_screen_says_who_what_it_is_about_and_what_is_next(tmp_path: Path) -> None:
    documents = reported.documents(reported.DIGITS["gap"])
    gap = documents["fairness"]["measurements"]["demographic_parity_difference"]["race"]
    gap["rates"] = {"Elf": 0.5, "Orc": 0.25}
    documents["fairness"]["groups"]["race"]["Orc"] = evidence.group(2, 1, 6, 3)
    root = reported.write(tmp_path, documents)
    html = reported.page(root)
    first = html[html.index('class="verdict') : html.index("<nav")]
    assert "Orc 25.0% (3 of 12), Elf 50.0% (20 of 40) decided favourably" in first
    assert '<code class="command">clearance run</code>' in first and "The data scientist:" in first
    assert files.sha256(root / paths.MODEL)[:12] in first
    assert first.count('class="rate-row outside"') == 1, "the group beyond the limit stands out"
    assert "Decided favourably, by <bdi>race</bdi>" in first


def test_a_column_with_a_title_is_called_by_it(tmp_path: Path) -> None:
    root = reported.write(tmp_path, reported.documents(reported.DIGITS["gap"]))
    settings = params.load(root / "params.yaml")
    titled = settings.data.model_copy(update={"columns": {"race": params.Column(title="origin of people")}})
    declared = data_contract.of(settings)
    text = report.render(report.read(root), titled, declared)
    assert "Demographic parity difference by origin of people" in text
    assert "Decided favourably, by <bdi>origin of people</bdi>" in text


def test_the_drift_reference_is_told_in_the_words_of_its_counts(tmp_path: Path) -> None:
    root = reported.write(tmp_path, reported.documents())
    parsed = reported.Parsed(reported.page(root))
    rows = [row for row in parsed.texts("tr") if row.startswith(("income 10", "debt low"))]
    assert rows == [
        "income 10.4% up to 10, 6.2% above 160, mean 50 4.0%",
        "debt low 50.0%, middle 30.0%, high 20.0% 0.0%",
    ]
    assert paths.BASELINE.as_posix() in section(reported.page(root), "Lineage")
    (root / paths.BASELINE).unlink()
    assert "Not measured: reports/baseline.json was not written" in text_of(root, "Drift reference")
    replace(reported.baseline(), model_sha256="0" * 64).write(root)
    assert "reports/baseline.json is about another model" in text_of(root, "Drift reference")
    files.write_text(root / paths.BASELINE, "{}")
    assert "reports/baseline.json does not fit its schema" in text_of(root, "Drift reference")


def test_the_scores_of_the_groups_are_drawn_with_the_rows_behind_them(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents()))
    labels = [of.get("aria-label") for of in reported.Parsed(html).of("svg")]
    assert {"Scores of Elf", "Scores of Orc"} <= set(labels)
    text = section(html, "Fairness")
    assert "Elf 40 rows" in text and "Orc 12 rows" in text


def test_of_many_groups_the_lowest_and_the_highest_are_shown_and_the_others_folded(tmp_path: Path) -> None:
    documents = reported.documents(reported.DIGITS["gap"])
    groups = {f"group {place:02}": evidence.group(place + 1, 0, 50 - place, 9) for place in range(40)}
    documents["fairness"]["groups"]["race"] = groups
    html = reported.page(reported.write(tmp_path, documents))
    first = html[html.index('id="lead"') : html.index("<nav")]
    shown = re.findall(r"<bdi>(group \d\d)</bdi>", first[: first.index("<details>")])
    assert shown == [f"group {place:02}" for place in (*range(11), 39)]
    assert "28 groups between them" in first
    assert len(re.findall(r"<bdi>group \d\d</bdi>", first)) == 40


def test_forty_groups_and_three_hundred_features_make_a_page_below_a_megabyte(tmp_path: Path) -> None:
    html = reported.page(reported.large(tmp_path))
    assert len(html.encode()) < 750_000, "the picture of the contributions takes up to 100 kB more"
    assert html.count("group 39") > 5 and "feature 299" in html


def test_the_verdict_is_drawn_first_only_where_it_rests_on_rates_of_groups(tmp_path: Path) -> None:
    documents = reported.documents()
    documents["performance"]["measurements"]["roc_auc"] = reported.measured(0.5, 0.45, 0.55).to_json()
    html = reported.page(reported.write(tmp_path, documents))
    assert reported.Parsed(html).texts("h2")[0] == "Refused"
    assert 'id="lead"' not in html
    assert "Decided favourably, by <bdi>race</bdi>" in html[html.index('id="fairness"') :]


def test_rules_that_hold_are_folded_beneath_those_that_do_not(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents(reported.DIGITS["gap"])))
    rules = html[html.index('id="rules"') : html.index('id="fairness"')]
    open_, folded = rules.split("<details>")
    assert "source of parity" in open_ and "source of ranks" not in open_
    assert "source of ranks" in folded and "3 more rules that hold or only report" in folded


def test_a_model_without_scores_has_no_curves_and_says_so(tmp_path: Path) -> None:
    documents = reported.documents()
    hole = measurement.undefined("the model gives decisions and no scores").to_json()
    documents["performance"]["measurements"]["roc_auc"] = hole
    curves = ("evaluate/calibration", "evaluate/roc", "evaluate/precision_recall")
    points = reported.POINTS | {name: [] for name in curves} | {"evaluate/score_distribution": {}}
    html = reported.page(reported.write(tmp_path, documents, points=points))
    assert "No curves: the model gives no scores, or they are not probabilities." in section(
        html, "Performance"
    )
    assert "undefined: the model gives decisions and no scores" in section(html, "Performance")
    assert "Scores of the groups" not in html and 'class="chart"' not in html


def test_names_in_another_script_are_shown_as_they_are(tmp_path: Path) -> None:
    documents = put(reported.documents(reported.DIGITS["gap"]), "Elf", "مقبول")
    points = put(dict(reported.POINTS), "Elf", "مقبول")
    html = reported.page(reported.write(tmp_path, documents, points=points))
    assert html.count("<bdi>مقبول</bdi>") >= 4, "each in a direction of its own"
    assert 'aria-label="Scores of مقبول"' in html


def test_a_version_of_before_without_points_has_no_charts(tmp_path: Path) -> None:
    html = reported.page(reported.write(tmp_path, reported.documents(), points={}))
    assert 'class="chart"' not in html and "Scores of the groups" not in html
    assert "ROC AUC 0.812" in section(html, "Performance")
