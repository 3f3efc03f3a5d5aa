"""The model card: derived, stated or a gap; what a policy requires of it; hostile text stays inert."""

import datetime as dt
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearance import files, foreign_text, paths, yaml
from clearance.documents.card_document import TITLES, CardDocument, Section
from clearance.documents.sentences import DerivedClaim, Gap, Statement
from clearance.errors import ConfigurationError, IntegrityError
from clearance.params import Section as Strict
from clearance.policy import policy_file
from clearance.policy.document_terms import DocumentTerms
from clearance.promotion import review
from clearance.promotion.authorised_policy import Authority
from clearance.reporting.card import formats, make, required
from clearance.reporting.claims import artefacts, check, claim
from tests.support import carded, reported

AS_OF = dt.date(2026, 11, 22)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return carded.write(tmp_path_factory.mktemp("carded") / "project")


@pytest.fixture(scope="module")
def card(root: Path) -> CardDocument:
    return CardDocument.read(root)


def section(card: CardDocument, name: str) -> Section:
    return next(section for section in card.sections if section.id == name)


def rows(card: CardDocument, name: str, title: str) -> list[str]:
    table = next(table for table in section(card, name).tables if table.title == title)
    return [row.text for row in table.rows if isinstance(row, DerivedClaim)]


def terms(**changes: Any) -> DocumentTerms:
    return DocumentTerms.model_validate(carded.TERMS | changes)


def test_a_card_has_every_section_once_and_in_order(card: CardDocument) -> None:
    assert [section.id for section in card.sections] == list(TITLES)
    assert check.gaps(card) == []


def test_a_card_names_the_digest_of_all_it_was_made_from(root: Path, card: CardDocument) -> None:
    assert set(card.artefacts) == {path.as_posix() for path in make.READ}
    assert card.artefacts == {path: files.sha256(root / path) for path in card.artefacts}


def test_groups_come_with_their_size_and_fairness_with_interval_limit_and_outcome(card: CardDocument) -> None:
    assert rows(card, "data", "Groups among test rows") == [
        "race, Elf: 40 rows, 50.0% decided favourably (40.0% to 60.0%)",
        "race, Ent: 0 rows, none decided favourably (none)",
        "race, Orc: 12 rows, 50.0% decided favourably (40.0% to 60.0%)",
    ]
    assert rows(card, "fairness", "Rules about fairness") == [
        "demographic parity difference, race: 0.0200 (0.0100 to 0.0500); limit ≤ 0.1: pass (rule parity)"
    ]


@pytest.mark.parametrize("rate", [0.7996, 0.80004, 0.79999999])
def test_no_rate_of_a_group_is_rounded_onto_the_limit_of_a_rule(tmp_path: Path, rate: float) -> None:
    records = carded.documents()
    records["fairness"]["groups"]["race"]["Elf"]["selection_rate"] = rate
    gap = reported.rule("parity", "fairness.demographic_parity_difference", {"at_most": 0.8})
    rules = reported.policy()["rules"]
    policy = reported.policy(rules=[gap | {"attributes": ["race"]}, *rules[:2]])
    made = CardDocument.read(carded.write(tmp_path / "p", records, rules=policy))
    (line,) = [line for line in rows(made, "data", "Groups among test rows") if "Elf" in line]
    shown = float(re.findall(r"([\d.]+)% decided", line)[0]) / 100
    assert (shown > 0.8) == (rate > 0.8) and shown != 0.8


def test_statements_are_repeated_word_for_word_with_name_and_day(card: CardDocument) -> None:
    (statement,) = section(card, "intended_use").sentences
    assert isinstance(statement, Statement)
    assert (statement.text, statement.by, statement.on) == ("For practice alone.", "A. Person", "2026-11-01")


