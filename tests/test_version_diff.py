"""Two versions compared: what changed the outcome of a rule comes first, and nothing is measured again."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clearance.documents import codec
from clearance.reporting import version_diff
from clearance.reporting.technical_file import sources
from clearance.reporting.version_diff import Side, VersionDiff
from tests.support import technical


def side(version: int = 1, packages: dict[str, str] | None = None, **changes: Any) -> Side:
    return Side(
        version=version,
        known=technical.known(**changes),
        policy_file=technical.POLICY_FILE,
        packages={"numpy": "2.3.5"} if packages is None else packages,
    )


def compare(packages: dict[str, str] | None = None, **changes: Any) -> VersionDiff:
    return version_diff.compare("loans", side(), side(2, packages, **changes))


def content(name: str) -> Any:
    return json.loads(json.dumps(technical.known()[name].content))


def test_versions_with_the_same_evidence_do_not_differ() -> None:
    found = compare()
    assert found.differences == () and set(found.same) == set(version_diff.AREAS)
    assert "Nothing differs in their evidence." in version_diff.text(found)


def test_an_outcome_that_changed_comes_first_with_its_numbers_and_limit() -> None:
    verdict = content(sources.VERDICT)
    verdict["verdict"] = "fail"
    verdict["findings"][0] |= {"value": 0.2, "low": 0.12, "outcome": "fail"}
    verdict["findings"][1] |= {"value": 0.81}
    found = compare(**{sources.VERDICT: verdict})
    first, second, third = found.differences
    assert (first.what, first.before, first.after) == ("the verdict", "insufficient evidence", "fail")
    assert second.what == "demographic parity difference, race (rule gap)" and second.outcome_changed
    assert second.before == "insufficient evidence: 0.150 (0.050 to 0.270); limit ≤ 0.1"
    assert second.after == "fail: 0.200 (0.120 to 0.270); limit ≤ 0.1"
    assert third.what.startswith("ROC AUC") and not third.outcome_changed
    text = version_diff.text(found)
    assert text.index("Outcomes that changed") < text.index("! the verdict") < text.index("ROC AUC")
    assert "3 differences; 2 outcomes of a rule changed." in text


def test_a_rule_that_one_version_lacks_is_a_changed_outcome() -> None:
    verdict = content(sources.VERDICT)
    verdict["findings"].pop()
    (found,) = compare(**{sources.VERDICT: verdict}).differences
    assert found.outcome_changed and found.after == version_diff.ABSENT


def test_every_area_shows_what_differs_there() -> None:
    changes = {name: content(name) for name in technical.known()}
    changes[sources.ORIGIN] |= {"rows": 200, "sha256": "12" * 32}
    changes[sources.SPLIT]["rows"]["test"] = 70
    changes[sources.PARAMS]["data"]["favourable"] = 2
    changes[technical.POLICY_FILE]["rules"][0]["source"] = "another"
    changes[sources.LEDGER]["bar"]["statement"] = "known to be set after the result: no entry"
    changes[sources.PERFORMANCE]["measurements"]["roc_auc"]["value"] = 0.75
    changes[sources.FAIRNESS]["groups"]["race"]["Black"] |= {"count": 61, "selection_rate": 0.5}
    changes[sources.EXPLANATION]["importance"].reverse()
    changes[sources.TRAINING]["libraries"]["numpy"] = "2.4.0"
    changes[sources.TRAINING]["model"]["sha256"] = "78" * 32
    changes[sources.BUNDLE]["deps"]["clearance/b.py"] = "34" * 32
    changes[sources.BUNDLE]["environment"] = "56" * 32
    found = compare({"numpy": "2.4.0", "scipy": "1.0"}, **changes)
    said = {f"{it.area}: {it.what}": (it.before, it.after) for it in found.differences}
    assert said["data: rows"] == ("100", "200")
    assert said["data: the table"] == ("000000000000…", "121212121212…")
    assert said["data: test rows"] == ("1", "70")
    assert said["data: test rows, race Black"] == ("60", "61")
    assert said["model: the model's file"] == ("000000000000…", "787878787878…")
    assert said["params: data.favourable"] == ("1", "2")
    assert said["policy: rules.gap.source"] == ("the test", "another")
    assert said["bar: when the bar was set"][1].startswith("known to be set after the result")
    assert said["performance: ROC AUC"] == ("0.800 (0.700 to 0.900)", "0.750 (0.700 to 0.900)")
    assert said["fairness: decided favourably, race Black"] == ("66.7%", "50.0%")
    assert said["explanation: importance of amount"] == ("rank 1, 0.400", "rank 2, 0.400")
    assert said["environment: the library numpy"] == ("2.3.5", "2.4.0")
    assert said["environment: the locked package scipy"] == (version_diff.ABSENT, "1.0")
    assert said["code: clearance/b.py"] == (version_diff.ABSENT, "343434343434…")
    assert {it.area for it in found.differences} == set(version_diff.AREAS) - {"rules"}


def test_numbers_that_differ_are_never_shown_as_the_same() -> None:
    performance = content(sources.PERFORMANCE)
    performance["measurements"]["roc_auc"]["value"] = 0.8000001
    (found,) = compare(**{sources.PERFORMANCE: performance}).differences
    assert found.before != found.after and "0.8000001" in found.after


def test_a_value_that_is_no_measurement_of_the_model_is_not_a_difference() -> None:
    performance = content(sources.PERFORMANCE)
    performance["measurements"]["roc_auc"]["support"] = {"a": 1}
    assert compare(**{sources.PERFORMANCE: performance}).differences == ()


def test_what_a_version_has_no_evidence_about_is_neither_different_nor_the_same() -> None:
    lost = {sources.FAIRNESS: None, sources.EXPLANATION: {"status": "blocked", "because": "x"}}
    for found in (
        compare(**lost),
        version_diff.compare("loans", side(**lost), side(2, **lost)),
    ):
        assert set(found.unknown) == {"fairness", "explanation"}
        assert not set(found.unknown) & set(found.same)
        assert found.differences == ()
        assert "Not compared" in version_diff.text(found)


def test_packages_of_a_lock_that_is_lost_are_said_not_to_be_compared() -> None:
    bundle = content(sources.BUNDLE) | {"environment": "56" * 32}
    other = Side(
        version=2, known=technical.known(**{sources.BUNDLE: bundle}), policy_file=technical.POLICY_FILE
    )
    (note,) = version_diff.compare("loans", side(), other).notes
    assert "packages are not compared" in note


def test_hostile_names_are_inert_in_text_and_markdown() -> None:
    name = "<script>x</script>|[a](javascript:1)\u202e\n# h"
    changes = {sources.PARAMS: content(sources.PARAMS) | {name: name + "y" * 10_000}}
    found = compare(**changes)
    text, markdown = version_diff.text(found), version_diff.markdown(found)
    assert "\u202e" not in text + markdown and "\n# h" not in text + markdown
    assert "<script" not in markdown.replace("\\<script", "") and len(text) < 5_000


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["a", "b", "{}", ""]))
TREES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3), max_leaves=8
)


@given(TREES, TREES)
def test_parameters_differ_exactly_where_a_leaf_does(one: Any, two: Any) -> None:
    first = side(**{sources.PARAMS: {"a": one}})
    second = side(2, **{sources.PARAMS: {"a": two}})
    found = version_diff.compare("loans", first, second).differences
    before, after = dict(leaves(one)), dict(leaves(two))
    different = {keys for keys in {*before, *after} if before.get(keys, leaves) != after.get(keys, leaves)}
    assert {difference.what for difference in found} == {".".join(("a", *keys)) for keys in different}
    back = version_diff.compare("loans", second, first).differences
    assert [(it.after, it.before) for it in back if it] != [] or not found


def leaves(value: Any, keys: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*keys, key))
    else:
        yield keys, (type(value), value)


def test_the_comparison_is_json() -> None:
    written = codec.write(compare(**{sources.ORIGIN: content(sources.ORIGIN) | {"rows": 3}}))
    assert codec.read(VersionDiff, json.loads(json.dumps(written))).differences[0].what == "rows"
