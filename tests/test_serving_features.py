"""Rows that name an entity: the server completes them from the feature store, or decides nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from clearance import feature_store
from clearance.feature_store import FeatureSettings, lookup
from clearance.inference_log import Inference
from clearance.serving import access, request_rows
from clearance.serving.access import Role
from clearance.serving.features import Features
from clearance.serving.live import Live
from tests.support import observations, serving
from tests.support.observations import LIVE, NOON, SOURCE, row

pytestmark = pytest.mark.slow


@contextmanager
def serving_with(root: Path, *sources: dict[str, Any], **options: Any) -> Iterator[serving.Running]:
    """A server at noon with a feature store."""
    settings = FeatureSettings.model_validate({"sources": list(sources) or [SOURCE]} | options)
    with ExitStack() as stack:
        store = stack.enter_context(feature_store.open(root, settings))
        features = Features(store, now=lambda: NOON)
        champion = serving.fixed(serving.champion_model)
        yield stack.enter_context(
            serving.running(root, champion, following=lambda *_: Live(features=features))
        )


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_an_entity_is_decided_as_its_features_are_and_the_record_says_where_they_came_from(
    tmp_path: Path,
) -> None:
    rows = [row("p-1", hours=1, **serving.ROW), row("p-2", **serving.OTHER), row("p-1", hours=-1, amount=9.0)]
    observations.write(tmp_path, rows)
    with serving_with(tmp_path) as server:
        by_id = server.predict({"entity": "p-1"}, {"entity": "p-2"}, {"features": serving.ROW}).json()
        sent = server.predict(serving.ROW, serving.OTHER).json()
        scores = [decision["score"] for decision in by_id["decisions"]]
        assert scores == [*(decision["score"] for decision in sent["decisions"]), scores[0]]
        record = server.log.read(by_id["decisions"][0]["id"], reader="r", reason="test").record
        assert isinstance(record, Inference)
        assert (dict(record.input), record.subject) == (serving.ROW, "p-1")
        details = record.details["features"]
        assert details["at"] == NOON.isoformat() and "stale" not in details
        (source,) = details["sources"]
        event = (NOON - dt.timedelta(hours=1)).isoformat()
        assert (source["source"], source["event_time"]) == ("application", event)
        assert f"md5: {source['version']}" in (tmp_path / f"{observations.FILE}.dvc").read_text()
        assert "race" not in str(record.details) and "race" not in record.input
        plain = server.log.read(by_id["decisions"][2]["id"], reader="r", reason="test").record
        assert isinstance(plain, Inference) and not plain.details
        with server.client(Role.READ) as client:
            replay = client.post(
                f"/v1/decisions/{record.id}/replay", params={"reason": "test"}, json={}
            ).json()
        assert replay["same"] is True


def test_what_the_store_cannot_say_is_an_error_and_no_decision(tmp_path: Path) -> None:
    rows = [row("old", hours=49), row("odd") | {"amount": "many"}, row("two"), row("two", amount=2.0)]
    path = observations.write_sqlite(tmp_path, [*rows, row("p-1")])
    with serving_with(tmp_path, LIVE, stale="refuse") as server:
        assert code(server.predict({"entity": "nobody"})) == (422, "feature_store.unknown_entity")
        assert code(server.predict({"entity": "old"})) == (422, "feature_store.stale")
        assert code(server.predict({"entity": "odd"})) == (503, "feature_store.wrong_value")
        assert code(server.predict({"entity": "two"})) == (503, "feature_store.ambiguous")
        answer = server.predict({"entity": "p-1"}, {"entity": "nobody"})
        assert code(answer) == (422, "feature_store.unknown_entity")  # all rows, or none
        assert server.predict({"entity": "p-1"}).status_code == 200
        path.unlink()
        gone = server.predict({"entity": "p-1"})
        assert code(gone) == (503, "feature_store.unavailable")
        assert str(tmp_path) not in gone.text and "features.db" not in gone.text
        assert server.predict(serving.ROW).status_code == 200  # who sends features needs no store


def test_what_is_stale_is_missing_and_the_record_says_so(tmp_path: Path) -> None:
    observations.write(tmp_path, [row(hours=49)])
    with serving_with(tmp_path) as server:
        decision = server.predict({"entity": "p-1"}).json()["decisions"][0]
        record = server.log.read(decision["id"], reader="r", reason="test").record
        assert isinstance(record, Inference)
        assert set(record.input.values()) == {None}
        assert record.details["features"]["stale"] == ["amount", "purpose", "ratio"]


def test_a_store_that_lacks_a_feature_of_the_model_decides_nothing(tmp_path: Path) -> None:
    observations.write(tmp_path, [row()])
    with serving_with(tmp_path, SOURCE | {"features": ["amount", "ratio"]}) as server:
        assert code(server.predict({"entity": "p-1"})) == (503, "feature_store.lacking")
    protected = SOURCE | {"features": ["amount", "ratio"], "protected": ["purpose"]}
    with serving_with(tmp_path, protected) as server:  # protected, so the model does not get it
        assert code(server.predict({"entity": "p-1"})) == (503, "feature_store.lacking")


def test_a_protected_attribute_never_comes_from_the_caller(tmp_path: Path) -> None:
    observations.write(tmp_path, [row()])
    with serving_with(tmp_path) as server:
        assert code(server.predict({"entity": "p-1", "race": "blue"})) == (422, "serving.invalid_body")
        assert code(server.predict({"features": serving.ROW | {"race": "blue"}})) == (
            422,
            "serving.invalid_input",
        )


def test_the_openapi_document_says_whether_a_row_may_name_an_entity_alone(tmp_path: Path) -> None:
    observations.write(tmp_path, [row()])

    def row_schema(server: serving.Running) -> Any:
        with server.client() as client:
            schemas = client.get("/openapi.json").json()["components"]["schemas"]
        return schemas["PredictRequest"]["properties"]["rows"]["items"]

    with serving_with(tmp_path) as server:
        assert row_schema(server)["anyOf"] == [{"required": ["features"]}, {"required": ["entity"]}]
    with serving.running(tmp_path, serving.fixed(serving.champion_model)) as server:
        assert row_schema(server)["required"] == ["features"]
        assert code(server.predict({"entity": "p-1"})) == (422, "serving.invalid_body")


def test_the_settings_file_may_name_a_store(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    file = tmp_path / access.FILE
    file.write_text(
        "features:\n  sources:\n  - name: application\n    file: data/a.parquet\n    entity: applicant\n"
        "    event_time: event\n    max_age_hours: 24\n    features: [amount]\n    protected: {race: group}\n"
    )
    settings = access.load(tmp_path).features
    assert settings is not None and settings.sources[0].protected == {"race": "group"}
    file.write_text("features: {sources: []}\n")
    with pytest.raises(Exception) as error:
        access.load(tmp_path)
    assert getattr(error.value, "code", "") == "serving.settings_invalid"


def test_a_value_is_bounded_as_one_that_a_caller_sends() -> None:
    assert lookup.LARGEST_NUMBER == request_rows.LARGEST_NUMBER
    assert lookup.LONGEST_TEXT == request_rows.LONGEST_TEXT
