"""params.yaml is typed: what is misspelt, missing or impossible is named with its mend."""

import copy
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from clearance import params
from clearance.data.sources import bindings, pulls
from clearance.errors import ConfigurationError
from clearance.models.mitigations import MITIGATIONS
from clearance.params.model_choices import METHOD_OPTIONS
from clearance.params.source import KINDS, Source

ROOT = Path(__file__).parent.parent


@pytest.fixture
def raw() -> dict[str, Any]:
    return params.read_yaml(ROOT / "params.yaml")


def put(data: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    result = copy.deepcopy(data)
    *way, last = key.split(".")
    place = result
    for part in way:
        place = place[part]
    place[last] = value
    return result


def test_the_shipped_parameters_are_valid() -> None:
    shipped = params.load(ROOT / "params.yaml")
    assert shipped.overrides == {}
    assert set(shipped.data.protected) == {"race", "sex"}


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("seeds", 1, "unknown key `seeds` (did you mean `seed`?)"),
        ("train.estimater", "x", "unknown key `train.estimater` (did you mean `estimator`?)"),
        ("split.test", 0.4, "`split`: train, tune and test must add up to 1"),
        ("split.test", 0, "`split.test` must be above 0"),
        ("split.test", float("nan"), "`split.test`"),
        ("data.features", [], "`features` is empty"),
        ("data.features", ["loanamt", "reject"], "reject can never be a feature: decided after the outcome"),
        ("data.features", ["race"], "race can never be a feature: a protected attribute"),
        ("data.features", ["black"], "black can never be a feature: an encoding of a protected attribute"),
        ("data.features", ["approve"], "approve can never be a feature: the target"),
        ("data.features", ["application"], "application can never be a feature: an identifier"),
        ("data.weight", "loanamt", "loanamt can never be a feature: the sampling weight"),
        ("data.cluster", "loanamt", "loanamt can never be a feature: the cluster of rows"),
        ("data.weight", "sex", "`sex` is declared protected and also has another role"),
        ("data.cluster", "sex", "`sex` is declared protected and also has another role"),
        ("data.weight", "approve", "`approve` is declared as the weight and also has another role"),
        ("data.cluster", "approve", "`approve` is declared as the cluster and is also the target"),
        ("data.weigth", "w", "unknown key `data.weigth` (did you mean `weight`?)"),
        ("data.protected", [], "`data.protected`"),
        ("data.protected", ["approve"], "declared protected and also has another role"),
        ("source.kind", "ftp", "`source.kind`"),
        ("source.kind", "sql", "source kind sql needs url_env and query"),
        ("source.kind", "openml", "source kind openml needs openml_id"),
        ("source.path", "data/*.csv", "put the folder in `path` and the pattern in `glob`"),
        ("source.delimiter", ";", "`delimiter` belongs to a file source"),
        ("train.threshold", {"fixed": 0.5, "objective": "f1"}, "not both"),
        ("train.threshold", {"fixed": 1.5}, "`train.threshold.fixed`"),
        ("name", "a/b", "a model name has letters"),
        ("name", "loans-candidate", "does not end in `-candidate`"),
        ("seed", -1, "`seed`"),
        ("policy.as_of", "yesterday", "`policy.as_of`"),
        ("policy.as_of", "2026-11-22T10:00:00", "must be a day without a time"),
        ("seed", True, "`seed` must be a whole number"),
        ("evaluate.confidence", True, "`evaluate.confidence` must be a number"),
        ("split.train", 50, "write 0.5"),
        ("split.train", "50%", "write 0.5"),
        ("data.label_share_min", "0.5 %", "write 0.005"),
        ("source.kind", "fiel", "did you mean 'file'?"),
        ("train.mitigation", "reweighting", "did you mean 'reweighing'?"),
    ],
)
def test_what_is_wrong_is_named(raw: dict[str, Any], key: str, value: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as excinfo:
        params.parse(put(raw, key, value), "params.yaml")
    assert excinfo.value.code == "params.invalid"
    assert says in excinfo.value.values["problems"]


def test_a_url_is_never_written_into_the_file(raw: dict[str, Any]) -> None:
    source = {"kind": "sql", "path": "data/snapshot", "query": "SELECT 1", "url_env": "postgresql://a:b@c/d"}
    with pytest.raises(ConfigurationError) as excinfo:
        params.parse(put(raw, "source", source), "params.yaml")
    assert "`source.url_env`" in excinfo.value.values["problems"]
    assert "a:b@c" not in f"{excinfo.value} {excinfo.value.values}"


def test_a_bare_date_is_named_before_dvc_stumbles(raw: dict[str, Any]) -> None:
    dated = put(raw, "policy.as_of", yaml.safe_load("2026-01-31"))
    with pytest.raises(ConfigurationError) as excinfo:
        params.parse(dated, "params.yaml")
    assert (excinfo.value.code, excinfo.value.values["key"]) == ("params.bare_date", "policy.as_of")


@pytest.mark.parametrize("text", ["", "- a", "a: [", "\ta: 1"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as excinfo:
        params.load(tmp_path / "params.yaml")
    assert excinfo.value.code in {"params.no_keys", "params.not_yaml"}


@pytest.mark.parametrize(("encoding", "name"), [("utf-16", "UTF-16"), ("cp1252", "WINDOWS-1252")])
def test_a_file_in_another_encoding_says_how_to_convert_it(tmp_path: Path, encoding: str, name: str) -> None:
    (tmp_path / "params.yaml").write_bytes("name: Größe\n".encode(encoding))
    with pytest.raises(ConfigurationError) as excinfo:
        params.load(tmp_path / "params.yaml")
    assert (excinfo.value.code, excinfo.value.values["encoding"]) == ("params.not_utf8", name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, check=lambda error: error.code == "params.file_missing"):
        params.load(tmp_path / "params.yaml")


def test_all_but_keeps_the_order_of_the_table_and_leaves_out_what_can_never_be_a_feature(
    raw: dict[str, Any],
) -> None:
    data = params.parse(put(raw, "data.features", {"all_but": ["noise"]}), "p").data
    table = ["b", "race", "approve", "noise", "reject", "application", "male", "a"]
    assert data.feature_names(table) == ["b", "a"]


def test_every_kind_of_source_and_every_mitigation_is_served() -> None:
    """What params.yaml may name is what the registries of sources and mitigations hold."""
    kinds = set(get_args(Source.model_fields["kind"].annotation))
    snapshots = {kind for kind in kinds if source_of(kind).is_snapshot}
    assert set(KINDS) == kinds == {*bindings.DIRECT, *pulls.PULLS}
    assert snapshots == set(pulls.PULLS)
    assert set(get_args(params.Method)) == set(METHOD_OPTIONS) == set(MITIGATIONS)


def source_of(kind: str) -> params.Source:
    keys: dict[str, dict[str, Any]] = {
        "sql": {"url_env": "URL", "query": "SELECT 1"},
        "openml": {"openml_id": 31},
    }
    return params.Source.model_validate({"kind": kind, "path": "data/source", **keys.get(kind, {})})


def test_a_snapshot_is_requested_by_the_keys_that_say_which_rows() -> None:
    assert source_of("sql").request == {"kind": "sql", "query": "SELECT 1"}
    assert source_of("openml").request == {"kind": "openml", "openml_id": 31}
