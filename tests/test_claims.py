"""Claims: every value is read from an artefact, is shown on its side of a limit, and can be derived again."""

import copy
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import files
from clearance.documents import codec
from clearance.documents.sentences import DerivedClaim, Gap, Reference, Sentence, Source, Statement
from clearance.reporting.claims import artefacts, check, claim, formatters
from clearance.reporting.claims.artefacts import Artefact
from clearance.reporting.claims.claim import Claim

REPORT = "reports/performance.json"
CONTENT = {
    "rows": 586,
    "accuracy": {"value": 0.7996, "low": 0.75, "high": 0.84, "limit": {"at_least": 0.8, "at_most": None}},
    "outcome": "insufficient_evidence",
    "groups": {"a/b~c": 0.5},
    "names": ["race", "sex"],
}
WRITTEN = {"limits": [{"text": "Not for mortgages.", "by": "A. Person", "on": "2026-01-02"}]}


@dataclass(frozen=True)
class Page:
    """A document of sentences, as any other."""

    sentences: tuple[Sentence, ...]


def artefact(content: Any) -> Artefact:
    return Artefact(content=content, sha256=files.sha256_text(repr(content)))


def known(content: Any = CONTENT) -> dict[str, Artefact]:
    return {REPORT: artefact(content), "card.yaml": artefact(WRITTEN)}


def source(pointer: str, formatter: str) -> Source:
    return Source(artefact=REPORT, pointer=pointer, formatter=formatter)


ACCURACY = Claim(
    template="Accuracy over {rows} rows is {accuracy}: {outcome}.",
    sources={
        "rows": source("/rows", "count"),
        "accuracy": source("/accuracy", "measurement"),
        "outcome": source("/outcome", "outcome"),
    },
    about="the accuracy",
)
LIMITS = Statement(
    text="Not for mortgages.",
    by="A. Person",
    on="2026-01-02",
    source=Reference(artefact="card.yaml", pointer="/limits/0"),
    digest=files.sha256_text(repr(WRITTEN)),
)


def derived() -> DerivedClaim:
    sentence = claim.derive(ACCURACY, known())
    assert isinstance(sentence, DerivedClaim)
    return sentence


def test_a_claim_is_its_template_with_the_values_of_its_artefacts() -> None:
    sentence = derived()
    assert sentence.text == "Accuracy over 586 rows is 0.7996 (0.7500 to 0.8400): insufficient evidence."
    assert sentence.digests == {REPORT: known()[REPORT].sha256}
    assert codec.read(DerivedClaim, codec.write(sentence)) == sentence


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (None, "reports/performance.json is missing"),
        ({"rows": 586}, "has nothing at /accuracy"),
        (CONTENT | {"rows": float("nan")}, "/rows of reports/performance.json is not a finite number"),
        (CONTENT | {"rows": True}, "not a finite number"),
        (CONTENT | {"rows": -1}, "not a count"),
        (CONTENT | {"rows": "many"}, "not a finite number"),
        (CONTENT | {"outcome": "great"}, "not an outcome"),
        (CONTENT | {"accuracy": 0.8}, "not a measurement"),
    ],
)
def test_what_cannot_be_derived_is_a_gap_that_says_what_would_fill_it(content: Any, missing: str) -> None:
    artefacts_there = {} if content is None else known(content)
    sentence = claim.derive(ACCURACY, artefacts_there)
    assert isinstance(sentence, Gap)
    assert missing in sentence.what and sentence.what.startswith("the accuracy: ")
    assert sentence.command == "clearance run"


def test_an_undefined_measurement_says_why_and_shows_no_number() -> None:
    content = CONTENT | {"accuracy": {"value": None, "undefined": "no rows"}}
    sentence = claim.derive(ACCURACY, known(content))
    assert isinstance(sentence, DerivedClaim) and sentence.values["accuracy"] == "undefined: no rows"


def test_a_claim_whose_template_and_sources_differ_is_refused() -> None:
    for template in ("{rows}", "{rows} {accuracy} {outcome} {more}", "{rows.real} {accuracy} {outcome}"):
        with pytest.raises(ValueError, match=r"names|plain"):
            replace(ACCURACY, template=template)


def test_a_value_with_braces_stays_text() -> None:
    content = CONTENT | {"names": ["{rows}", "{0.__class__}"]}
    made = Claim(template="By {names}.", sources={"names": source("/names", "names")}, about="the attributes")
    sentence = claim.derive(made, known(content))
    assert isinstance(sentence, DerivedClaim) and sentence.text == "By {rows} and {0.__class__}."
    assert check.check(sentence, known(content)) == []


