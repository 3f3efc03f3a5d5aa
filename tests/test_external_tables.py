"""A vendor's table of answers is judged as it is, or refused; what it cannot show is not evaluated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from clearance import files, params, paths
from clearance.data.tables import row_ids
from clearance.documents import metric_catalogue
from clearance.documents.measurement import Outcome
from clearance.models.external import answers
from clearance.policy import findings, policy_file
from tasks import assess, evaluate, explain, score, train
from tests.support import codes, elsewhere, governed, judged, learnable

KEYS = np.arange(1000, 1600)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Rows by a key, from 1000 on."""
    hashes = row_ids.hexadecimal(row_ids.digests(row_ids.canonical(pa.array(KEYS)))).to_pylist()
    return elsewhere.table(row=hashes)


@pytest.fixture(scope="module")
def vendor(frame: pd.DataFrame) -> pd.DataFrame:
    """A vendor's answers for these rows: a score, and the decision from 0.5 on."""
    draw = np.random.default_rng(3)
    scores = (0.25 + 0.4 * frame["label"].to_numpy() + 0.3 * draw.random(len(frame))).round(6)
    return pd.DataFrame({"key": KEYS, "score": scores, "decision": np.where(scores >= 0.5, 1, 0)})


Bring = Callable[..., Path]


@pytest.fixture
def bring(tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Bring:
    """A project whose model is this table of answers; it becomes the working folder."""

    def build(table: pd.DataFrame, name: str = "vendor.csv", **more: Any) -> Path:
        settings: dict[str, Any] = {"score": "score", "threshold": {"fixed": 0.5}} | more
        settings = {key: value for key, value in settings.items() if value is not None}
        root = elsewhere.build(tmp_path / "project", frame, file=f"external/{name}", **settings)
        elsewhere.answers(root, table, name)
        monkeypatch.chdir(root)
        return root

    return build


def measured() -> tuple[dict[str, Any], dict[str, Any]]:
    """Run every stage that measures; performance and fairness."""
    for stage in (train, score, explain, evaluate, assess):
        stage.main()
    return files.read_json(paths.PERFORMANCE), files.read_json(paths.FAIRNESS)


def test_the_vendors_scores_are_the_scores(bring: Bring, frame: pd.DataFrame, vendor: pd.DataFrame) -> None:
    bring(vendor)
    performance, fairness = measured()
    scored = pd.read_parquet(paths.SCORED_TABLE).set_index("row")["score"]
    given_scores = pd.Series(vendor["score"].to_numpy(), index=frame["row"])
    assert scored.equals(given_scores[scored.index].rename("score"))
    test = frame.assign(score=vendor["score"])[frame["split"] == "test"]
    auc = metrics.roc_auc_score(test["label"], test["score"])
    accuracy = metrics.accuracy_score(test["label"], test["score"] >= 0.5)
    assert abs(performance["measurements"]["roc_auc"]["value"] - auc) <= 1e-9
    assert abs(performance["measurements"]["accuracy"]["value"] - accuracy) <= 1e-9
    rates = (test["score"] >= 0.5).groupby(test["race"]).mean()
    gap = fairness["measurements"]["demographic_parity_difference"]["race"]["value"]
    assert abs(gap - (rates.max() - rates.min())) <= 1e-9


def test_what_only_a_model_could_show_is_not_evaluated(bring: Bring, vendor: pd.DataFrame) -> None:
    bring(vendor)
    measured()
    training, explanation = files.read_json(paths.TRAINING), files.read_json(paths.EXPLANATION)
    assert training["external"]["origin"] == "declared"
    assert {fact["about"] for fact in training["external"]["declared"]} >= {"scores", "threshold"}
    assert training["measurements"]["protected_at_decision"]["value"] is None
    assert {entry["value"] for entry in explanation["measurements"].values()} == {None}
    outcomes = decided({"training": training, "explanation": explanation})
    assert outcomes == {
        "decides-without-protected-attributes": "not_evaluated",
        "explanation-adds-up": "not_evaluated",
    }


def decided(documents: dict[str, Any]) -> dict[str, str]:
    """What the demo's policy says to these documents, by rule."""
    from clearance.policy import project_verdict

    evidence = {name: project_verdict.evidence_of(name, content) for name, content in documents.items()}
    policy = policy_file.load(learnable.ROOT / "policies/demo.yaml")
    rules = [rule for rule in policy.rules if rule.document in documents and rule.severity == "block"]
    return {
        rule.id: str(findings.evaluate(rule, name, evidence).outcome)
        for rule in rules
        for name in rule.read_for
    }


def test_decisions_alone_say_nothing_about_scores(
    bring: Bring, frame: pd.DataFrame, vendor: pd.DataFrame
) -> None:
    named = vendor[["key"]].assign(answer=vendor["decision"].map({1: "grant", 0: "deny"}))
    bring(named, score=None, threshold=None, decision="answer", favourable="grant")
    performance, fairness = measured()
    test = frame.assign(decision=vendor["decision"])[frame["split"] == "test"]
    recall = metrics.balanced_accuracy_score(test["label"], test["decision"])
    assert abs(performance["measurements"]["balanced_accuracy"]["value"] - recall) <= 1e-9
    for name, document in (("performance", performance), ("fairness", fairness)):
        for measurement, by_attribute in document["measurements"].items():
            figures = [by_attribute] if "value" in by_attribute else list(by_attribute.values())
            undefined = f"{name}.{measurement}" in metric_catalogue.NEED_SCORES
            assert not undefined or all(figure["value"] is None for figure in figures), measurement
    assert performance["measurements"]["roc_auc"]["undefined"] == "the model gives decisions and no scores"
    assert fairness["above_median"] is None
    assert files.read_json(paths.TRAINING)["tune"]["roc_auc"] is None
    assert decided({"performance": performance})["ranks-better-than-chance"] == str(Outcome.NOT_EVALUATED)
    assert not (paths.EVALUATE_FIGURES / "roc.json").read_text().strip("[]\n ")


def test_keys_are_the_same_however_they_are_written(bring: Bring, vendor: pd.DataFrame) -> None:
    for name, keys in (
        ("texts.csv", vendor["key"].astype(str)),
        ("floats.parquet", vendor["key"].astype(float)),
        ("texts.parquet", vendor["key"].astype(str)),
        ("packed.csv.gz", vendor["key"]),
    ):
        root = bring(vendor.assign(key=keys), name)
        train.main()
        digest = files.sha256(root / paths.MODEL)
        assert digest == same_as(digest), name


SEEN: list[str] = []


def same_as(digest: str) -> str:
    """The first digest: every other must be the same."""
    SEEN.append(digest)
    return SEEN[0]


Change = Callable[[pd.DataFrame], pd.DataFrame]
WRONG: dict[str, tuple[Change, dict[str, Any], str]] = {
    "a key is missing": (lambda t: t.assign(key=t["key"].where(t.index > 0)), {}, "data.external_key_null"),
    "a key comes twice": (lambda t: pd.concat([t, t.tail(2)]), {}, "data.external_key_twice"),
    "one key in two forms": (
        lambda t: pd.concat([t.astype({"key": str}), t.head(1).assign(key="1000")]),
        {},
        "data.external_key_twice",
    ),
    "rows are missing": (lambda t: t.iloc[5:], {}, "models.external_answers_missing"),
    "keys nobody knows": (lambda t: add(t, key=9), {}, "models.external_answers_unknown"),
    "no column of scores": (lambda t: t.drop(columns="score"), {}, "data.external_columns_missing"),
    "no column of keys": (lambda t: t.rename(columns={"key": "id"}), {}, "data.external_columns_missing"),
    "texts as scores": (lambda t: t.assign(score="high"), {}, "models.external_not_numbers"),
    "points as scores": (lambda t: t.assign(score=600.0), {}, "models.external_scores_outside"),
    "scores below 0": (lambda t: t.assign(score=t["score"] - 0.5), {}, "models.external_scores_outside"),
    "a score is missing": (
        lambda t: t.assign(score=t["score"].where(t.index > 0)),
        {},
        "models.external_scores_missing",
    ),
    "a decision is missing": (
        lambda t: t.assign(decision=t["decision"].where(t.index > 0)),
        {"decision": "decision"},
        "models.external_decisions_missing",
    ),
    "three decisions": (
        lambda t: t.assign(decision=t.index % 3),
        {"decision": "decision"},
        "models.external_decisions_unclear",
    ),
    "decisions of another name": (
        lambda t: t.assign(decision=np.where(t["decision"], "yes", "no")),
        {"decision": "decision"},
        "models.external_decisions_unclear",
    ),
    "a threshold that is not the vendor's": (
        lambda t: t,
        {"decision": "decision", "threshold": {"fixed": 0.6}},
        "models.external_threshold_contradicted",
    ),
    "no threshold to compare with": (
        lambda t: t,
        {"decision": "decision", "threshold": None},
        "models.external_threshold_undeclared",
    ),
    "a threshold of decisions": (
        lambda t: t,
        {"decision": "decision", "score": None},
        "models.external_threshold_without_scores",
    ),
    "no line": (lambda t: t.head(0), {}, "data.no_rows"),
}


def add(table: pd.DataFrame, **line: Any) -> pd.DataFrame:
    return pd.concat([table, table.head(1).assign(**line)])


@pytest.mark.parametrize("case", WRONG)
def test_a_table_that_does_not_fit_is_refused_before_anything_is_judged(
    case: str, bring: Bring, vendor: pd.DataFrame
) -> None:
    change, more, code = WRONG[case]
    bring(change(vendor), **more)
    with codes.raises(code):
        train.main()
    assert not paths.MODEL.exists()
    assert not paths.TRAINING.exists()


def test_not_a_number_is_no_score(bring: Bring, vendor: pd.DataFrame) -> None:
    bring(vendor.assign(score=vendor["score"].where(vendor.index > 2, np.nan)), "v.parquet")
    with codes.raises("models.external_scores_missing", rows=3):
        train.main()


def test_the_fitting_thresholds_are_named(bring: Bring, vendor: pd.DataFrame) -> None:
    bring(vendor, decision="decision", threshold={"fixed": 0.9})
    with codes.raises("models.external_threshold_contradicted") as raised:
        train.main()
    refused = vendor["score"][vendor["decision"] == 0].max()
    assert f"{refused:g}" in raised.value.values["fitting"]
    bring(vendor, decision="decision")
    train.main()


def test_scores_without_a_threshold_are_cut_on_tune_rows(bring: Bring, vendor: pd.DataFrame) -> None:
    bring(vendor, threshold=None)
    train.main()
    training = files.read_json(paths.TRAINING)
    assert "on tune rows" in training["threshold_rule"]
    assert training["tune"]["rows"] > 0


def test_a_table_needs_rows_with_a_key(bring: Bring, vendor: pd.DataFrame) -> None:
    root = bring(vendor)
    settings = params.read_yaml(root / "params.yaml")
    settings["data"]["row_key"] = None
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    with codes.raises("data.external_needs_key"):
        train.main()


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 1)), min_size=1, unique_by=lambda pair: pair[0])
)
def test_a_table_knows_its_own_rows_and_no_others(listed: list[tuple[int, float]]) -> None:
    digests = row_ids.digests(pa.array([str(key) for key, _ in listed]))
    model = answers.of_rows(digests, np.array([score for _, score in listed]))
    hashes = row_ids.hexadecimal(digests).to_pylist()
    order = np.random.default_rng(0).permutation(len(listed))
    rows = pd.DataFrame({"row": [hashes[at] for at in order]})
    assert model.predict_proba(rows)[:, 1].tolist() == [listed[at][1] for at in order]
    assert model[-1].without_score(pd.DataFrame({"row": ["f" * 32, hashes[0]]})) == 1
    with codes.raises("models.external_rows_without_score", rows=1):
        model.predict_proba(pd.DataFrame({"row": ["f" * 32]}))


# --- Through approval to champion


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> governed.Place:
    return governed.enter(monkeypatch)


def test_a_vendors_table_goes_through_approval_to_champion_and_back(place: governed.Place) -> None:
    place.put("champion")
    place.make("vendor", "champion", lambda here: here.release(vendor="none", model=7))
    listed = place.command("list")
    assert f"made elsewhere ({judged.VENDOR} declared: scores)" in listed.said
    assert place.told() == 1, "nobody has approved it yet"
    place.agree(2)
    assert place.told() == 2
    assert not place.broken(2)
    proposal = next(entry for entry in place.entries("proposal") if entry.body["version"] == 2)
    assert proposal.body["declared_by"] == judged.VENDOR
    assert proposal.body["declared"] == ["scores"]
    place.roll_back()
    assert place.told() == 1
