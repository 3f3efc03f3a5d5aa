"""What a monitor may meet: no decisions, odd ones, those of others, changed evidence. Nothing is lost."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from clearance.documents.look_document import LiveFinding, Look
from clearance.documents.measurement import Outcome
from clearance.errors import ClearanceError
from clearance.inference_log import Inference, ModelReference
from clearance.monitoring import alerts, run
from clearance.monitoring.counting.window_counts import Groups
from tests.support import watched
from tests.support.governed import Place

HOUR = dt.timedelta(hours=1)
START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    watched.version()
    return watched.enter(monkeypatch)


def at(days: float) -> dt.datetime:
    return START + dt.timedelta(days=days)


def monitor(place: Place, days: float, **asked: Any) -> run.MonitorRun:
    return run.run(place.root, run.Request(**asked), clock=lambda: at(days))


def decided(rows: int, day: float = 0, **changes: Any) -> list[Inference]:
    """Decisions over one day."""
    every = 24 * HOUR / max(rows, 1)
    return watched.decisions(
        watched.version(), watched.inputs(rows, abs(int(day))), at(day), every, **changes
    )


def days(result: run.MonitorRun) -> dict[tuple[str, str], Look]:
    """The looks at days, by day and basis."""
    return {
        (look.window.start[:10], look.basis): look for look in result.looks if look.window.period == "day"
    }


def findings(look: Look, rule: str) -> list[LiveFinding]:
    return [finding for finding in look.findings if finding.rule == rule]


def fault(place: Place, days: float) -> str:
    with pytest.raises(ClearanceError) as caught:
        monitor(place, days)
    return caught.value.code


def test_a_day_without_decisions_is_said_and_what_comes_late_is_judged(place: Place) -> None:
    watched.record(place, [*decided(50), *decided(50, 2)])
    seen = days(monitor(place, 3.1))
    assert seen["2026-12-02", "empty"].outcome is Outcome.NOT_EVALUATED
    assert seen["2026-12-02", "empty"].findings == ()
    late = decided(40, 1)
    with watched.log(place, at(3.2)) as log:
        log.append(*late)
    again = days(monitor(place, 3.3))
    assert set(again) == {("2026-12-02", "decisions")} and again["2026-12-02", "decisions"].rows == 40


def test_one_decision_proves_nothing(place: Place) -> None:
    watched.record(place, decided(1))
    look = days(monitor(place, 1.1))["2026-12-01", "decisions"]
    outcomes = {finding.rule: finding.outcome for finding in look.findings}
    assert outcomes["drift"] is Outcome.INSUFFICIENT_EVIDENCE
    assert Outcome.PASS not in {outcomes[rule] for rule in ("drift", "score", "units", "parity")}
    assert outcomes["schema"] is Outcome.PASS  # counted exactly, whatever the number of rows


def test_a_clock_that_jumped_moves_no_decision_to_another_year(place: Place) -> None:
    with watched.log(place, at(0.5)) as log:
        log.append(*decided(30)[:1], *decided(3, 365), *decided(3, -700))
    result = monitor(place, 1.1)
    assert days(result)["2026-12-01", "decisions"].rows == 7
    assert any("6 decisions" in note for note in result.notes)


def test_half_a_day_without_decisions_is_noted(place: Place) -> None:
    watched.record(place, [one for one in decided(480) if not 5 <= one.time.hour < 17])
    look = days(monitor(place, 1.1))["2026-12-01", "decisions"]
    assert any("12 hours from 2026-12-01T05:00Z" in note for note in look.notes)
    quiet = days(monitor_again(place, decided(480, 1), 2.1))["2026-12-02", "decisions"]
    assert not any("hours from" in note for note in quiet.notes)


def monitor_again(place: Place, more: list[Inference], days_: float) -> run.MonitorRun:
    watched.record(place, more)
    return monitor(place, days_)


def test_decisions_of_others_are_named_and_not_counted(place: Place) -> None:
    version = watched.version()
    other = ModelReference(name=version.model, version=1, digest="0" * 64)
    stranger = ModelReference(name="another", version=1, digest=version.content)
    rows = decided(40)
    foreign = [*(replace(one, model=other) for one in rows[30:35]), replace(rows[35], model=stranger)]
    watched.record(place, [*rows[:30], *foreign])
    result = monitor(place, 1.1)
    assert result.counted == 30
    assert {note.split(" ")[0] for note in result.notes} == {"5", "1"}


def test_what_was_erased_before_it_was_counted_is_named(place: Place) -> None:
    watched.record(place, decided(40))
    with watched.log(place, at(0.99)) as log:
        log.erase_subject("person-3", actor="otto", reason="asked for")
    result = monitor(place, 1.1)
    assert result.counted == 39 and any("erased" in note for note in result.notes)


def test_a_baseline_that_was_altered_or_is_gone_stops_the_monitor_and_loses_nothing(place: Place) -> None:
    watched.record(place, decided(40))
    file = place.run_folder(1) / "reports/baseline.json"
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"rows": 500', b'"rows": 501'))
    altered = fault(place, 1.1)
    file.unlink()
    gone = fault(place, 1.1)
    assert (altered, gone) == ("registry.version_altered", "registry.file_lost")
    file.write_bytes(content)
    assert monitor(place, 1.1).counted == 40


def test_a_log_that_is_away_is_a_fault_and_loses_nothing(place: Place) -> None:
    watched.record(place, decided(40))
    file = place.root / ".clearance/inference.db"
    away = file.with_name("away.db")
    file.rename(away)
    assert fault(place, 1.1) == "inference_log.no_log"
    away.rename(file)
    assert monitor(place, 1.1).counted == 40


def test_a_new_category_with_commas_and_emoji_is_found_by_its_share(place: Place) -> None:
    watched.record(
        place,
        decided(60)
        + watched.decisions(
            watched.version(), watched.inputs(60, 9, purpose='yacht, "big" 🛥'), at(0), HOUR / 10
        ),
    )
    look = days(monitor(place, 1.1))["2026-12-01", "decisions"]
    (drift,) = [finding for finding in findings(look, "drift") if finding.subject == "purpose"]
    assert drift.outcome is Outcome.FAIL and drift.rows == 120
    assert "yacht" not in str(look.to_json())


def grouped(groups: Mapping[str, str | None]) -> Any:
    def of(entity: str | None, _at: dt.datetime) -> Groups:
        return (("race", groups.get((entity or "-")[-1])),)

    return of


def test_a_group_that_vanished_is_never_a_pass(place: Place) -> None:
    watched.record(place, decided(400))
    with run.opened(place.root, clock=lambda: at(1.1)) as (opened, log):
        alone = replace(opened, groups=grouped(dict.fromkeys("0123456789", "White")))
        run.count_new(alone, log)
        looks, _ = run.look(alone, run.Request())
    (parity,) = findings(next(look for look in looks if look.rows), "parity")
    assert parity.outcome not in (Outcome.PASS, Outcome.FAIL)
    assert parity.groups == {"White": parity.groups["White"]} and parity.groups["White"][1] == 400  # type: ignore[index]


def test_groups_below_the_smallest_number_are_not_named(place: Place) -> None:
    watched.record(place, decided(100))
    with run.opened(place.root, clock=lambda: at(1.1)) as (opened, log):
        some = {digit: "Black" if digit == "7" else "White" for digit in "0123456789"}
        run.count_new(replace(opened, groups=grouped(some)), log)
        looks, _ = run.look(opened, run.Request())
    (parity,) = findings(next(look for look in looks if look.rows), "parity")
    assert set(parity.groups or ()) == {"White"}


def test_another_policy_judges_again_and_stores_nothing(place: Place) -> None:
    watched.record(place, decided(60))
    assert len(monitor(place, 1.1).looks) >= 1
    policy = place.root / "policies/test.yaml"
    other = policy.with_name("other.yaml")
    other.write_text(policy.read_text().replace("0.1", "0.9"))
    before = (place.root / ".clearance/monitoring.db").read_bytes()
    again = monitor(place, 1.1, policy=other)
    (look,) = [look for look in again.looks if look.rows]
    assert findings(look, "drift")[0].at_most == 0.9
    assert len(run.run(place.root, clock=lambda: at(1.1)).looks) >= 1
    assert before and not again.consequences


def test_missed_days_are_caught_up_in_order_and_give_the_same_looks(place: Place) -> None:
    rows = [one for day in range(4) for one in decided(40, day)]
    watched.record(place, rows)
    together = [look for look in monitor(place, 9).looks if look.window.period == "day"]
    assert [look.window.start for look in together if look.basis != "unlabelled"] == sorted(
        look.window.start for look in together if look.basis != "unlabelled"
    )
    place.put("watched")
    watched.record(place, rows)
    daily = [
        look
        for day in range(1, 10)
        for look in monitor(place, day + 0.05).looks
        if look.window.period == "day"
    ]
    one_each = {(look.window.start, look.basis): look for look in daily}
    assert {(look.window.start, look.basis): look for look in together} == {
        key: one_each[key] for key in one_each if key in {(it.window.start, it.basis) for it in together}
    }


def test_a_look_whose_consequences_were_cut_off_has_them_at_the_next_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.record(
        place,
        watched.decisions(watched.version(), watched.inputs(200, 3, amount=99_000.0), at(0), HOUR / 10),
    )
    reacted: list[Look] = []
    real = alerts.react

    def cut(*_arguments: Any, **_options: Any) -> Any:
        raise KeyboardInterrupt

    def counted(root: Any, look: Look, *arguments: Any, **options: Any) -> Any:
        reacted.append(look)
        return real(root, look, *arguments, **options)

    monkeypatch.setattr(alerts, "react", cut)
    with pytest.raises(KeyboardInterrupt):
        monitor(place, 1.1)
    monkeypatch.setattr(alerts, "react", counted)
    monitor(place, 1.1)
    failing = [look for look in reacted if look.failing]
    assert len(failing) == 1
    monitor(place, 1.1)
    assert [look for look in reacted if look.failing] == failing
