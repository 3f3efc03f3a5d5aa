"""The rules in a real Prometheus: each alert fires, stays silent, ends; and the whole way to a receiver."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from clearance import feature_store
from clearance.feature_store import FeatureSettings
from clearance.monitoring import metrics
from clearance.monitoring.metrics import Incidents, MonitorMetrics, OpenAlert
from clearance.policy.schema import Policy
from clearance.serving.access import Role
from clearance.serving.features import Features
from clearance.serving.live import Live
from clearance.serving.live_counts import LiveCounts
from clearance.serving.live_fairness import LiveFairness
from clearance.serving.shadow import Shadow
from tests.support import judged, observations, prometheus, serving
from tests.support import year_of_looks as looks
from tests.support.nightly import NIGHTLY
from tests.support.observations import NOON, row
from tests.support.prometheus import DEPLOY, Prometheus, until
from tests.support.serving import Running
from tools import grafana_dashboard

installed = pytest.mark.skipif(
    bool(prometheus.MISSING), reason=f"not installed here: {', '.join(prometheus.MISSING)}"
)
RULES = yaml.safe_load((DEPLOY / "clearance.rules.yml").read_text(encoding="utf-8"))
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule}
RECORDS = {rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
TESTS = sorted((DEPLOY / "tests").glob("*.yml"))
ENTITY = "applicant-4711"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)


# The rules alone


@installed
def test_promtool_finds_no_fault_in_the_rules_and_settings(tmp_path: Path) -> None:
    folder = shutil.copytree(DEPLOY, tmp_path / "prometheus")
    (folder / "clearance.key").write_text("k", encoding="utf-8")
    for words in (
        ("promtool", "check", "rules", "--lint=all", "--lint-fatal", folder / "clearance.rules.yml"),
        ("promtool", "check", "config", folder / "prometheus.yml"),
        ("amtool", "check-config", folder / "alertmanager.yml"),
    ):
        result = run(*words)
        assert result.returncode == 0, result.stdout + result.stderr


@installed
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_promtool_agrees_with_every_expectation(file: Path) -> None:
    result = run("promtool", "test", "rules", file)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_is_expected_to_stay_silent_then_to_fire_then_to_end() -> None:
    times: defaultdict[str, list[list[bool]]] = defaultdict(list)
    recorded: set[str] = set()
    for file in TESTS:
        for test in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            by_alert: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
            for expected in test.get("alert_rule_test", []):
                moment = (minutes(expected["eval_time"]), bool(expected["exp_alerts"]))
                by_alert[expected["alertname"]].append(moment)
            for name, moments in by_alert.items():
                times[name].append([fires for _, fires in sorted(moments)])
            for expected in test.get("promql_expr_test", []):
                recorded |= set(re.findall(r"clearance:[\w:]+", expected["expr"]))
    assert set(times) == set(ALERTS)
    for name, sequences in times.items():
        for fires in sequences:
            assert (fires[0], any(fires), fires[-1]) == (False, True, False), name
    assert recorded == RECORDS


def minutes(duration: str) -> int:
    """A duration such as 90m or 34d in minutes."""
    units = {"m": 1, "h": 60, "d": 24 * 60}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([mhd])", duration))


@installed
@pytest.mark.skipif(not NIGHTLY, reason="a long matrix: CLEARANCE_NIGHTLY=1 runs it")
@pytest.mark.parametrize("mutant", ["never", "always", "at once"])
def test_a_rule_that_is_changed_breaks_its_tests(tmp_path: Path, mutant: str) -> None:
    """Each alert, where it never fires, always fires, or does not wait as long as it says."""
    folder = shutil.copytree(DEPLOY, tmp_path / "prometheus")
    changed: set[str] = set()
    rules = yaml.safe_load((folder / "clearance.rules.yml").read_text(encoding="utf-8"))
    for rule in (rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule):
        if mutant == "at once":
            if "for" not in rule or minutes(rule["for"]) < 2:  # a minute is one evaluation here
                continue
            del rule["for"]
        else:
            rule["expr"] = "vector(1)" if mutant == "always" else "vector(1) > 1"
        changed.add(rule["alert"])
    (folder / "clearance.rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    result = run("promtool", "test", "rules", *sorted((folder / "tests").glob("*.yml")))
    assert set(re.findall(r"alertname: (\w+)", result.stdout + result.stderr)) >= changed


def test_every_alert_says_how_bad_it_is_what_happened_and_what_to_do() -> None:
    for name, rule in ALERTS.items():
        severity = rule["labels"]["severity"]
        assert severity in ("serious", "warn") or "$labels.severity" in severity, name
        assert set(rule["annotations"]) == {"summary", "next"}, name


def test_the_guide_names_every_alert_and_every_metric_of_the_monitor() -> None:
    guide = (DEPLOY.parents[1] / "docs/prometheus.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(Clearance\w+)` \|", guide, re.MULTILINE)) == set(ALERTS)
    due = dt.datetime(2026, 12, 14, tzinfo=dt.UTC)
    text = metrics.text(looks.watch(label_share=0.5, incidents=Incidents(next_deadline=due)))
    for name in re.findall(r"^# TYPE clearance_monitor(\w+) ", text, re.MULTILINE):
        assert f"{name.removeprefix('_effect') or name}`" in guide, name


def test_no_rule_reads_a_group() -> None:
    """Groups stay where they are exported; no alert carries one to a chat."""
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert not re.search(r"group_rate|by \([^)]*\bgroup\b", rule["expr"]), rule


# The whole way


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A decision server with people of two groups, its monitor's metrics, and Prometheus beside it."""

    server: Running
    fairness: LiveFairness
    monitor: MonitorMetrics
    prometheus: Prometheus
    now: list[dt.datetime]

    def exported(self) -> str:
        with self.server.client(Role.ADMINISTER) as client:
            return client.get("/metrics").text


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    root = tmp_path_factory.mktemp("scene")
    people = [
        row(f"{ENTITY}-{n}", hours=1, race=("blue", "green")[n % 2], ratio=(0.95, 0.05)[n % 2], amount=120.0)
        for n in range(80)
    ]
    people.append(row(f"{ENTITY}-few", hours=1, race="violet", ratio=0.95))
    observations.write(root, people)
    now = [NOON]
    with ExitStack() as stack:
        given = FeatureSettings.model_validate({"sources": [observations.SOURCE]})
        store = stack.enter_context(feature_store.open(root, given))
        parts: list[Any] = []

        def following(log: Any, metrics: Any) -> Live:
            counts = LiveCounts(root / "live.db", now=lambda: now[0])
            fairness = LiveFairness(AtNoon(store), counts, metrics.registry, now=lambda: now[0])
            shadow = Shadow(root, log, counts, metrics.registry)
            parts.extend((fairness, MonitorMetrics(metrics.registry), shadow))
            return Live(features=Features(store, now=lambda: NOON), fairness=fairness)

        champion = serving.fixed(model)
        server = stack.enter_context(serving.running(root, champion, following=following))
        target = server.address.removeprefix("http://")
        watched = stack.enter_context(
            prometheus.running(tmp_path_factory.mktemp("prometheus"), target, serving.KEYS[Role.ADMINISTER])
        )
        fairness, monitor, _ = parts
        yield Scene(server=server, fairness=fairness, monitor=monitor, prometheus=watched, now=now)


