"""The rules in a real Prometheus: each alert fires, stays silent, ends; and the whole way to a receiver."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance import feature_store
from clearance.feature_store import FeatureSettings
from clearance.monitoring.metrics import Incidents, MonitorMetrics
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
        notice["groupLabels"]["rule"] for _, notice in receiver.notices if "rule" in notice["groupLabels"]
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