@pytest.mark.parametrize(
    ("stated", "what"),
    [
        ("", "nobody has stated the intended use"),
        (carded.STATED | {"intended_use": []}, "nobody has stated the intended use"),
        (carded.STATED | {"model": "other"}, "the intended use was stated for another model than loans"),
    ],
)
def test_what_nobody_stated_about_this_model_is_a_gap(tmp_path: Path, stated: Any, what: str) -> None:
    made = CardDocument.read(carded.write(tmp_path / "p", stated=stated))
    (gap,) = section(made, "intended_use").sentences
    assert isinstance(gap, Gap) and gap.what == what and "card.yaml" in gap.command


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("intended_use: text", "reporting.card_text_not_valid"),
        ("intended_uses: []", "reporting.card_text_not_valid"),
        ("contacts: [{text: Ask., by: A}]", "reporting.card_text_not_valid"),
        ("contacts: [{text: Ask., by: A, on: tomorrow}]", "reporting.card_text_not_valid"),
        ("contacts: [{text: '', by: A, on: 2026-11-01}]", "reporting.card_text_not_valid"),
        (None, "reporting.card_text_missing"),
    ],
)
def test_a_faulty_card_yaml_is_one_message(tmp_path: Path, content: str | None, code: str) -> None:
    root = carded.write(tmp_path / "p")
    (root / "card.yaml").unlink() if content is None else (root / "card.yaml").write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        carded.make(root)
    assert caught.value.code == code


def test_a_statement_that_is_too_old_stays_visible_beside_a_gap(tmp_path: Path) -> None:
    old = carded.SENTENCE | {"on": "2024-01-01"}
    rules = reported.policy(documents=carded.TERMS)
    root = carded.write(tmp_path / "p", stated=carded.STATED | {"limits": [old]}, rules=rules)
    made = CardDocument.read(root)
    statement, gap = section(made, "limits").sentences
    assert isinstance(statement, Statement) and statement.on == "2024-01-01"
    assert isinstance(gap, Gap) and "365 days" in gap.what
    assert "limits" in str(required.lacking(made, terms(), AS_OF))


def test_a_blocked_run_has_a_readable_card_whose_gaps_say_why(tmp_path: Path) -> None:
    made = CardDocument.read(carded.write(tmp_path / "p", carded.blocked()))
    whats = [gap.what for gap in check.gaps(section(made, "fairness"))]
    assert "the row key `id` names 2 rows twice" in " ".join(whats)
    assert not rows_of_numbers(section(made, "performance"))


def rows_of_numbers(section: Section) -> list[DerivedClaim]:
    return [
        sentence
        for _, sentence in check.sentences(section)
        if isinstance(sentence, DerivedClaim) and "rows" in sentence.values
    ]


def test_a_changed_judged_file_is_refused(tmp_path: Path) -> None:
    root = carded.write(tmp_path / "p")
    file = root / paths.FAIRNESS
    file.write_text(file.read_text().replace("0.02", "0.01"))
    with pytest.raises(IntegrityError):
        carded.make(root)


def test_the_same_artefacts_give_the_same_bytes(tmp_path: Path) -> None:
    roots = [carded.write(tmp_path / name) for name in ("a", "b")]
    names = [paths.CARD, *(paths.CARD_FORMATS / form.file for form in formats.FORMATS.values() if form.file)]
    for name in names:
        assert (roots[0] / name).read_bytes() == (roots[1] / name).read_bytes(), name


# What a policy requires


def test_a_card_without_gaps_lacks_nothing(card: CardDocument) -> None:
    assert required.lacking(card, terms(required=list(TITLES)), AS_OF) is None


@pytest.mark.parametrize("day", ["2027-11-01", "2027-11-02"])
def test_a_statement_counts_up_to_its_last_day_on_the_day_of_the_release(
    card: CardDocument, day: str
) -> None:
    lacking = required.lacking(card, terms(), dt.date.fromisoformat(day))
    assert (lacking is None) == (day == "2027-11-01")


def test_a_gap_in_a_required_section_is_named_and_several_are_short(tmp_path: Path) -> None:
    root = carded.write(tmp_path / "p", stated=carded.STATED | {"limits": []})
    lacking = str(required.lacking(CardDocument.read(root), terms(), AS_OF))
    assert lacking == "limits (nobody has stated the limits)"
    others = carded.write(tmp_path / "q", stated=carded.STATED | {"limits": [], "contacts": []})
    both = terms(required=["limits", "contacts"])
    assert required.lacking(CardDocument.read(others), both, AS_OF) == "limits and contacts"
    assert required.lacking(CardDocument.read(root), terms(required=["contacts"]), AS_OF) is None