def model() -> Any:
    """The champion under a policy whose one live rule compares the selection rates by race."""
    rule = {"id": "gap", "metric": "fairness.demographic_parity_difference", "limit": {"at_most": 0.1}}
    rule |= {"attribute": "race", "source": "the test", "valid_from": "2026-01-01", "severity": "block"}
    rule |= {"kind": "engineering", "decides_by": "interval", "minimum_support": 30}
    policy = Policy.model_validate(judged.POLICY | {"rules": [rule]})
    return replace(serving.champion_model(), policy=policy, groups={"race": ("blue", "green")})


class AtNoon:
    """The store as it was at noon: the test's decisions are made then."""

    def __init__(self, store: Any) -> None:
        self._store, self.attributes = store, store.attributes

    def protected(self, entity: str, _: dt.datetime) -> Any:
        return self._store.protected(entity, NOON)


@installed
def test_decisions_that_favour_a_group_reach_a_person_and_fair_ones_end_the_alert(scene: Scene) -> None:
    """Decision, metric, rule, Alertmanager, receiver; and nothing of a person or a small group on the way."""
    on_call = scene.prometheus.receiver
    alert = {"alertname": "ClearanceLiveRuleFails"}
    rows = [{"entity": f"{ENTITY}-{number}"} for number in [*range(80), "few"]]
    assert scene.server.predict(*rows).status_code == 200
    while scene.fairness.step():
        pass
    assert not on_call.alerts("firing", **alert)
    scene.fairness.watch(model())
    ((path, fired),) = until(lambda: on_call.alerts("firing", **alert))[:1]
    assert (path, fired["labels"]["severity"], fired["labels"]["job"]) == ("/on-call", "serious", "clearance")
    assert set(fired["annotations"]) == {"summary", "next"}
    scene.now[0] += dt.timedelta(hours=model().policy.serving.window_hours + 1)  # out of the window
    scene.fairness.watch(model())
    assert until(lambda: on_call.alerts("resolved", **alert))
    for text in (scene.exported(), scene.prometheus.everything(), str(on_call.notices)):
        assert ENTITY not in text
        assert not {"violet", "blue", "green"} & set(re.findall(r"\w+", text))


