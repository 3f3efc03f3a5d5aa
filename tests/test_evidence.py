"""A measurement is a number or a reason, never NaN and never both."""

import math

import pytest

from clearance import files
from clearance.documents import measurement
from clearance.documents.evidence_document import BlockedDocument, MeasuredDocument
from clearance.documents.measurement import Measurement


@pytest.mark.parametrize("field", ["value", "low", "high", "confidence"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_measurement_never_holds_nan_or_infinity(field: str, number: float) -> None:
    with pytest.raises(ValueError, match=f"^{field} is {number}: use `undefined` instead$"):
        Measurement(**({"value": 1.0} | {field: number}))  # type: ignore[arg-type]


def test_a_measurement_has_a_value_or_a_reason() -> None:
    pattern = "^a measurement has either a value or a reason why it has none$"
    with pytest.raises(ValueError, match=pattern):
        Measurement(value=None)
    with pytest.raises(ValueError, match=pattern):
        Measurement(value=1.0, undefined="no rows")
    assert measurement.undefined("no rows").value is None


@pytest.mark.parametrize("bounds", [{"low": 0.1}, {"high": 0.9}, {"low": 0.1, "high": 0.9}])
def test_what_lacks_rows_for_an_interval_has_none(bounds: dict[str, float]) -> None:
    assert Measurement(value=0.5, lack="10 rows").low is None
    with pytest.raises(ValueError, match=r"^a measurement that lacks rows for an interval has none$"):
        Measurement(value=0.5, lack="10 rows", **bounds)  # type: ignore[arg-type]


def test_what_could_not_be_measured_says_on_how_many_rows() -> None:
    assert measurement.undefined("one class", {"a": 3}).support == {"a": 3}
    assert measurement.undefined("one class").to_json() == {
        "value": None,
        "low": None,
        "high": None,
        "confidence": None,
        "method": "exact",
        "support": {},
        "undefined": "one class",
    }


def test_documents_survive_a_round_trip() -> None:
    rate = Measurement(value=0.5, low=0.4, high=0.6, confidence=0.95, method="Wilson", support={"a": 10})
    document = MeasuredDocument(
        measurements={"rate": rate, "gap": {"sex": measurement.undefined("one group")}}
    ).to_json()
    assert Measurement.from_json(document["measurements"]["rate"]) == rate
    assert Measurement.from_json(document["measurements"]["gap"]["sex"]).undefined == "one group"
    assert files.dumps(document) == files.dumps(document)
    assert not {"lack", "feature"} & rate.to_json().keys(), "written only where they say something"
    worst = Measurement(value=0.7, feature="zip")
    assert Measurement.from_json(worst.to_json()) == worst


def test_a_blocked_document_measures_nothing() -> None:
    assert BlockedDocument(because="validate_raw: no rows").to_json() == {
        "schema_version": 1,
        "status": "blocked",
        "because": "validate_raw: no rows",
        "measurements": {},
    }
