"""Live rules: the version's policy on the decisions of a window, from counts that know no person."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import feature_store, params
from clearance.documents.measurement import Outcome
from clearance.errors import UnavailableError
from clearance.feature_store import FeatureSettings
from clearance.inference_log import Inference, ModelReference, PolicyReference
from clearance.inference_log.records import FAVOURABLE, UNFAVOURABLE
from clearance.policy.schema import Policy
from clearance.serving import live, live_fairness, live_rules
from clearance.serving.access import Role
from clearance.serving.features import Features
from clearance.serving.live import Live
from clearance.serving.live_counts import LiveCounts
from clearance.serving.live_fairness import KIND, LiveFairness
from clearance.serving.live_rules import Groups
from tests.support import inferences, judged, observations, serving
from tests.support.codes import raises
from tests.support.observations import NOON, row

DAY = dt.date(2026, 11, 30)
RULE: dict[str, Any] = {
    "source": "the test",
    "valid_from": "2026-01-01",
    "severity": "block",
    "kind": "engineering",
    "decides_by": "interval",
}
RULES: list[dict[str, Any]] = [
    RULE
    | {"id": "gap", "metric": "fairness.demographic_parity_difference", "limit": {"at_most": 0.1}}
    | {"attributes": ["race", "sex", "race & sex"], "minimum_support": 30},
    RULE
    | {"id": "ratio", "metric": "fairness.demographic_parity_ratio", "limit": {"at_least": 0.8}}
    | {"attribute": "race", "confidence": 0.99},
    RULE
    | {"id": "reference", "metric": "fairness.disparate_impact_reference_group"}
    | {"attribute": "race", "limit": {"at_least": 0.8}, "severity": "warn"},
    RULE
    | {"id": "known", "metric": "fairness.missing_share", "limit": {"at_most": 0.2}}
    | {"attribute": "race", "decides_by": "point"},
    RULE
    | {"id": "odds", "metric": "fairness.equalized_odds_difference", "limit": {"at_most": 0.1}}
    | {"attribute": "race"},
    RULE
    | {"id": "later", "metric": "fairness.demographic_parity_difference", "limit": {"at_most": 0.0}}
    | {"attribute": "race", "valid_from": "2027-01-01"},
]
PARITY = frozenset({"gap", "ratio", "reference", "known"})


def policy(*rules: dict[str, Any]) -> Policy:
    attributes = {"attributes": ["race", "sex"]}
    return Policy.model_validate(judged.POLICY | attributes | {"rules": list(rules) or RULES})


def settings(**data: Any) -> params.Params:
    changed = judged.PARAMS["data"] | {"protected": ["race", "sex"]} | data
    extra = {"evaluate": {"reference": {"race": "blue"}}}
    return params.Params.model_validate(judged.PARAMS | {"data": changed} | extra)


def groups(race: str | None, sex: str | None = "f") -> Groups:
    return (("race", race), ("sex", sex))


def table(counts: Mapping[tuple[str | None, str | None], tuple[int, int]]) -> dict[tuple[Groups, bool], int]:
    """Decisions from favourable and unfavourable ones by race and sex."""
    return {
        (groups(*names), favourable): count
        for names, pair in counts.items()
        for favourable, count in zip((True, False), pair, strict=True)
        if count
    }


def judge(decisions: Mapping[tuple[Groups, bool], int], *rules: dict[str, Any], **options: Any) -> Any:
    given = {"required": {}, "day": DAY} | options
    given.setdefault("settings", settings())
    book = given.pop("policy", policy(*rules))
    return live_rules.judge(book, given.pop("settings"), decisions, **given)


def outcomes(verdict: Any) -> dict[tuple[str, str], Outcome]:
    return {(finding.rule.id, finding.attribute): finding.outcome for finding in verdict.findings}


FAIR = table({("blue", "f"): (4000, 4000), ("green", "f"): (4000, 4000), ("blue", "m"): (4000, 4000)})
FAIR |= table({("green", "m"): (4000, 4000)})
UNFAIR = table({("blue", "f"): (800, 200), ("green", "f"): (200, 800)})
FEW = table({("blue", "f"): (9, 6), ("green", "f"): (8, 7)})


# The rules


def test_the_four_values() -> None:
    fair = judge(FAIR)
    assert set(outcomes(fair).values()) == {Outcome.PASS} and fair.outcome is Outcome.PASS
    assert (fair.decisions, fair.failing) == (32_000, ())
    unfair = judge(UNFAIR)
    assert outcomes(unfair)["gap", "race"] is outcomes(unfair)["ratio", "race"] is Outcome.FAIL
    assert unfair.outcome is Outcome.FAIL
    assert {finding.rule.id for finding in unfair.failing} == {"gap", "ratio"}  # not the one that warns
    assert outcomes(unfair)["reference", "race"] is Outcome.FAIL
    few = judge(FEW)
    assert outcomes(few)["gap", "race"] is few.outcome is Outcome.INSUFFICIENT_EVIDENCE
    nothing = judge({})
    assert set(outcomes(nothing).values()) == {nothing.outcome} == {Outcome.INSUFFICIENT_EVIDENCE}
    only_odds = judge(FAIR, RULES[4] | {"attributes": ["race", "sex"], "attribute": None})
    assert (only_odds.outcome, only_odds.findings) == (Outcome.NOT_EVALUATED, ())


def test_what_live_decisions_cannot_say_is_named_and_what_is_not_in_force_is_not_read() -> None:
    verdict = judge(FAIR)
    assert set(verdict.unread) == {"odds"}
    assert {finding.rule.id for finding in verdict.findings} == PARITY
    later = judge(FAIR, day=dt.date(2027, 2, 1))
    assert outcomes(later)["later", "race"] is not Outcome.PASS and later.outcome is not Outcome.PASS


def test_a_group_of_the_evidence_that_nobody_was_of_is_no_pass() -> None:
    required = {"race": ("blue", "green", "red"), "race & sex": ("blue & f", "red & m")}
    verdict = judge(FAIR, required=required)
    found = outcomes(verdict)
    for rule, attribute in (("gap", "race"), ("ratio", "race"), ("reference", "race"), ("gap", "race & sex")):
        assert found[rule, attribute] is Outcome.INSUFFICIENT_EVIDENCE
    assert found["gap", "sex"] is Outcome.PASS and verdict.outcome is Outcome.INSUFFICIENT_EVIDENCE
    assert verdict.groups["race"]["red"] == (0, 0)


def test_a_group_below_the_rules_minimum_is_insufficient_evidence_unless_the_failure_is_proven() -> None:
    small = FAIR | table({("red", "f"): (14, 15)})
    finding = next(f for f in judge(small).findings if (f.rule.id, f.attribute) == ("gap", "race"))
    assert finding.outcome is Outcome.INSUFFICIENT_EVIDENCE and "red" in finding.reason
    proven = FAIR | table({("red", "f"): (0, 29)})
    assert outcomes(judge(proven))["gap", "race"] is Outcome.FAIL


def test_decisions_without_a_group_are_counted_as_that() -> None:
    known, unknown = table({("blue", "f"): (4000, 4000), ("green", "f"): (4000, 4000)}), (None, "f")
    few = judge(known | table({unknown: (2000, 2000)}))
    assert outcomes(few)["known", "race"] is Outcome.PASS
    assert few.groups["race"]["(missing)"] == (2000, 4000)
    many = judge(known | table({unknown: (2001, 2000)}))
    assert outcomes(many)["known", "race"] is Outcome.FAIL and many.outcome is Outcome.FAIL
    finding = next(finding for finding in many.findings if finding.rule.id == "known")
    assert finding.measurement is not None
    assert finding.measurement.value == 4001 / 20_001 and finding.measurement.support == {"decisions": 20_001}


def test_an_attribute_that_the_store_does_not_have_is_all_missing_and_never_a_pass() -> None:
    decisions = {
        ((("race", race),), favourable): 500 for race in ("blue", "green") for favourable in (True, False)
    }
    found = outcomes(judge(decisions))
    assert found["gap", "sex"] is found["gap", "race & sex"] is Outcome.INSUFFICIENT_EVIDENCE
    assert found["gap", "race"] is Outcome.PASS


@pytest.mark.parametrize("data", [{"weight": "w"}, {"cluster": "household"}])
def test_rows_that_weigh_or_come_in_clusters_are_not_evaluated(data: dict[str, str]) -> None:
    verdict = judge(FAIR, settings=settings(**data))
    assert set(outcomes(verdict).values()) == {Outcome.NOT_EVALUATED} == {verdict.outcome}


COUNT = st.integers(0, 60)
NAMES = st.tuples(st.sampled_from(["blue", "green", None]), st.sampled_from(["f", "m", None]))


@given(st.dictionaries(NAMES, st.tuples(COUNT, COUNT), max_size=9))
def test_every_figure_is_that_of_the_decisions_one_by_one(
    counts: dict[tuple[str | None, str | None], tuple[int, int]],
) -> None:
    verdict = judge(table(counts))
    for attribute, places in {"race": (0,), "sex": (1,), "race & sex": (0, 1)}.items():
        favourable: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for names, (yes, no) in counts.items():
            own = [names[place] for place in places]
            name = "(missing)" if None in own else " & ".join(map(str, own))
            favourable[name] += yes
            total[name] += yes + no
        shown = {group: pair for group, pair in verdict.groups[attribute].items() if pair[1]}
        assert shown == {name: (favourable[name], total[name]) for name in total if total[name]}
        rates = {
            name: favourable[name] / total[name] for name in total if total[name] and name != "(missing)"
        }
        gap = next(f for f in verdict.findings if (f.rule.id, f.attribute) == ("gap", attribute))
        assert gap.measurement is not None
        if len(rates) < 2:
            assert gap.measurement.value is None and gap.outcome is Outcome.INSUFFICIENT_EVIDENCE
            continue
        value = max(rates.values()) - min(rates.values())
        if gap.measurement.value is not None:
            assert gap.measurement.value == pytest.approx(value, abs=1e-12)
        if gap.outcome is Outcome.PASS:
            assert value <= 0.1 and min(total[name] for name in rates) >= 30
        if gap.outcome is Outcome.FAIL:
            assert value > 0.1


# Counting


@contextmanager
def counting(root: Path, **options: Any) -> Iterator[LiveFairness]:
    """Counts at noon, with groups from an SQLite file."""
    source = observations.LIVE | {"features": [], "protected": {"race": "race", "sex": "purpose"}}
    given = FeatureSettings.model_validate({"sources": [source]})
    with feature_store.open(root, given) as store:
        counts, metrics = LiveCounts(root / "live.db"), prometheus_client.CollectorRegistry()
        yield LiveFairness(store, counts, metrics, **options)


def decided(subject: str | None, word: str = FAVOURABLE, *, hours: float = 0, version: int = 1) -> Inference:
    return Inference(
        time=NOON - dt.timedelta(hours=hours),
        caller="c",
        model=ModelReference(name="m", version=version, digest="a" * 64),
        policy=PolicyReference(id="p", version="1", digest="b" * 64),
        input={},
        score=0.5,
        threshold=0.5,
        decision=word,
        subject=subject,
    )


def counted(fairness: LiveFairness) -> dict[tuple[int, str | None, str | None, int], int]:
    """The counts by version, race, sex and decision."""
    while fairness.step():
        pass
    rows = fairness._counts.since(KIND, 1)
    return {(v, dict(own)["race"], dict(own)["sex"], yes): n for (v, _, own, yes), n in rows.items()}


def without(fairness: LiveFairness, reason: str) -> float:
    return float(fairness._without.labels(reason)._value.get())


def test_decisions_are_counted_by_the_groups_of_their_time_and_nothing_of_a_person_is_kept(
    tmp_path: Path,
) -> None:
    rows = [row("someone-1", hours=5, race="blue", purpose="f"), row("someone-2", race="green", purpose=None)]
    later = row("someone-1", hours=1, race="green", purpose="f")  # corrected later
    observations.write_sqlite(tmp_path, [*rows, later])
    with counting(tmp_path) as fairness:
        fairness.offer([decided("someone-1"), decided("someone-1", hours=2), decided("someone-1", hours=9)])
        fairness.offer([decided("someone-2", UNFAVOURABLE), decided("someone-3"), decided(None)])
        fairness.offer([decided("someone-2", version=2)])
        assert counted(fairness) == {
            (1, "green", "f", 1): 1,
            (1, "blue", "f", 1): 1,
            (1, None, None, 1): 3,  # before anybody knew; nobody; no entity
            (1, "green", None, 0): 1,
            (2, "green", None, 1): 1,
        }
        assert without(fairness, "no_entity") == 1
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("live.db*"))
    assert b"green" in kept and b"someone" not in kept


def test_a_store_that_is_away_or_wrong_leaves_the_group_unknown_and_says_so(tmp_path: Path) -> None:
    path = observations.write_sqlite(tmp_path, [row("a"), row("b"), row("b", race="green")])
    with counting(tmp_path) as fairness:
        fairness.offer([decided("b")])
        assert counted(fairness) == {(1, None, None, 1): 1}
        assert without(fairness, "feature_store.ambiguous") == 1
        path.unlink()
        fairness.offer([decided("a"), decided("a")])
        assert counted(fairness) == {(1, None, None, 1): 3}
        assert without(fairness, "feature_store.unavailable") == 2


def test_more_than_can_wait_are_counted_without_their_groups_and_none_is_lost(tmp_path: Path) -> None:
    observations.write_sqlite(tmp_path, [row("a", hours=1, race="blue", purpose="f")])
    with counting(tmp_path, capacity=3) as fairness:
        fairness.offer([decided("a")] * 5)
        fairness.offer([decided("a")] * 2)
        assert counted(fairness) == {(1, "blue", "f", 1): 3, (1, None, None, 1): 4}
        assert without(fairness, "queue_full") == 4


def test_what_waits_is_counted_when_the_server_stops(tmp_path: Path) -> None:
    observations.write_sqlite(tmp_path, [row("a", hours=1)])
    with counting(tmp_path) as fairness:
        stop = threading.Event()
        stop.set()
        fairness.offer([decided("a")] * 1234)
        fairness.work(stop)
        assert sum(counted(fairness).values()) == 1234


# In the server


@pytest.fixture
def model() -> Any:
    return replace(
        serving.champion_model(), policy=policy(), settings=settings(), groups={"race": ("blue", "green")}
    )


def fill(fairness: LiveFairness, model: Any, decisions: Mapping[tuple[Groups, bool], int]) -> None:
    keys = {(model.version, model.content, own, int(yes)): n for (own, yes), n in decisions.items()}
    fairness._counts.add(KIND, keys)


@pytest.mark.slow
def test_a_failing_rule_raises_the_alarm_and_one_that_holds_again_ends_it(tmp_path: Path, model: Any) -> None:
    observations.write_sqlite(tmp_path, [row("a")])
    now = [NOON]
    with counting(tmp_path, now=lambda: now[0]) as fairness:
        fairness._counts._now = lambda: now[0]

        def metrics() -> tuple[float, float]:
            fairness.watch(model)
            labels = ("gap", "race", "block", "fail")
            return fairness._alarm._value.get(), fairness._rule.labels(*labels)._value.get()

        fairness.watch(None)
        assert metrics() == (0, 0)
        fill(fairness, model, UNFAIR)
        assert metrics() == (1, 1)
        now[0] += dt.timedelta(hours=model.policy.serving.window_hours - 1)
        assert metrics() == (1, 1)
        fill(fairness, model, FAIR)
        now[0] += dt.timedelta(hours=1)
        assert metrics() == (0, 0)  # what was unfair is no longer in the window
        other = replace(model, content="f" * 64)
        assert fairness.verdict(other).decisions == 0  # decisions of another version are not this one's
        fairness._counts = _Broken()  # type: ignore[assignment]
        fairness.watch(model)
        assert fairness._alarm._value.get() == 1


class _Broken:
    def since(self, *_: Any) -> Any:
        raise UnavailableError("away", "wait")


@pytest.mark.slow
def test_the_server_counts_its_decisions_and_answers_what_the_rules_say(tmp_path: Path, model: Any) -> None:
    people = [row(f"p-{n}", hours=1, race=("blue", "green")[n % 2], purpose="house") for n in range(8)]
    observations.write(tmp_path, people)
    with ExitStack() as stack:
        given = FeatureSettings.model_validate({"sources": [observations.SOURCE]})
        store = stack.enter_context(feature_store.open(tmp_path, given))
        made: list[LiveFairness] = []

        def following(_: Any, metrics: Any) -> Live:
            made.append(LiveFairness(store, LiveCounts(tmp_path / "live.db"), metrics.registry))
            return Live(features=Features(store, now=lambda: NOON), fairness=made[0])

        champion = serving.fixed(lambda: model)
        server = stack.enter_context(serving.running(tmp_path, champion, following=following))
        (fairness,) = made
        answer = server.predict(*({"entity": f"p-{n}"} for n in range(8)), **{"Idempotency-Key": "k"})
        assert answer.status_code == 200
        assert "race" not in answer.text
        server.predict(*({"entity": f"p-{n}"} for n in range(8)), **{"Idempotency-Key": "k"})  # a repeat
        server.predict(serving.ROW)
        fairness._store = _AtNoon(store)  # type: ignore[assignment]
        while fairness.step():
            pass
        with server.client(Role.READ) as client:
            document = client.get("/v1/fairness").json()
            assert (document["version"], document["decisions"]) == (model.version, 9)
            assert document["window_hours"] == model.policy.serving.window_hours
            assert document["outcome"] == "insufficient_evidence"
            table_ = document["groups"]["race"]
            assert [table_[name]["decisions"] for name in ("blue", "green", "(missing)")] == [4, 4, 1]
            finding = next(item for item in document["findings"] if item["rule"] == "gap")
            assert finding["low"] <= finding["value"] <= finding["high"] and finding["confidence"] == 0.95
            assert set(document["rules_not_read"]) == {"odds"}
            assert "p-1" not in str(document)
            assert client.get("/v1/fairness", params={"hours": "0"}).status_code == 422
            assert client.get("/v1/fairness", params={"hours": "2"}).json()["window_hours"] == 2
        with server.client(Role.ADMINISTER) as client:
            assert client.get("/v1/fairness").status_code == 200
            fairness.watch(model)
            text = client.get("/metrics").text
            assert "clearance_live_alarm 0.0" in text
            assert 'clearance_live_without_group_total{reason="no_entity"} 1.0' in text
        with server.client(Role.PREDICT) as client:
            assert client.get("/v1/fairness").status_code == 403
        record = server.log.read(answer.json()["decisions"][0]["id"], reader="r", reason="test").record
        assert "blue" not in str(record) and "green" not in str(record)


class _AtNoon:
    """The store as it was at noon: the test's decisions were made then."""

    def __init__(self, store: Any) -> None:
        self._store, self.attributes = store, store.attributes

    def protected(self, entity: str, _: dt.datetime) -> Any:
        return self._store.protected(entity, NOON)


