"""The technical file: each point of Annex IV is answered by evidence, by a person, or by a visible gap."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.documents import codec
from clearance.documents.card_document import ClaimTable, Section
from clearance.documents.sentences import DerivedClaim, Gap, Sentence, Statement
from clearance.documents.technical_file_document import TechnicalFile
from clearance.reporting.card.card_text import TechnicalTopic
from clearance.reporting.claims import check
from clearance.reporting.technical_file import annex_iv, compliance, render, sources, statements
from clearance.reporting.technical_file.sources import Subject
from tests.support import browser, evidence, technical
from tests.support.browser import CHROMIUM

AXE = os.environ.get("CLEARANCE_AXE", "")
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

HOSTILE = (
    "<script>alert(1)</script><svg onload=x> [a](javascript:x) =HYPERLINK(1) \u202egnp|cell\n# h "
    + "x" * 10_000
)

ANNEX_IV = {
    "1": ("intended purpose", "provider", "version and relation to earlier ones", "instructions"),
    "2(a)": ("methods and steps performed",),
    "2(b)": ("design", "score of at least"),
    "2(c)": ("architecture", "computing"),
    "2(d)": ("data", "collected"),
    "2(e)": ("oversee",),
    "2(f)": ("determined in advance",),
    "2(g)": ("verdict", "signed"),
    "2(h)": ("cybersecurity",),
    "3": ("limits", "risks"),
    "4": ("metrics",),
    "5": ("risk management",),
    "6": ("champion",),
    "7": ("standards",),
    "8": ("declaration of conformity",),
    "9": ("post-market", "plan"),
}
"""The points of Annex IV, beside words of what each asks for."""


def section(document: TechnicalFile, key: str) -> Section:
    (found,) = [section for section in document.sections if section.id == key]
    return found


def words(part: Any) -> str:
    """Everything that a section says, and in which table."""
    said = [part.title]
    for _, sentence in check.sentences(part):
        said.append(sentence.what if isinstance(sentence, Gap) else sentence.text)
    return " ".join([*said, *(table.title for table in part.tables)]).lower()


def table(part: Section, title: str) -> ClaimTable:
    (found,) = [table for table in part.tables if table.title == title]
    return found


# Annex IV


def test_every_point_of_annex_iv_has_its_section_in_order_and_none_is_empty() -> None:
    document = technical.document()
    assert [part.id for part in document.sections][: len(ANNEX_IV)] == list(ANNEX_IV)
    for part in document.sections:
        assert list(check.sentences(part)), part.id


@pytest.mark.parametrize("key", ANNEX_IV)
def test_a_section_answers_what_its_point_asks_for(key: str) -> None:
    asked = {
        "1": ("practise", "not on any market", "champion before it: 1", "instructions"),
        "2(a)": ("estimator", "train rows", "commit"),
    }.get(key, ANNEX_IV[key])
    said = words(section(technical.document(), key))
    assert [word for word in asked if word not in said] == []


def test_without_any_artefact_every_section_still_stands_and_holds_only_gaps() -> None:
    document = annex_iv.make({}, technical.SUBJECT)
    assert [part.id for part in document.sections if part.id in ANNEX_IV] == list(ANNEX_IV)
    for part in document.sections:
        said = [sentence for _, sentence in check.sentences(part)]
        assert said and all(isinstance(sentence, Gap) for sentence in said), part.id


def test_a_gap_names_the_command_or_the_key_of_card_yaml_that_fills_it() -> None:
    gaps = check.gaps(technical.document())
    assert len(gaps) > 15
    for gap in gaps:
        assert re.search(r"clearance \w+|`[\w.]+` in card.yaml|in the policy", gap.command), gap


@pytest.mark.parametrize("name", sorted(technical.known()))
def test_no_sentence_outlives_the_artefact_that_it_came_from(name: str) -> None:
    whole, without = technical.document(), technical.document(**{name: None})
    assert len(check.gaps(without)) > len(check.gaps(whole)), name
    assert name not in without.artefacts
    for _, sentence in check.sentences(without):
        cited = set(sentence.digests) if isinstance(sentence, DerivedClaim) else set()
        assert name not in cited


def test_test_reports_are_dated_and_signed() -> None:
    (row,) = table(section(technical.document(), "2(g)"), "Test reports, dated and signed").rows
    assert isinstance(row, DerivedClaim)
    assert row.values == {
        "path": "reports/fairness.json",
        "sha256": technical.DIGEST,
        "by": "tess",
        "key": f"{technical.KEY[:12]}…",
        "at": "2026-11-22 09:00:00 UTC",
        "entry": "5",
    }


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [("reports", "dated and signed"), ("signatures", "nobody who decides has signed these reports")],
)
def test_without_a_signature_the_reports_are_a_gap(lacking: str, expected: str) -> None:
    document = technical.document(**{sources.LEDGER: technical.LEDGER | {lacking: []}})
    gaps = check.gaps(section(document, "2(g)"))
    assert any(expected in gap.what for gap in gaps)


def test_the_plan_is_a_gap_where_the_policy_watches_nothing() -> None:
    policy = {name: part for name, part in technical.POLICY.items() if name != "monitoring"}
    (gap,) = check.gaps(section(technical.document(**{technical.POLICY_FILE: policy}), "9"))
    assert "clearance plan" in gap.command


def test_a_model_made_elsewhere_is_told_with_what_was_only_declared() -> None:
    content = dict(technical.known()[sources.TRAINING].content)
    content["external"] = {
        "format": "onnx",
        "declared_by": "Acme",
        "declared": [{"about": "rows", "value": "9"}],
    }
    said = words(section(technical.document(**{sources.TRAINING: content}), "2(a)"))
    assert "made elsewhere (onnx)" in said and "declared, not measured: rows: 9." in said
    assert "fitted here" not in said


# Statements


def of_provider(**changes: Any) -> list[Sentence]:
    subject = replace(technical.SUBJECT, **changes.pop("subject", {}))
    item = technical.CARD_TEXT["technical_file"]["provider"][0] | changes
    text = technical.CARD_TEXT | {"technical_file": {"provider": [item]}}
    known = technical.known(**{sources.PRESENT_CARD_TEXT: text})
    return list(statements.of_topic("provider", known, subject))


def test_a_statement_is_word_for_word_with_its_author_and_day() -> None:
    (sentence,) = of_provider()
    assert isinstance(sentence, Statement)
    assert (sentence.text, sentence.by, sentence.on) == (
        "Ours, not on any market.",
        "A. Person",
        "2026-11-01",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"on": "2026-11-24"},
        {"on": "soon"},
        {"by": " "},
        {"text": ""},
        {"subject": {"name": "another"}},
    ],
    ids=["stated later", "no day", "nobody", "nothing", "another model"],
)
def test_what_nobody_has_stated_for_this_model_by_this_day_is_a_gap(changes: dict[str, Any]) -> None:
    (sentence,) = of_provider(**changes)
    assert isinstance(sentence, Gap) and "who provides the system" in sentence.what


@pytest.mark.parametrize(("days", "kinds"), [(22, [Statement]), (21, [Statement, Gap]), (None, [Statement])])
def test_a_statement_that_is_too_old_stands_beside_a_gap(days: int | None, kinds: list[type]) -> None:
    assert list(map(type, of_provider(subject={"valid_days": days}))) == kinds


def test_every_topic_of_card_yaml_is_asked_somewhere_and_none_is_asked_that_it_lacks() -> None:
    assert set(statements.TOPICS) == set(get_args(TechnicalTopic))
    said = " ".join(gap.command for gap in check.gaps(annex_iv.make({}, technical.SUBJECT)))
    listed = {topic for topic in get_args(TechnicalTopic) if topic != "distribution_date"}
    assert {topic for topic in listed if f"technical_file.{topic}`" not in said} == set()


# Truth


def numbers(value: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every number in a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, (*keys, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from numbers(inner, (*keys, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield keys


def changed(value: Any, keys: tuple[Any, ...]) -> Any:
    """The JSON value with another number there."""
    copied = json.loads(json.dumps(value))
    inner = copied
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = (inner[keys[-1]] or 0) * 2 + 1
    return copied


def complete(**changes: Any) -> dict[str, Any]:
    known = technical.known(**changes)
    return {**known, **annex_iv.composed(known, technical.SUBJECT)}


def test_the_check_finds_nothing_in_a_file_that_nobody_changed() -> None:
    document = technical.document()
    assert check.check(document, complete()) == []
    again = TechnicalFile.from_json(json.loads(json.dumps(document.to_json())))
    assert check.differences(again, technical.document()) == []


def test_the_check_names_every_number_of_every_artefact_that_changed() -> None:
    document = technical.document()
    tried = 0
    for name, artefact in technical.known().items():
        for keys in numbers(artefact.content):
            tried += 1
            known = complete(**{name: changed(artefact.content, keys)})
            problems = check.check(document, known)
            assert any(problem.artefact == name for problem in problems), (name, keys)
    assert tried > 100


def test_a_number_that_changed_under_its_old_digest_is_named_at_its_pointer() -> None:
    document, tried = technical.document(), 0
    for place, sentence in check.sentences(document):
        for name, source in sentence.sources.items() if isinstance(sentence, DerivedClaim) else ():
            artefact = complete()[source.artefact]
            keys = tuple(key.replace("~1", "/").replace("~0", "~") for key in source.pointer.split("/")[1:])
            if source.formatter not in ("count", "percent", "number") or source.artefact == sources.IMPACT:
                continue
            tried += 1
            content = changed(artefact.content, indices(artefact.content, keys))
            known = complete() | {source.artefact: replace(artefact, content=content)}
            found = [problem for problem in check.check(document, known) if problem.place.startswith(place)]
            assert (source.artefact, source.pointer) in [(it.artefact, it.pointer) for it in found], name
    assert tried > 30


def indices(value: Any, keys: tuple[str, ...]) -> tuple[Any, ...]:
    """The keys of a pointer, with numbers where they lead through lists."""
    found: list[Any] = []
    for key in keys:
        found.append(int(key) if isinstance(value, list) else key)
        value = value[found[-1]]
    return tuple(found)


SAID = list(check.sentences(technical.document()))


@given(st.sampled_from(range(len(SAID))), st.text(min_size=1, max_size=5))
def test_every_sentence_that_somebody_changed_is_named(index: int, added: str) -> None:
    place, sentence = SAID[index]
    stored = technical.document().to_json()
    inner: Any = stored
    for key in place.split("/")[1:]:
        inner = inner[int(key) if isinstance(inner, list) else key.replace("~1", "/").replace("~0", "~")]
    inner["what" if isinstance(sentence, Gap) else "text"] += added
    found = check.differences(TechnicalFile.from_json(stored), technical.document())
    assert [problem.place.startswith(place) for problem in found] == [True]


def test_a_rate_is_never_rounded_across_its_limit() -> None:
    content = technical.verdict()
    content["findings"][0] |= {
        "value": 0.1004,
        "low": 0.0996,
        "high": 0.27,
        "limit": {"at_least": None, "at_most": 0.1},
    }
    said = words(section(technical.document(**{sources.VERDICT: content}), "2(g)"))
    assert "0.1004 (0.0996 to 0.2700)" in said


# Compliance matrix


def matrix(day: str = "2026-11-23", **changes: Any) -> dict[str, Any]:
    known = technical.known(**changes)
    content = compliance.content(known, technical.POLICY_FILE, dt.date.fromisoformat(day))
    assert content is not None
    return content


def test_the_matrix_lists_every_dated_part_of_the_policy_and_whether_it_is_in_force() -> None:
    content = matrix()
    rows = [*content["judged"], *content["others"]]
    assert {row["rule"]: row["in_force"] for row in rows} == {
        "gap": "yes, since 2026-01-01",
        "ranks": "yes, since 2026-01-01",
        "stricter": "no: from 2027-06-01",
        "older": "no: until 2026-04-17",
        "reasons": "yes, since 2026-01-01",
        "impact_table": "yes, since 2023-07-05",
        "logs": "yes, since 2024-08-01",
        "live": "yes, since 2026-01-01",
        "serious": "yes, since 2026-08-02",
    }
    assert {row["rule"]: row["in_force"] for row in matrix("2026-04-17")["others"]}["older"].startswith("yes")
    assert {row["rule"]: row["in_force"] for row in matrix("2027-06-01")["others"]}["stricter"] == (
        "yes, since 2027-06-01"
    )


def test_a_row_states_source_certainty_kind_evidence_and_result() -> None:
    rows = table(section(technical.document(), "compliance"), "Rules that judged the version").rows
    gap = next(row for row in rows if isinstance(row, DerivedClaim) and row.values["rule"] == "gap")
    assert gap.values["measured"] == "0.150 (0.050 to 0.270)"
    assert (gap.values["limit"], gap.values["outcome"]) == ("≤ 0.1", "insufficient evidence")
    assert (gap.values["kind"], gap.values["certainty"]) == ("engineering", "sureness not stated")
    place = "reports/fairness.json#/measurements/demographic_parity_difference/race"
    assert gap.values["evidence"] == place
    assert gap.values["digest"] == technical.known()[sources.FAIRNESS].sha256


def test_how_sure_a_source_is_is_never_better_than_the_policy_says() -> None:
    rows = {row["rule"]: row["certainty"] for row in matrix()["others"]}
    assert (rows["stricter"], rows["older"], rows["logs"]) == (
        "wording not confirmed",
        "secondary source",
        "wording read",
    )


def test_a_rule_that_judged_nothing_has_no_result() -> None:
    (row,) = [row for row in matrix()["others"] if row["rule"] == "stricter"]
    assert row["outcome"] == "not judged: it was not in force on 2026-11-22, the day of the verdict"


def test_no_cell_of_the_matrix_runs_in_a_spreadsheet() -> None:
    policy = json.loads(json.dumps(technical.POLICY))
    policy["rules"][1] |= {"id": "=cmd|' /C calc'!A0", "source": "@SUM(1)"}
    policy["rules"][2]["source"] = " +1"
    tables = section(technical.document(**{technical.POLICY_FILE: policy}), "compliance").tables
    cells = [cell for row in csv.reader(io.StringIO(compliance.to_csv(tables))) for cell in row]
    assert [cell for cell in cells if cell.lstrip()[:1] in ("=", "+", "@", "-", "\t")] == []
    assert "'=cmd|' /C calc'!A0" in cells


# Local Law 144


def impact_rows() -> list[Mapping[str, str]]:
    rows = table(section(technical.document(), "bias_audit"), "Impact ratios").rows
    return [row.values for row in rows if isinstance(row, DerivedClaim)]


def test_the_summary_of_the_audit_has_ratios_for_each_attribute_and_their_intersection() -> None:
    rows = impact_rows()
    assert {row["attribute"] for row in rows} == {"race", "race & sex", "sex"}
    black = next(row for row in rows if row["category"] == "Black")
    assert (black["applicants"], black["selected"], black["rate"]) == ("60", "40", "66.7%")
    assert black["ratio"] == "1"


def test_a_small_category_is_left_out_with_its_count_rate_and_reason() -> None:
    part = section(technical.document(), "bias_audit")
    said = words(part)
    assert "black & female is left out of the ratios, with 4 applicants and a selection rate of 75.0%" in said
    assert "applicants whose race & sex is unknown, and who are in no ratio: 1." in said
    (small,) = [row for row in impact_rows() if row["category"] == "Black & female"]
    assert small["ratio"].startswith("undefined")


def test_the_summary_claims_no_pass() -> None:
    part = section(technical.document(), "bias_audit")
    assert not any(column.value == "outcome" for listed in part.tables for column in listed.columns)
    assert "no pass mark" in words(part)


def test_there_is_no_summary_where_the_policy_has_no_impact_table() -> None:
    content = technical.verdict()
    content["policy"]["impact_table"] = None
    sections = technical.document(**{sources.VERDICT: content}).sections
    assert "bias_audit" not in [part.id for part in sections]


@pytest.mark.parametrize(
    ("stated", "promoted", "expected"),
    [
        (True, True, "first used on 2026-03-01"),
        (False, True, "version 1 was first promoted 2026-10-01 09:00:00 utc (entry 3)"),
        (False, False, "nobody has stated the day on which the tool was first used"),
    ],
)
def test_the_distribution_date_says_where_it_comes_from(stated: bool, promoted: bool, expected: str) -> None:
    text = json.loads(json.dumps(technical.CARD_TEXT))
    if stated:
        said = {"text": "It was first used on 2026-03-01.", "by": "A. Person", "on": "2026-11-01"}
        text["technical_file"]["distribution_date"] = [said]
    ledger = technical.LEDGER | ({} if promoted else {"first_promotion": None})
    changes = {sources.PRESENT_CARD_TEXT: text, sources.LEDGER: ledger}
    assert expected in words(section(technical.document(**changes), "bias_audit"))


# Adverse action


def readiness(**changes: Any) -> Section:
    content = technical.known()[sources.REASONS].content | changes
    return section(technical.document(**{sources.REASONS: content}), "adverse_action")


def test_every_denial_can_be_reasoned_where_every_feature_has_its_text() -> None:
    said = words(readiness())
    assert "of 120 test rows that were denied, 120 could be given reasons" in said
    assert "0 of 2" in said and check.gaps(readiness()) == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"texts": {"amount": "Amount"}, "text_problems": ["`ratio` has no text"]}, "has no text"),
        (
            {"text_problems": ["the text of `ratio` is not specific: it says “internal standard”"]},
            "is too general",
        ),
        ({"text_problems": ["the text of `ratio` names `race`, which is protected"]}, "cannot be stated"),
    ],
)
def test_a_feature_without_a_specific_text_is_a_gap_and_no_denial_counts(
    changes: dict[str, Any], status: str
) -> None:
    part = readiness(**changes)
    (gap,) = check.gaps(part)
    assert "`ratio`" in gap.what and "reasons.yaml" in gap.command
    assert f"ratio {status}" in words(part) and "120 test rows that were denied, 0 could" in words(part)


def test_where_denials_cannot_be_reasoned_none_counts() -> None:
    said = words(readiness(insufficient="the profile has 3 rows"))
    assert "no denial can be reasoned: the profile has 3 rows." in said and "denied, 0 could" in said


# Bad input and formats


def hostile() -> TechnicalFile:
    text = json.loads(json.dumps(technical.CARD_TEXT))
    text["intended_use"][0] |= {"text": HOSTILE, "by": "<b>A</b>"}
    text["technical_file"]["provider"][0] |= {"text": HOSTILE, "by": "[x](http://x.y)"}
    fairness = dict(technical.known()[sources.FAIRNESS].content)
    groups = {HOSTILE[:90]: evidence.group(30, 10, 10, 10), "White": evidence.group(150, 50, 50, 50)}
    fairness["groups"] = technical.with_intervals({"race": groups, "<i>=1": groups})
    policy = json.loads(json.dumps(technical.POLICY))
    policy["rules"][0]["source"] = HOSTILE
    changes = {
        sources.CARD_TEXT: text,
        sources.PRESENT_CARD_TEXT: text,
        sources.FAIRNESS: fairness,
        technical.POLICY_FILE: policy,
    }
    return technical.document(**changes)


def test_hostile_text_is_inert_in_every_format() -> None:
    document = hostile()
    page, text, markdown = render.html(document), render.text(document), render.markdown(document)
    assert "<script" not in page and "<svg" not in page and "<b>A" not in page and "&lt;script&gt;" in page
    assert not re.search(r"(?<!\\)<script|(?<!\\)\]\((javascript|http)|(?<!\\)<i>", markdown)
    for shown in (page, text, markdown):
        assert "\u202e" not in shown and "x" * 200 in shown.replace("\n", "").replace(" ", "")
    assert not any(line.startswith("# h") for line in markdown.splitlines())


def test_the_same_sentences_stand_in_every_format() -> None:
    document = technical.document()
    page, markdown = render.html(document), render.markdown(document)
    text = " ".join(render.text(document).split())
    for shown, mark in ((page, "<strong>Gap:</strong>"), (markdown, "**Gap:**"), (text, "[GAP]")):
        assert shown.count(mark) == len(check.gaps(document))
        assert "Ours, not on any market." in shown
        assert all(
            title.split(" ", 1)[1].split(":")[0][:20].lower() in shown.lower()
            for title in annex_iv.TITLES.values()
        )


def test_the_document_is_what_its_schema_reads() -> None:
    document = technical.document()
    assert TechnicalFile.from_json(json.loads(json.dumps(document.to_json()))) == document
    assert codec.schema(TechnicalFile, "Technical file")["title"] == "Technical file"


def test_an_annex_of_no_version_is_dated_and_named() -> None:
    subject = Subject(name="<x>\u202e", version=3, at=technical.AT, policy_file="none")
    document = annex_iv.make({}, subject)
    assert (document.version, document.at) == (3, "2026-11-23T12:00:00+00:00")
    assert "<x>" not in render.html(document)
    for shown in (render.html(document), render.text(document), render.markdown(document)):
        assert "\u202e" not in shown


# How it looks


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "technical.html"
    path.write_text(render.html(hostile()).replace("<details>", "<details open>"), encoding="utf-8")
    return path


@in_browser
@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_fits_and_loads_nothing(tmp_path: Path, page: Path, width: int) -> None:
    layout = browser.layout(tmp_path, page, width, rows="body")
    assert layout["overflow"] == "0", "the page scrolls sideways: only tables may, in their own boxes"
    assert (layout["loaded"], layout["width"]) == ("0", str(width))


@in_browser
def test_no_table_is_cut_on_paper(tmp_path: Path, page: Path) -> None:
    path = tmp_path / "paper.html"
    path.write_text(page.read_text(encoding="utf-8").replace("@media print", "@media all"), encoding="utf-8")
    layout = browser.layout(tmp_path, path, 720, rows="body")
    assert layout["overflow"] == "0", "a table is wider than a page of A4 (720 CSS pixels between margins)"


RUN_AXE = """<script>axe.run(document).then(result => {
  const seen = parent.document.documentElement.dataset;
  seen.rules = result.passes.length;
  seen.violations = JSON.stringify(result.violations.map(it => [it.id, it.nodes.map(node => node.html)]));
})</script>"""


@in_browser
@pytest.mark.skipif(not AXE, reason="CLEARANCE_AXE does not name the file axe.min.js")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(tmp_path: Path, page: Path, theme: str) -> None:
    library = Path(AXE).read_text(encoding="utf-8").replace("</script", "<\\/script")
    framed = browser.probed(page, 1280, f"<script>{library}</script>{RUN_AXE}")
    dark = [browser.DARK] if theme == "dark" else []
    answers = browser.answers(tmp_path, framed, "--virtual-time-budget=60000", *dark)
    assert json.loads(answers["violations"]) == []
    assert int(answers["rules"]) > 20