@pytest.mark.parametrize(("day", "counts"), [("2026-10-30", False), ("2026-10-31", True)])
def test_a_statement_of_the_future_is_a_gap(card: CardDocument, day: str, counts: bool) -> None:
    lacking = required.lacking(card, terms(valid_days=None), dt.date.fromisoformat(day))
    assert (lacking is None) == counts
    assert counts or "still to come" in str(lacking) or " and " in str(lacking)


def test_no_sentence_ends_in_two_full_stops() -> None:
    values = {"why": "by race.", "where": "at home"}
    assert claim.fill("Reason: {why}. Place: {where}. ({why})", values) == (
        "Reason: by race. Place: at home. (by race.)"
    )


def test_no_card_and_a_missing_section_are_never_a_pass(card: CardDocument) -> None:
    assert required.lacking(None, terms(), AS_OF) is not None
    without = CardDocument(
        name=card.name, as_of=card.as_of, artefacts=card.artefacts, sections=card.sections[:1]
    )
    assert "limits" in str(required.lacking(without, terms(), AS_OF))


@pytest.mark.parametrize("stated", [carded.STATED, carded.STATED | {"limits": []}], ids=["whole", "gap"])
def test_a_release_is_refused_for_a_gap_that_the_policy_does_not_allow(tmp_path: Path, stated: Any) -> None:
    root = carded.write(tmp_path / "p", stated=stated, rules=reported.policy(documents=carded.TERMS))
    evidence = review.check_verdict(carded.settings(root), root)
    policy = policy_file.load(root / "policies/p.yaml")
    authority = Authority(policy=policy)
    case = review.assess(evidence, authority, AS_OF).case
    assert (case.undocumented is None) == (stated is carded.STATED)
    (root / paths.CARD).unlink()
    without = review.assess(review.check_verdict(carded.settings(root), root), authority, AS_OF).case
    assert without.undocumented is not None


@pytest.mark.parametrize("day", ["2025-12-31", "2026-01-01"])
def test_sections_are_required_from_the_first_day_in_force(tmp_path: Path, day: str) -> None:
    root = carded.write(tmp_path / "p", rules=reported.policy(documents=carded.TERMS))
    policy = policy_file.load(root / "policies/p.yaml")
    assert (policy.documents_on(dt.date.fromisoformat(day)) is None) == (day < "2026")


def test_a_policy_refuses_unknown_and_repeated_sections() -> None:
    for sections in ([], ["limits", "limits"], ["everything"]):
        with pytest.raises(ValueError, match=r"required|twice|Input"):
            terms(required=sections)
    assert issubclass(DocumentTerms, Strict)


# Bad input


ATTACKS = {
    "html": "</p><script>alert(1)</script><img src=x onerror=alert(1)>",
    "svg": "<svg onload=alert(1)><circle/></svg>",
    "link": "[click](javascript:alert(1)) ![x](http://evil.example/x.png) www.evil.example",
    "markdown": "# Heading | cell | **bold** `code` ~~gone~~ <https://evil.example>",
    "formula": '=HYPERLINK("http://evil.example")',
    "direction": "safe\u202egnp.exe\u2066\u200b",
    "template": "{{ 7 * 7 }} {rows} {% raw %} ${x}",
    "front matter": "---\nmodel-index: owned\n---",
    "control": "\x1b[31mred\x07\r\nnext",
    "long": "word " * 2_000,
    "arabic": "مقبول",
}