@pytest.mark.slow
def test_without_a_store_nothing_is_evaluated(tmp_path: Path, model: Any) -> None:
    assert live_fairness.document(None, model, 5)["outcome"] is Outcome.NOT_EVALUATED
    with (
        serving.running(tmp_path, serving.fixed(lambda: model)) as server,
        server.client(Role.READ) as client,
    ):
        document = client.get("/v1/fairness").json()
        assert (document["outcome"], document["window_hours"]) == ("not_evaluated", 720)
        assert client.get("/v1/shadow").json()["challenger"] is None


@pytest.mark.slow
def test_a_version_knows_the_groups_of_its_evidence() -> None:
    groups_ = serving.champion_model().groups
    assert groups_ and all(groups_.values())


@pytest.mark.slow
def test_its_threads_run_with_the_server_and_have_counted_everything_at_its_end(
    tmp_path: Path, model: Any
) -> None:
    observations.write(tmp_path, [row("a", race="blue")])
    champion = serving.fixed(lambda: model)
    source = observations.SOURCE | {"max_age_hours": 24 * 365 * 100}
    before = threading.active_count()
    with ExitStack() as stack:
        log = stack.enter_context(inferences.opened(f"sqlite:///{tmp_path}/inference.db", tmp_path))

        def following(source: dict[str, Any]) -> Any:
            given = FeatureSettings.model_validate({"sources": [source]})
            return live.running(tmp_path, log, prometheus_client.CollectorRegistry(), given, champion)

        lacking = source | {"features": ["amount"]}
        with raises("feature_store.lacking"), following(lacking):
            pass
        with following(source) as running:
            for _ in range(50):
                running.offer([replace(decided("a"), model=ModelReference(name="m", version=1, digest="d"))])
            assert running.shadow is not None and running.fairness is not None
    assert threading.active_count() == before
    counts = LiveCounts(tmp_path / ".clearance/live.db").since(KIND, 1)
    assert counts == {(1, "d", (("race", "blue"),), 1): 50}
    with inferences.opened(f"sqlite:///{tmp_path}/other.db", tmp_path / "more") as log:
        metrics = prometheus_client.CollectorRegistry()
        with live.running(tmp_path, log, metrics, None, champion) as running:
            assert running.features is running.fairness is None