@installed
def test_a_rule_that_fails_in_a_look_is_one_notice_until_it_holds_again(scene: Scene) -> None:
    receiver, income = scene.prometheus.receiver, {"alertname": "ClearanceRuleFails", "rule": "stable inputs"}
    scene.monitor.set(looks.watch())
    assert until(lambda: receiver.alerts("firing", alertname="ClearanceRuleFails", rule="parity"))
    paths = {path for path, _ in until(lambda: receiver.alerts("firing", **income))}
    assert paths == {"/people"}
    (path, alert), *_ = receiver.alerts("firing", alertname="ClearanceRuleFails", rule="parity")
    assert (path, alert["labels"]["severity"], alert["labels"]["on_fail"]) == ("/on-call", "serious", "hold")
    groups = {
        notice["groupLabels"]["rule"]
        for _, notice in receiver.notices
        if notice["groupLabels"].get("model") == "loan-approval" and "rule" in notice["groupLabels"]
    }
    assert groups == {"parity", "stable inputs"}, "one group of alerts a rule"
    scene.monitor.set(looks.watch(looks.year(rows=20_000)))
    assert until(lambda: receiver.alerts("resolved", **income))


@installed
def test_a_store_that_cannot_be_read_is_an_alert_of_its_own(scene: Scene) -> None:
    receiver, unreadable = scene.prometheus.receiver, {"alertname": "ClearanceMonitorUnreadable"}
    scene.monitor.set(None, readable=False)
    assert until(lambda: receiver.alerts("firing", **unreadable))
    scene.monitor.set(looks.watch())
    assert until(lambda: receiver.alerts("resolved", **unreadable))


@installed
def test_the_consequences_of_a_cause_are_kept_quiet_and_nothing_else_is(scene: Scene) -> None:
    """Alertmanager's own answer: what it suppresses, and whom it sends the rest."""
    place = {"instance": "far:8322", "severity": "serious"}
    about = {"model": "m", "version": "1", "rule": "r", "severity": "warn"}
    sent = [
        {"alertname": "ClearanceServerDown"} | place,
        {"alertname": "ClearanceNobodyDecides"} | place,
        {"alertname": "ClearanceNobodyDecides"} | place | {"instance": "other:8322"},
        {"alertname": "ClearanceIncidentOverdue"} | about | {"severity": "serious"},
        {"alertname": "ClearanceIncidentOpen"} | about,
        {"alertname": "ClearanceIncidentDueSoon"} | about | {"severity": "serious"},
        {"alertname": "ClearanceRuleFails", "period": "month"} | about,
        {"alertname": "ClearanceRuleFails", "period": "day"} | about,
    ]
    alerts = f"{scene.prometheus.manager}/api/v2/alerts"
    assert httpx.post(alerts, json=[{"labels": labels} for labels in sent]).is_success

    def states() -> dict[tuple[str, ...], str]:
        answer = [alert for alert in httpx.get(alerts).json() if alert["labels"] in sent]
        known = [(alert, alert["status"]["state"]) for alert in answer]
        names = ("alertname", "instance", "period")
        return {tuple(it["labels"].get(name, "") for name in names): state for it, state in known}

    quiet = {("ClearanceNobodyDecides", "far:8322", ""), ("ClearanceIncidentOpen", "", "")}
    until(lambda: list(states().values()).count("suppressed") == 2 and "unprocessed" not in states().values())
    assert {key for key, state in states().items() if state == "suppressed"} == quiet
    receiver = scene.prometheus.receiver
    until(lambda: receiver.alerts("firing", alertname="ClearanceNobodyDecides", instance="other:8322"))
    until(lambda: receiver.alerts("firing", alertname="ClearanceRuleFails", rule="r", period="day"))
    assert not receiver.alerts("firing", alertname="ClearanceIncidentOpen", rule="r")


