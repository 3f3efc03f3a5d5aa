"""The card for other tools: valid by their schemas, numbers unchanged, and what does not fit is listed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from clearance import paths, yaml
from clearance.documents.card_document import CardDocument
from clearance.errors import IntegrityError
from clearance.reporting.card import formats, make
from clearance.reporting.card.formats import figures, locked_packages, sagemaker
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefact
from tests.support import carded, reported

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module", params=["gap", "out"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is refused, and one whose evidence does not decide."""
    records = carded.documents(gap=reported.DIGITS[request.param])
    records["performance"]["measurements"]["brier"] |= {"value": None, "low": None, "high": None}
    records["performance"]["measurements"]["brier"] |= {"undefined": "no probabilities", "confidence": None}
    return carded.write(tmp_path_factory.mktemp("formats") / "p", records)


@pytest.fixture(scope="module")
def known(project: Path) -> dict[str, Artefact]:
    return artefacts.read(project, make.READ)


def written(project: Path, name: str) -> str:
    return (project / paths.CARD_FORMATS / name).read_text()


def outcome(project: Path) -> str:
    verdict: str = json.loads((project / paths.VERDICT).read_text())["verdict"]
    return verdict


def test_every_number_of_a_target_is_the_one_that_was_measured(
    project: Path, known: dict[str, Artefact]
) -> None:
    card = CardDocument.read(project)
    measured = {figure.value for figure in figures.of(card, known) if figure.value is not None}
    index = yaml.loads(written(project, "huggingface.md").split("\n---\n")[0].removeprefix("---\n"))
    hub = {metric["value"] for metric in index["model-index"][0]["results"][0]["metrics"]}
    bom = json.loads(written(project, "cyclonedx.json"))["metadata"]["component"]["modelCard"]
    cyclonedx = {float(metric["value"]) for metric in bom["quantitativeAnalysis"]["performanceMetrics"]}
    content = json.loads(written(project, "sagemaker.json"))
    amazon = {
        metric["value"]
        for group in content["evaluation_details"][0]["metric_groups"]
        for metric in group["metric_data"]
        if metric["type"] == "number"
    }
    assert hub <= measured
    assert cyclonedx == measured == amazon


def test_no_target_turns_a_refusal_into_a_pass(project: Path) -> None:
    words = outcome(project).replace("_", " ")
    bom = json.loads(written(project, "cyclonedx.json"))["metadata"]["component"]["modelCard"]
    properties = [(item["name"], item["value"]) for item in bom["properties"]]
    assert ("clearance:verdict", outcome(project)) in properties
    assert any(name == "clearance:outcome:parity" and f": {words} (rule" in text for name, text in properties)
    content = json.loads(written(project, "sagemaker.json"))
    assert words in content["evaluation_details"][0]["evaluation_observation"]
    assert content["intended_uses"]["risk_rating"] == "Unknown"
    assert f"| {words} |" in written(project, "huggingface.md")


def test_what_a_target_cannot_hold_is_listed_in_it(project: Path) -> None:
    bom = json.loads(written(project, "cyclonedx.json"))["metadata"]["component"]["modelCard"]
    lost = [item["value"] for item in bom["properties"] if item["name"] == "clearance:not_carried_over"]
    assert any("limit" in line for line in lost)
    custom = json.loads(written(project, "sagemaker.json"))["additional_information"]["custom_details"]
    assert "undefined" in custom["not_carried_over"]
    _, _, listed = written(project, "huggingface.md").partition("## Not carried over into the metadata above")
    assert "undefined: no probabilities" in listed and "verdict" in listed


def test_an_undefined_measurement_is_no_number_in_any_target(project: Path) -> None:
    index = written(project, "huggingface.md").split("\n---\n")[0]
    assert "brier" not in index
    metrics = json.loads(written(project, "sagemaker.json"))["evaluation_details"][0]["metric_groups"]
    (brier, *_) = [m for group in metrics for m in group["metric_data"] if m["name"] == "Brier score"]
    assert brier["type"] == "string"
    assert brier["value"].startswith("undefined: ") and "no probabilities" in brier["value"]


def test_the_bill_of_materials_lists_the_locked_packages_with_their_hashes(project: Path) -> None:
    components = json.loads(written(project, "cyclonedx.json"))["components"]
    assert [(item["name"], item["version"]) for item in components] == [("alpha", "1.0"), ("beta", "2.0.1")]
    assert [item["content"] for item in components[0]["hashes"]] == ["a" * 64, "b" * 64]


def test_every_pin_of_the_lock_is_a_package() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    packages = list(locked_packages.parse(lock))
    assert len(packages) == len(re.findall(r"(?m)^[A-Za-z0-9][^\s#]*==", lock))
    assert sum(len(package.sha256) for package in packages) == lock.count("--hash=sha256:")
    assert all(package.sha256 for package in packages)


SPOILED: dict[str, Any] = {
    "cyclonedx": lambda text: text.replace("machine-learning-model", "learned model"),
    "huggingface": lambda text: text.replace("value:", "valve:", 1),
    "sagemaker": lambda text: text.replace('"Unknown"', '"Excellent"', 1),
}


@pytest.mark.parametrize("target", SPOILED)
def test_what_a_target_would_not_read_is_refused(project: Path, target: str) -> None:
    form = formats.FORMATS[target]
    text = written(project, str(form.file))
    form.ensure_valid(text)
    with pytest.raises(IntegrityError) as caught:
        form.ensure_valid(SPOILED[target](text))
    assert caught.value.code == "reporting.card_format_not_valid"


def test_sagemaker_takes_no_more_than_its_limit_and_the_rest_is_listed(tmp_path: Path) -> None:
    records = carded.documents()
    one = records["fairness"]["measurements"]["demographic_parity_difference"]["race"]
    many = {f"attribute {n} {'x' * 80}": one for n in range(400)}
    records["fairness"]["measurements"]["demographic_parity_difference"] |= many
    long = {"text": "word " * 1_000, "by": "A. Person", "on": "2026-11-01"}
    root = carded.write(tmp_path / "p", records, stated=carded.STATED | {"limits": [long]})
    text = json.dumps(json.loads(written(root, "sagemaker.json")), ensure_ascii=False)
    assert len(text) <= sagemaker.LONGEST
    lost = json.loads(text)["additional_information"]["custom_details"]["not_carried_over"]
    assert "measurements of the group what no rule reads" in lost and "limits" in lost