@pytest.fixture(scope="module", params=sorted(ATTACKS))
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A project whose card.yaml, group, feature, rule and declared reason all hold an attack."""
    attack = ATTACKS[request.param]
    sentence = {"text": attack, "by": attack[:150], "on": "2026-11-01"}
    stated = {"model": "loans"} | {name: [sentence] for name in carded.SECTIONS}
    records = carded.documents()
    groups = records["fairness"]["groups"]["race"]
    groups[attack] = groups.pop("Elf")
    records["explanation"]["importance"][0]["feature"] = attack
    records["training"]["threshold_rule"] = attack
    records["training"]["estimator"] = attack
    root = tmp_path_factory.mktemp("attacked") / "p"
    return request.param, carded.write(root, records, stated=json.dumps(stated))


def test_hostile_text_is_inert_in_every_format(attacked: tuple[str, Path]) -> None:
    name, root = attacked
    attack = ATTACKS[name]
    card = CardDocument.read(root)
    known = artefacts.read(root, make.READ)
    made = {key: form.checked(card, known, carded.LOCK) for key, form in formats.FORMATS.items()}
    for key, text in made.items():
        body = text if key not in ("cyclonedx", "sagemaker") else "".join(leaves(json.loads(text)))
        assert foreign_text.inert(body, keep="\n\r" if key == "html" else "\n") == body, key
    page = made["html"]
    assert not re.search("<script|<svg|<img", page) and "onerror=alert" not in tags(page)
    if foreign_text.inert(attack) == attack:
        assert attack.strip() in html.unescape(page)
    for key in ("markdown", "huggingface"):
        unescaped = re.sub(r"\\.", "", made[key])
        assert not re.search(r"\]\(|!\[|<[a-z/!]|https?://|www\.|`", unescaped), key
    assert yaml.loads(made["huggingface"].split("\n---\n")[0].removeprefix("---\n"))["model-index"] != "owned"


def tags(page: str) -> str:
    return " ".join(re.findall(r"<[^>]*>", page))


def leaves(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from leaves(value)
    elif isinstance(content, list):
        for value in content:
            yield from leaves(value)
    elif isinstance(content, str):
        yield content


def test_braces_in_evidence_are_never_filled(tmp_path: Path) -> None:
    records = carded.documents()
    records["training"]["threshold_rule"] = "{threshold} and {other}"
    made = CardDocument.read(carded.write(tmp_path / "p", records))
    texts = [one.text for one in section(made, "details").sentences if isinstance(one, DerivedClaim)]
    assert any("{threshold} and {other}" in text for text in texts)


def test_forty_groups_and_three_hundred_features_stay_a_readable_card(tmp_path: Path) -> None:
    records = carded.documents()
    group = records["fairness"]["groups"]["race"].pop("Elf")
    records["fairness"]["groups"]["race"] |= {f"group {n}": group for n in range(40)}
    names = [f"feature {n}" for n in range(300)]
    records["split"]["features"] = names
    records["explanation"]["importance"] = [{"feature": name, "mean_abs": 0.5} for name in names]
    root = carded.write(tmp_path / "p", records)
    assert len(rows(CardDocument.read(root), "data", "Groups among test rows")) == 42
    assert (root / paths.CARD_FORMATS / "card.html").stat().st_size < 200_000
    assert (root / paths.CARD).stat().st_size < 1_000_000


def test_a_model_that_gives_decisions_alone_has_no_threshold_in_its_card(tmp_path: Path) -> None:
    records = carded.documents()
    records["training"]["external"] = {
        **{"file": "external/v.csv", "sha256": "ab" * 32, "format": "table", "origin": "declared"},
        **{"answer": "decisions", "trained_on": "unknown", "trained_elsewhere": 0, "made_with": {}},
        "declared_by": "a vendor",
        "declared": [{"about": "decisions", "value": "as delivered"}],
    }
    made = CardDocument.read(carded.write(tmp_path / "p", records))
    texts = [one.text for one in section(made, "details").sentences if isinstance(one, DerivedClaim)]
    assert "It gives decisions and no scores." in texts
    assert "Declared, not measured: decisions: as delivered." in texts
    assert not any("score of at least" in text for text in texts)
    assert check.gaps(section(made, "details")) == []


@pytest.mark.parametrize("undefined", ["this model is not explained: no probabilities", "shap refuses it"])
def test_a_model_without_explanation_says_why(tmp_path: Path, undefined: str) -> None:
    records = carded.documents()
    explanation = records["explanation"]
    for key in ("explainer", "space", "against", "fewest_rows_shown"):
        explanation.pop(key, None)
    nothing = {"value": None, "undefined": undefined}
    explanation |= {"importance": [], "by_group": {}, "group_rows": {}}
    rows_of = explanation["measurements"]["rows"] | nothing
    explanation["measurements"] = dict.fromkeys(("additivity_error", "rows"), rows_of)
    made = CardDocument.read(carded.write(tmp_path / "p", records))
    first = section(made, "explanation").sentences[0]
    assert isinstance(first, DerivedClaim) and undefined in first.text