# The dashboard

DASHBOARD = json.loads((DEPLOY.parent / "grafana/clearance.json").read_text(encoding="utf-8"))
TARGETS = [
    (panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])
]


def test_the_dashboard_is_what_its_panels_give() -> None:
    assert json.loads(grafana_dashboard.build()) == DASHBOARD
    asked = {panel.title for row in grafana_dashboard.ROWS.values() for panel in row}
    assert {title for title, _ in TARGETS} == asked
    ids = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids), "no panel lies on another"
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert {name for _, expr in TARGETS for name in re.findall(r"\$(\w+)", expr)} <= names


@pytest.fixture(scope="module")
def busy(scene: Scene) -> Scene:
    """The scene with traffic, requests that fail, a rule that fails and an incident with a deadline."""
    due = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    alert = OpenAlert(rule="parity", severity="serious")
    watch = looks.watch(
        label_share=0.5, alerts=[alert], incidents=Incidents(open=1, next_deadline=due), notices_waiting=1
    )
    scene.monitor.set(watch)
    ready = 'min(count_over_time(clearance_decisions_total{decision="favourable"}[1h])) > 3'
    for number in range(4):
        scene.server.predict({"entity": f"{ENTITY}-{number}"}, {"entity": f"{ENTITY}-unknown-{number}"})
        scene.server.predict(serving.ROW, {"entity": f"{ENTITY}-0"})
        scene.server.predict({"features": {"no": "such feature"}})
        while scene.fairness.step():
            pass
        scene.fairness.watch(model())
        until(
            lambda number=number: scene.prometheus.query(
                f"count(clearance_predict_seconds_count >= {number})"
            )
        )
    until(lambda: scene.prometheus.query(ready))
    return scene


@installed
@pytest.mark.parametrize(("title", "expr"), TARGETS)
def test_every_panel_has_data_in_a_real_prometheus(busy: Scene, title: str, expr: str) -> None:
    chosen = {"model": "loan-approval", "period": "day", "rule": "(stable inputs|parity)"}
    asked = re.sub(r"\$(\w+)", lambda name: chosen[name[1]], expr)
    rows = until(lambda: busy.prometheus.query(asked))
    assert [row for row in rows if row["value"][1] != "NaN"]


@installed
def test_every_variable_of_the_dashboard_has_values(busy: Scene) -> None:
    queries = [item for item in DASHBOARD["templating"]["list"] if item["type"] == "query"]
    for variable in queries:
        query = variable["query"].replace("$model", "loan-approval")
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        assert match, query
        assert busy.prometheus.query(f"count by ({match[2]}) ({match[1]})"), query
    assert {variable["name"] for variable in queries} == {"model", "period", "rule"}


@installed
def test_each_metric_that_a_rule_reads_is_exported(scene: Scene) -> None:
    due = dt.datetime(2026, 12, 14, tzinfo=dt.UTC)
    scene.monitor.set(looks.watch(label_share=0.5, incidents=Incidents(open=1, next_deadline=due)))
    exported = set(re.findall(r"^# TYPE (\w+) ", scene.exported(), re.MULTILINE))
    read = {
        re.sub(r"_bucket$", "", name)
        for group in RULES["groups"]
        for rule in group["rules"]
        for name in re.findall(r"\bclearance_\w+", rule["expr"])
    }
    assert read - exported == set()
