"""Looks in a terminal: every failed rule shows, whatever else a look has, and quiet looks are one line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearance.documents.look_document import LiveFinding, Look, Window
from clearance.documents.measurement import Outcome
from clearance.reporting.monitoring import look_summary


def finding(rule: str, subject: str | None, outcome: Outcome, p_value: float = 0.5) -> LiveFinding:
    known = outcome is not Outcome.NOT_EVALUATED
    return LiveFinding(
        rule=rule,
        metric="drift.psi",
        subject=subject,
        outcome=outcome,
        severity="warn",
        on_fail="alert",
        at_most=0.1,
        value=0.2 if known else None,
        p_value=p_value if known else None,
        undefined=None if known else f"no value of {rule}",
        rows=10,
        reason=f"<{rule} {subject} {p_value}>",
    )


def look(*findings: LiveFinding, rows: int = 10, day: str = "2026-11-30") -> Look:
    return Look(
        model="m",
        version=1,
        content="0" * 64,
        policy="p",
        policy_version="1",
        policy_sha256="0" * 64,
        window=Window(period="day", start=f"{day}T00:00Z", end=f"{day}T23:00Z"),
        rows=rows,
        level=0.01,
        outcome=Outcome.PASS,
        findings=findings,
    )


FINDINGS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", None]), st.sampled_from(list(Outcome)))
)


@given(st.lists(FINDINGS, max_size=4))
def test_every_failed_rule_shows_and_a_quiet_look_is_one_line(drawn: list[list]) -> None:
    looks = [look(*(finding(*item) for item in items)) for items in drawn]
    lines = list(look_summary.lines(looks))
    failing = [(place, item.rule) for place, one in enumerate(looks) for item in one.failing]
    assert sum(line.startswith("  fails: ") for line in lines) == len(set(failing))
    quiet = [one for one in looks if not one.failing]
    missing = {(item.rule, item.undefined) for one in looks for item in one.findings if item.undefined}
    own = [line for line in lines if not line.startswith((" ", "not evaluated in"))]
    assert len(own) == len(looks)
    if len(quiet) == len(looks):
        assert len(lines) == len(looks) + len(missing)


def test_the_surest_failure_comes_first_and_the_rest_are_named() -> None:
    names = [f"f{number}" for number in range(6)]
    findings = [
        finding("a", name, Outcome.FAIL, p_value=10.0**-place) for place, name in enumerate(names, start=5)
    ]
    lines = list(look_summary.lines([look(*findings)]))
    told = [line for line in lines if line.startswith("    <")]
    assert [line.split()[1] for line in told] == ["f5", "f4", "f3"]
    assert "3 more" in lines[-1] and all(name in lines[-1] for name in ("f0", "f1", "f2"))


def test_a_window_without_a_decision_is_told_as_that() -> None:
    assert list(look_summary.lines([look(rows=0)])) == ["day 2026-11-30, version 1: no decision"]
    every = list(look_summary.details(look(finding("a", "x", Outcome.PASS))))
    assert len(every) == 2 and "<a x 0.5>" in every[1]
