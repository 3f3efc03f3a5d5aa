"""The monitoring page: what it says, what it leaves out, how large it is, and how it looks in a browser."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.documents.look_document import Look
from clearance.documents.measurement import Outcome
from clearance.reporting.monitoring import monitoring_page, trends
from clearance.reporting.monitoring.monitoring_page import AlertLine, IncidentLine, Monitored
from clearance.reporting.monitoring.trends import Standing
from tests.support import browser
from tests.support import year_of_looks as looks
from tests.support.browser import CHROMIUM

TERMS = looks.terms()
MEGABYTE = 1_000_000
AXE = os.environ.get("CLEARANCE_AXE", "")
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def monitored(seen: Sequence[Look], **more: Any) -> Monitored:
    base = {"model": "loan-approval", "version": 1, "terms": TERMS, "looks": seen}
    return Monitored(**(base | more))


@cache
def plausible() -> str:
    """A year with two rules that fail, an alert, an incident and a restriction."""
    alert = AlertLine(rule="parity", state="open", since="2026-11-17", text="sex: 0.21, limit 0.1")
    duty = "open: report to the market surveillance authority by 2026-12-02"
    incident = IncidentLine(
        number=41, state="open", owner="ada", lines=["opened by parity", duty], overdue=True
    )
    page = monitored(
        looks.plausible(),
        alerts=[alert],
        incidents=[incident],
        restrictions=["version 1 is held for review by parity (entry 40): the rates differ"],
    )
    return monitoring_page.render(page)


class Text(HTMLParser):
    """The text of a page by the id of the section's heading, and the tags that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: dict[str, str] = {"": ""}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._section, self._hidden = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag == "style"
        if tag == "section":
            self._section = dict(attrs)["aria-labelledby"] or ""
            self.sections[self._section] = ""

    def handle_endtag(self, _: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.sections[self._section] += data


def read(page: str) -> Text:
    parser = Text()
    parser.feed(page)
    return parser


# Trends


def test_a_trend_stands_where_its_newest_looks_and_its_past_put_it() -> None:
    standings = {(trend.rule, trend.subject): trend.standing for trend in trends.trends(looks.plausible())}
    assert standings["stable inputs", "income"] is standings["parity", "sex"] is Standing.FAILING
    assert standings["stable inputs", "debt"] is Standing.FAILED_BEFORE
    assert standings["accuracy", None] is Standing.QUIET
    assert standings["no missing values", "age"] is Standing.UNDECIDED


def test_it_fails_since_the_first_look_of_the_failures_in_a_row() -> None:
    (income,) = [trend for trend in trends.trends(looks.plausible()) if trend.subject == "income"][:1]
    assert income.failing_since("day") == "2026-10-20T00:00Z"
    assert income.failing_since("week") == "2026-10-19T00:00Z"
    assert income.failing_since("month") == "2026-10-01T00:00Z"
    assert income.failing_since("batch") is None


OUTCOMES = st.lists(st.sampled_from(Outcome), min_size=1, max_size=12)


@given(days=OUTCOMES, weeks=st.lists(st.sampled_from(Outcome), max_size=3))
def test_a_trend_is_quiet_only_where_nothing_failed_and_every_newest_look_passed(
    days: list[Outcome], weeks: list[Outcome]
) -> None:
    rule = TERMS.rules[0]
    made = [
        looks.look(TERMS, window, [replace(looks.finding(rule, "income", 0.05, 99), outcome=outcome)])
        for period, outcomes in (("day", days), ("week", weeks))
        for window, outcome in zip(of_period(period), outcomes, strict=False)
    ]
    (trend,) = trends.trends(made)
    newest = {outcomes[-1] for outcomes in (days, weeks) if outcomes}
    ever = {*days, *weeks}
    assert (trend.standing is Standing.FAILING) == (Outcome.FAIL in newest)
    assert (trend.standing is Standing.QUIET) == (newest == {Outcome.PASS} and Outcome.FAIL not in ever)
    assert trend.looks == len(days) + len(weeks)
    run = 0
    while run < len(days) and days[-1 - run] is Outcome.FAIL:
        run += 1
    first = of_period("day")[len(days) - run].start if run else None
    assert trend.failing_since("day") == first


@cache
def of_period(period: str) -> list[Any]:
    return [window for window in looks.windows(30) if window.period == period]


def test_of_two_looks_at_one_window_the_later_counts() -> None:
    (look,) = looks.year(days=1)
    again = replace(
        look, findings=tuple(replace(item, outcome=Outcome.FAIL, value=0.9) for item in look.findings)
    )
    (trend, *_) = trends.trends([look, again])
    assert (trend.looks, trend.standing) == (1, Standing.FAILING)


# What it says


def test_a_failure_says_what_how_bad_since_when_on_what_evidence_and_what_next() -> None:
    section = read(plausible()).sections["now"]
    income = section[section.index("stable inputs") :]
    assert "0.310 (0.265 to 0.355)" in income and "≤ 0.1" in income
    assert "2026-10-20" in income and "42 days in a row, 6 weeks in a row, 2 months in a row" in income
    assert "2,000 rows against 1,392 of the reference" in income
    assert "p 1e-09, at most 1e-06 allowed" in income
    assert "a new model is trained" in income and "data scientist" in income
    assert section.index("parity") < section.index("stable inputs"), "the serious rule comes first"
    parity = section[: section.index("stable inputs")]
    assert "marked for a person" in parity
    assert "women 39.0% (780 of 2,000), men 60.0% (1,200 of 2,000)" in parity, "the worse off first"
    assert "women" not in income


def test_what_was_quiet_is_said_and_every_trend_is_drawn_listed_or_counted() -> None:
    sections = read(plausible()).sections
    assert "4 trends passed" in sections["quiet"]
    for subject in ("the model", "debt", "age", "race & sex"):
        assert subject in "".join(sections[name] for name in ("failed_before", "undecided", "quiet"))
    assert "Nothing was odd" not in sections["notes"] and "2026-08-02" in sections["notes"]
    assert "is overdue" in sections["alerts"] and "ada" in sections["alerts"]
    assert "held for review by parity" in sections[""]


def test_the_budget_is_added_up_and_each_rule_says_what_it_does() -> None:
    sections = read(plausible()).sections
    spent = 100 * 365 * looks.LEVELS["day"]
    assert f"{spent:.2f}%" in sections["budget"] and "5.0%" in sections["budget"]
    for rule in TERMS.rules:
        assert rule.id in sections["rules"] and rule.source in sections["rules"]
    assert "new decisions are refused" in sections["rules"].lower()


def test_without_a_look_nothing_is_said_to_be_quiet() -> None:
    page = read(monitoring_page.render(monitored([])))
    assert "No look yet" in page.sections[""]
    assert "Nothing was quiet" in page.sections["quiet"]
    assert "Pass" not in page.sections[""]
    assert "Nothing fails" not in page.sections["now"]


@pytest.mark.parametrize("made", [[], looks.year(days=8)], ids=["no look", "a week"])
def test_decisions_that_wait_to_be_judged_are_named(made: list[Look]) -> None:
    waiting = "12 decisions since 2026-12-08 00:00Z wait to be judged, from 2026-12-09 01:00Z on"
    assert waiting in read(monitoring_page.render(monitored(made, waiting=waiting))).sections[""]
    assert "wait to be judged" not in monitoring_page.render(monitored(made))


def of_outcome(outcome: Outcome, days: int = 3) -> list[Look]:
    """Looks of which every finding has this outcome."""
    made = [look for look in looks.year(days=days) if look.window.period == "day"]
    return [
        replace(
            look,
            outcome=outcome,
            findings=tuple(replace(finding, outcome=outcome) for finding in look.findings),
        )
        for look in made
    ]


@pytest.mark.parametrize("outcome", [Outcome.NOT_EVALUATED, Outcome.INSUFFICIENT_EVIDENCE, None])
def test_where_nothing_was_decided_nothing_is_said_not_to_fail(outcome: Outcome | None) -> None:
    """Looks that could not tell, and passes after which nobody decided for a month."""
    passed = of_outcome(Outcome.PASS)
    made = of_outcome(outcome) if outcome else [*passed, *silent_days(passed, 40)]
    sections = read(monitoring_page.render(monitored(made))).sections
    assert "Nothing fails" not in sections["now"] and "No rule fails" not in sections[""]
    assert "nothing is known" in sections[""]
    quiet = read(monitoring_page.render(monitored(passed))).sections
    assert "Nothing fails" in quiet["now"] and "nothing is known" not in quiet[""]


def test_looks_of_another_version_are_refused() -> None:
    (look,) = looks.year(days=1)
    for other in (replace(look, version=2), replace(look, model="other")):
        with pytest.raises(ValueError, match="version"):
            monitoring_page.render(monitored([look, other]))


@pytest.mark.parametrize("outcome", Outcome)
def test_the_title_is_the_worst_of_the_newest_looks(outcome: Outcome) -> None:
    made = [replace(look, outcome=Outcome.PASS) for look in looks.year(days=8)]
    made[-1] = replace(made[-1], outcome=outcome)
    assert f"<title>{monitoring_page.TITLES[outcome]}: loan-approval" in monitoring_page.render(
        monitored(made)
    )


def silent_days(made: list[Look], days: int) -> list[Look]:
    """So many days without a decision after the newest look."""
    start = dt.date.fromisoformat(max(look.window.end for look in made)[:10])
    return [
        looks.look(TERMS, looks.window("day", start + dt.timedelta(days=day)), [], rows=0, basis="empty")
        for day in range(days)
    ]


def standings(made: list[Look]) -> dict[tuple[str, str, str | None], Standing]:
    return {trend.key: trend.standing for trend in trends.trends(made)}


def test_an_empty_day_changes_nothing_that_stood_and_is_said() -> None:
    made = looks.plausible()
    longer = [*made, *silent_days(made, 1)]
    assert standings(longer) == standings(made) and Standing.QUIET in standings(made).values()
    page = monitoring_page.render(monitored(longer))
    assert "<title>A rule fails" in page
    last = max(look.window.end for look in made if look.window.period == "day")
    assert f"No decision since {last[:10]}" in page
    assert "No decision since" not in monitoring_page.render(monitored(made))


def test_a_month_without_decisions_leaves_nothing_quiet_and_ends_no_failure() -> None:
    made = looks.plausible()
    before = standings(made)
    assert standings([*made, *silent_days(made, 31)]) == before
    after = standings([*made, *silent_days(made, 32)])
    changed = {key for key in before if before[key] is not after[key]}
    assert changed == {key for key, standing in before.items() if standing is Standing.QUIET}
    assert {after[key] for key in changed} == {Standing.UNDECIDED}


def test_quiet_days_alone_do_not_undecide_a_title() -> None:
    made = [replace(look, outcome=Outcome.PASS) for look in looks.year(days=8)]
    passed = monitoring_page.render(monitored(made))
    title = passed[passed.index("<title>") : passed.index("</title>")]
    assert title in monitoring_page.render(monitored([*made, *silent_days(made, 2)]))


def test_the_sentence_counts_the_rules_of_the_policy_and_says_which_wait() -> None:
    made = looks.plausible()
    judged = {finding.rule for look in made for finding in look.findings} & {rule.id for rule in TERMS.rules}
    failing = {key[0] for key, standing in standings(made).items() if standing is Standing.FAILING}
    page = monitoring_page.render(monitored(made))
    assert f"{len(failing)} of {len(TERMS.rules)} rules fail" in page
    rest = len(TERMS.rules) - len(judged)
    assert ("not judged yet" in page) == (rest > 0)
    of_one = [replace(look, findings=look.findings[:1]) for look in made]
    assert f"{len(TERMS.rules) - 1} rules not judged yet." in monitoring_page.render(monitored(of_one))


def test_rules_on_labels_have_looks_of_their_own_and_stay_quiet_until_they_are_due() -> None:
    """A later look at decisions alone does not make what labels said stale; one without labels does."""
    rule = TERMS.rules[3]
    first, second, third = of_period("day")[:3]
    labels = looks.look(TERMS, first, [looks.finding(rule, None, 0.9, 9_000)], basis="labels")
    later = looks.look(TERMS, third, [looks.finding(TERMS.rules[0], "income", 0.01, 9_000)])
    late = looks.look(TERMS, second, [], basis="unlabelled")
    standing = {trend.rule: trend.standing for trend in trends.trends([labels, later])}
    assert standing == {rule.id: Standing.QUIET, TERMS.rules[0].id: Standing.QUIET}
    standing = {trend.rule: trend.standing for trend in trends.trends([labels, later, late])}
    assert standing[rule.id] is Standing.UNDECIDED


# What it must not do


def test_the_same_looks_give_the_same_page_which_loads_nothing_and_has_no_script() -> None:
    first = plausible()
    plausible.cache_clear()
    assert plausible() == first
    page = read(first)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "iframe", "object", "embed", "form", "img", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        target = attributes.get("href") or attributes.get("src") or ""
        assert not target or target.startswith(("#", "data:,")), target
    assert not re.search(r"url\(|@import", first)


ATTACK = "</td></p></style><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


@cache
def hostile() -> str:
    """Every text of a look, an alert and an incident is an attack."""
    rules = looks.terms(looks.rule(f"rule{ATTACK}", "drift.psi", source=ATTACK))
    made = looks.year(rules, features=[ATTACK, "\u202egnp.exe\x1b[2J", "{{ 7 * 7 }}"], days=9)
    made = [
        replace(
            look,
            model=ATTACK,
            outcome=Outcome.FAIL,
            policy=ATTACK,
            policy_version=ATTACK,
            notes=(ATTACK,),
            findings=tuple(
                replace(
                    finding,
                    outcome=Outcome.FAIL,
                    reason=ATTACK,
                    assumption=ATTACK,
                    undefined=None if finding.value is not None else ATTACK,
                )
                for finding in look.findings
            ),
        )
        for look in made
    ]
    return monitoring_page.render(
        Monitored(
            model=ATTACK,
            version=1,
            terms=rules,
            looks=made,
            alerts=[AlertLine(rule=ATTACK, state=ATTACK, since=ATTACK, text=ATTACK)],
            incidents=[IncidentLine(number=1, state=ATTACK, owner=ATTACK, lines=[ATTACK])],
            restrictions=[ATTACK],
        )
    )


def test_hostile_texts_are_inert() -> None:
    text = hostile()
    assert {tag for tag, _ in read(text).tags}.isdisjoint({"script", "img"})
    assert "\x1b" not in text and "\u202e" not in text
    assert "{{ 7 * 7 }}" in text


# How large it is


@cache
def wide(value: float, name: str = "feature number {:03}") -> str:
    """300 features, three rules for each, and a year of looks; every day of the week looks the same."""
    terms = looks.terms(*looks.RULES, looks.rule("shape", "drift.ks"))
    names = [name.format(number) for number in range(300)]
    drifts = [
        looks.Drift(rule=rule, subject=feature, start=looks.FIRST, value=value)
        for feature in names
        for rule in ("stable inputs", "shape", "no missing values")
        if value
    ]
    week = looks.year(terms, features=names, days=6, rows=60_000, drifts=drifts)
    made = [
        replace(week[place % 6], window=window, level=looks.LEVELS[window.period])
        for place, window in enumerate(looks.windows(365))
    ]
    return monitoring_page.render(monitored(made, terms=terms))


@pytest.mark.parametrize(
    ("value", "name"),
    [(0.0, "feature number {:03}"), (0.4, "feature number {:03}"), (0.4, "{:03}" + "<&>" * 80)],
    ids=["quiet", "all fail", "long names"],
)
def test_a_year_of_looks_at_300_features_is_at_most_a_megabyte(value: float, name: str) -> None:
    text = wide(value, name)
    assert len(text.encode()) <= MEGABYTE
    page = read(text)
    listed = sum(1 for tag, attributes in page.tags if (tag, attributes.get("scope")) == ("th", "row"))
    assert text.count('<figure class="trend">') <= monitoring_page.CHARTS
    left_out = sum(
        int(number.replace(",", "")) for number in re.findall(r"([\d,]+) more subjects? of this rule", text)
    )
    others = len(re.findall(r'<tr><th scope="row">(?:<code>|day|week|month)', text))
    drawn = text.count('<figure class="trend">')
    assert listed - others + left_out + drawn == 300 * 3 + 4, "every trend is drawn, listed or counted"


# How it looks


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "monitoring.html"
    path.write_text(plausible().replace("<details>", "<details open>"), encoding="utf-8")
    return path


@in_browser
@pytest.mark.parametrize("width", [320, 1280])
def test_it_fits_and_loads_nothing(tmp_path: Path, page: Path, width: int) -> None:
    layout = browser.layout(tmp_path, page, width, rows=".trend-row")
    assert layout["overflow"] == "0", "the page scrolls sideways: only tables may, in their own boxes"
    assert (layout["loaded"], layout["width"], layout["rules"]) == ("0", str(width), "grid")


@in_browser
def test_it_follows_the_readers_theme_and_prints(tmp_path: Path, page: Path) -> None:
    dark = browser.layout(tmp_path, page, 1280, browser.DARK, rows="body")["ground"]
    assert max(map(int, re.findall(r"\d+", dark))) < 60
    paper = tmp_path / "page.pdf"
    browser.browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    assert paper.read_bytes().startswith(b"%PDF-") and len(paper.read_bytes()) > 20_000


@in_browser
def test_nothing_in_a_look_runs(tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(re.sub("<meta http-equiv=[^>]*>", "", hostile()), encoding="utf-8")
    dom = browser.browse(tmp_path, "--dump-dom", path.as_uri())
    assert "<title>owned" not in dom and "A rule fails" in dom


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
    script = f"<script>{library}</script>{RUN_AXE}"
    framed = browser.probed(page, 1280, script)
    dark = [browser.DARK] if theme == "dark" else []
    answers = browser.answers(tmp_path, framed, "--virtual-time-budget=60000", *dark)
    assert json.loads(answers["violations"]) == []
    assert int(answers["rules"]) > 20