def test_a_document_of_true_sentences_has_no_problem() -> None:
    page = Page((derived(), LIMITS, Gap(what="contacts", command="write them")))
    assert check.check(page, known()) == []
    assert check.differences(page, page) == []
    assert check.gaps(page) == [page.sentences[2]]


NUMBERS = ["/rows", "/accuracy/value", "/accuracy/low", "/accuracy/high", "/accuracy/limit/at_least"]


@pytest.mark.parametrize("pointer", NUMBERS)
def test_a_changed_number_is_named_by_digest(pointer: str) -> None:
    content = copy.deepcopy(CONTENT)
    *parents, last = pointer.split("/")[1:]
    place: Any = content
    for key in parents:
        place = place[key]
    place[last] += 1
    problems = check.check(Page((derived(),)), known(content))
    assert problems[0].artefact == REPORT and problems[0].place == "/sentences/0"
    assert (problems[0].stated, problems[0].actual) == (known()[REPORT].sha256, known(content)[REPORT].sha256)


def test_a_changed_number_is_named_by_its_pointer_with_what_was_said_and_what_is_right() -> None:
    content = CONTENT | {"rows": 587}
    problems = check.check(Page((derived(),)), known(content))
    assert [(p.place, p.pointer, p.stated, p.actual) for p in problems[1:]] == [
        ("/sentences/0/values/rows", "/rows", "586", "587")
    ]


@pytest.mark.parametrize(
    "lie",
    [
        {"text": "Accuracy is fine."},
        {"template": "Accuracy is fine."},
        {"values": {"rows": "999", "accuracy": "0.9", "outcome": "pass"}},
        {"digests": {}},
    ],
)
def test_a_changed_sentence_is_a_problem(lie: dict[str, Any]) -> None:
    assert check.check(Page((replace(derived(), **lie),)), known()) != []


@pytest.mark.parametrize("lie", [{"text": "For all."}, {"by": "B. Other"}, {"on": "2027-01-02"}])
def test_a_changed_statement_is_a_problem(lie: dict[str, str]) -> None:
    (problem,) = check.check(Page((replace(LIMITS, **lie),)), known())
    assert problem.pointer == f"/limits/0/{next(iter(lie))}"


def test_a_consistent_lie_differs_from_the_document_derived_again() -> None:
    lie = replace(derived(), template="{rows} {accuracy} {outcome}: good!")
    lie = replace(lie, text=claim.fill(lie.template, lie.values))
    assert check.check(Page((lie,)), known()) == []
    places = [problem.place for problem in check.differences(Page((lie,)), Page((derived(),)))]
    assert places == ["/sentences/0/template", "/sentences/0/text"]


def test_an_added_a_removed_and_a_moved_sentence_differ() -> None:
    page = Page((derived(), LIMITS))
    for other in (Page((derived(),)), Page((LIMITS, derived())), Page((derived(), LIMITS, LIMITS))):
        assert check.differences(other, page) != []


def test_a_pointer_leads_through_any_key() -> None:
    place = artefacts.pointer("groups", "a/b~c")
    assert artefacts.at(CONTENT, place) == 0.5
    for nowhere in ("/groups/a", "/names/2", "/names/-1", "/names/01", "/rows/0"):
        with pytest.raises(artefacts.NothingThere):
            artefacts.at(CONTENT, nowhere)


RATES = st.floats(min_value=0, max_value=1, allow_nan=False)


@given(RATES, RATES, st.sampled_from(["percent", "number", "measurement", "as_written"]))
def test_no_formatter_rounds_a_number_past_a_limit(value: float, limit: float, name: str) -> None:
    shown: Any = {"value": value} if name == "measurement" else value
    text = formatters.FORMATTERS[name](shown, [limit])
    number = float(text.rstrip("%").replace(",", "")) / (100 if text.endswith("%") else 1)
    if value == limit or abs(value - limit) < 1e-9:
        return
    assert (number > limit) == (value > limit), (text, value, limit)


@given(st.sampled_from(sorted(formatters.FORMATTERS)), st.text(max_size=30) | st.integers() | st.none())
def test_a_formatter_words_a_value_or_says_what_it_expected(name: str, value: Any) -> None:
    try:
        text = formatters.FORMATTERS[name](value, [])
    except formatters.UnfitValue as unfit:
        assert re.fullmatch("(an?|the) .+", str(unfit))
    else:
        assert text
