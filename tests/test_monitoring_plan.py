"""The plan says what the policy does: each rule, deadline and person, the errors of looks, and gaps."""

import datetime as dt
from pathlib import Path

import pytest

from clearance.policy import alarm_budget, policy_file
from clearance.policy.schema import Policy
from clearance.reporting.monitoring import monitoring_plan
from tests.support import governed

ROOT = Path(__file__).parent.parent
DAY = dt.date(2026, 11, 30)


@pytest.fixture(scope="module")
def demo() -> Policy:
    return policy_file.load(ROOT / "policies/demo.yaml")


def test_every_rule_deadline_and_budget_of_the_policy_is_in_it(demo: Policy) -> None:
    plan, terms = monitoring_plan.markdown(demo, DAY), demo.monitoring
    assert terms is not None
    for rule in terms.rules:
        (row,) = [line for line in plan.splitlines() if line.startswith(f"| `{rule.id}` |")]
        assert " ".join(rule.source.split()) in row
    for deadline in terms.deadlines:
        assert any(deadline.to in line and deadline.source in line for line in plan.splitlines())
    for period in terms.looks:
        level = f"{alarm_budget.level(terms, period):.2e}"
        assert any(line.startswith(f"| {period} |") and level in line for line in plan.splitlines())
    assert all(name in plan for name in (*terms.watched_by, *terms.alerts.to))


def test_what_is_not_in_force_is_not_promised(demo: Policy) -> None:
    assert "ai-act" not in monitoring_plan.markdown(demo, dt.date(2026, 8, 1))
    assert "Art. 73(2)" not in monitoring_plan.markdown(demo, dt.date(2026, 8, 1))
    assert "Art. 73(2)" in monitoring_plan.markdown(demo, dt.date(2026, 8, 2))


def test_gaps_are_named(demo: Policy) -> None:
    nothing = monitoring_plan.markdown(demo.model_copy(update={"monitoring": None}), DAY)
    assert "**Gap:**" in nothing
    terms = demo.monitoring
    assert terms is not None
    bare = terms.model_copy(update={"rules": terms.rules[:1], "deadlines": (), "watched_by": ()})
    plan = monitoring_plan.markdown(demo.model_copy(update={"monitoring": bare}), DAY)
    for gap in ("read for race", "watches fairness", "who watches", "no deadline", "no serious rule"):
        assert gap in plan


@pytest.mark.slow
def test_the_command_writes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = governed.enter(monkeypatch).put("judged")
    assert "**Gap:**" in place.command("plan").said
    file = tmp_path / "plan.md"
    demo = str(ROOT / "policies/demo.yaml")
    assert place.command("plan", "--policy", demo, "--as-of", "2026-11-30", "--output", str(file)).code == 0
    assert "Art. 73(4)" in file.read_text()
