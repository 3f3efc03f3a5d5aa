"""The form of a run in Prefect's page says what each key means and what it is now."""

from pathlib import Path

from prefect.utilities.callables import parameter_schema

from flows import form, training
from flows.runner import overrides

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
CURRENT = {"seed": 7, "split": {"train": 0.5}, "train": {"arguments": {"C": 0.1}, "mitigation": "none"}}


def test_the_guide_explains_keys_that_share_a_row() -> None:
    texts = form.meanings(GUIDE)
    assert texts["split.tune"] == texts["split.train"]
    assert "calibration bins" in texts["evaluate.bins"]
    assert "seed" in texts["seed"] and "](" not in texts["source"]


def test_every_key_that_the_guide_explains_is_explained_in_the_form_with_its_value() -> None:
    schema = parameter_schema(training.training).model_dump_for_openapi()
    before = str(schema)
    definitions = form.described(schema, GUIDE, CURRENT)["definitions"]
    assert str(schema) == before, "the argument is left alone"
    assert definitions["ParamsOverrides"]["properties"]["seed"]["description"].endswith(". Now: 7")
    train = definitions["TrainOverrides"]["properties"]
    assert train["mitigation"]["description"].endswith('. Now: "none"')
    assert "arguments of the estimator" in train["arguments"]["description"]
    silent = {key for key, entry in train.items() if not entry.get("description")}
    assert not silent


def test_a_name_shows_each_override_as_it_is_typed() -> None:
    changes = {"train": {"mitigation": "none", "arguments": {"C": 1}}, "data": {"features": ["a", "b"]}}
    assert list(overrides.leaves(changes)) == [
        ("train.mitigation", "none"),
        ("train.arguments.C", 1),
        ("data.features", ["a", "b"]),
    ]
