"""`clearance init`: what is drafted from a table runs, and what the table cannot say is asked or named."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

from clearance import cli, params
from clearance.data.sources.column_types import ColumnUses
from clearance.drafting import (
    answers,
    column_roles,
    column_words,
    derived_columns,
    draft,
    padding,
    policy_text,
    project_files,
    table_profile,
)
from clearance.drafting.table_profile import ColumnProfile, TableProfile
from clearance.params import Source
from clearance.policy import policy_file
from clearance.policy.schema import Policy
from clearance.preflight import check
from clearance.preflight.problem import Problem
from tests.support.codes import raises

ROOT = Path(__file__).parent.parent
N = 1200
RNG = np.random.default_rng(5)


def applicants() -> pd.DataFrame:
    """A table with a key, a name, an encoding of the gender, a later fact, a code and an age."""
    rng = np.random.default_rng(7)
    gender = rng.choice(["woman", "man"], N)
    skill = rng.normal(size=N)
    invited = rng.random(N) < 1 / (1 + np.exp(-skill))
    return pd.DataFrame(
        {
            "applicant_id": [f"A{number:05}" for number in range(N)],
            "email": [f"p{number}@mail.example" for number in range(N)],
            "gender": gender,
            "title": np.where(gender == "man", "Mr", "Ms"),
            "age": rng.integers(18, 70, N),
            "skill": skill.round(3),
            "years": np.where(rng.random(N) < 0.03, 999, rng.integers(0, 30, N)),
            "city": rng.choice(["north", "south"], N),
            "applied": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 90, N), unit="D"),
            "start salary": np.where(invited, rng.integers(30, 60, N), np.nan),
            "same": 1,
            "invited": np.where(invited, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a fresh clone holds of what `init` reads, committed."""
    root = tmp_path_factory.mktemp("template") / "project"
    root.mkdir()
    for name in ("params.yaml", "dvc.yaml", "requirements.lock", "card.yaml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "policies", root / "policies")
    who = ["-c", "user.name=dan", "-c", "user.email=dan@clearance.example"]
    for words in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "-m", "start"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    applicants().to_csv(root.parent / "applicants.csv", index=False)
    return root


@pytest.fixture
def clone(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "project"
    shutil.copytree(template, root)
    shutil.copy(template.parent / "applicants.csv", tmp_path / "applicants.csv")
    with monkeypatch.context() as patch:
        patch.chdir(root)
        yield root


def init(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli.main, ["init", *words], input=typed, catch_exceptions=False)


def beside_the_card(root: Path) -> list[Problem]:
    """The problems of a draft, but for its card: only a person can state what a model is for."""
    problems = check.check(root)
    gaps = [problem for problem in problems if problem.error.code == "preflight.card_section_empty"]
    assert len(gaps) == 1
    return [problem for problem in problems if problem not in gaps]


TABLE = ("--table", "../applicants.csv", "--yes")


@pytest.fixture(scope="module")
def profile(template: Path) -> TableProfile:
    return table_profile.read(template.parent, Source(kind="file", path="applicants.csv"))


def test_a_draft_from_a_table_alone_can_run_at_once(clone: Path) -> None:
    result = init(*TABLE)
    assert result.exit_code == 0, result.output
    assert beside_the_card(clone) == []
    settings = params.load(clone / "params.yaml")
    data = settings.data
    assert (settings.name, settings.source.path) == ("applicants", "data/source/applicants.csv")
    assert (data.row_key, data.target, data.favourable) == ("applicant_id", "invited", "yes")
    assert data.protected == ["gender", "age_band"]
    assert set(data.protected_encodings) == {"age", "title"}
    assert data.after_outcome == ["start salary"]
    assert data.features == ["skill", "years", "city"]
    assert data.columns["gender"].values == ["man", "woman"]
    assert data.columns["years"].numbers == (0, 30)  # 999 is a code
    assert data.columns["city"].severity == "warn"
    assert (clone / "data/source/applicants.csv").exists()


def test_the_policy_is_the_pack_about_these_attributes(clone: Path) -> None:
    assert init(*TABLE, "--pack", "four_fifths").exit_code == 0
    policy = policy_file.load(clone / "policies/applicants.yaml")
    assert policy.attributes == ("gender", "age_band")
    assert (policy.favourable.target, policy.favourable.value) == ("invited", "yes")
    assert {rule.id for rule in policy.rules} == {
        rule.id for rule in policy_file.load(ROOT / "policies/packs/four_fifths.yaml").rules
    }
    listed = yaml.safe_load((clone / "policies/authorised.yaml").read_text())["models"]
    assert listed["applicants"] == {"policy": "policies/applicants.yaml", "tier": "limited"}
    assert "loan-approval" in listed


def test_init_a_second_time_changes_nothing(clone: Path) -> None:
    init(*TABLE)
    names = ("params.yaml", "policies/applicants.yaml", "policies/authorised.yaml")
    before = {name: (clone / name).read_bytes() for name in names}
    assert init(*TABLE).exit_code == 0
    assert {name: (clone / name).read_bytes() for name in names} == before


def test_what_somebody_changed_is_compared_and_stays(clone: Path) -> None:
    init(*TABLE)
    path = clone / "params.yaml"
    mine = path.read_text().replace("rows_min: 600", "rows_min: 321")
    path.write_text(mine)
    result = init(*TABLE)
    assert (result.exit_code, path.read_text()) == (1, mine)
    assert "data.rows_min: 321 → 600" in result.output
    assert init(*TABLE, "--replace").exit_code == 0
    assert (clone / "params.yaml.before").read_text() == mine
    assert params.load(path).data.rows_min == 600


def test_lists_of_mappings_are_compared_by_id_in_short_lines() -> None:
    long = "a sentence of the policy " * 20
    rules = [{"id": f"rule-{n}", "text": long, "limit": {"at_most": n}} for n in range(30)]
    changed = [{**rules[0], "limit": {"at_most": 9}}, *rules[2:], {"id": "new", "text": long}]
    lines = project_files.differences({"rules": rules}, {"rules": changed})
    assert lines == (
        "rules.rule-0.limit.at_most: 0 → 9",
        "rules.rule-1 (gone)",
        "rules.new (new)",
    )
    [line] = project_files.differences({"text": long}, {"text": f"{long} more"})
    assert len(line) < 200


def test_a_template_that_somebody_changed_is_not_taken_for_the_template(clone: Path) -> None:
    path = clone / "params.yaml"
    path.write_text(path.read_text().replace("rows_min: 500", "rows_min: 501"))
    before = path.read_bytes()
    assert init(*TABLE).exit_code == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "drafting.nothing_to_do"),
        (("--table", "../none.csv"), "drafting.no_table"),
        ((*TABLE, "--target", "invitd"), "drafting.unknown_column"),
        ((*TABLE, "--protected", "sex"), "drafting.unknown_column"),
        ((*TABLE, "--row-key", "id"), "drafting.unknown_column"),
        ((*TABLE, "--favourable", "Yes!"), "drafting.favourable_absent"),
        ((*TABLE, "--protected", "same"), "drafting.protected_alike"),
        ((*TABLE, "--pack", "fourfifths"), "drafting.unknown_pack"),
        ((*TABLE, "--name", "my model"), "drafting.name_not_usable"),
        ((*TABLE, "--target", "city"), "drafting.favourable_unknown"),
    ],
)
def test_what_cannot_be_drafted_is_one_error(clone: Path, words: tuple[str, ...], code: str) -> None:
    before = (clone / "params.yaml").read_bytes()
    result = init(*words)
    assert result.exit_code == 1
    assert getattr(result.exception.__cause__, "code", None) == code
    assert (clone / "params.yaml").read_bytes() == before


def test_on_a_terminal_it_asks_for_what_is_missing(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearance.cli.init._is_terminal", lambda: True)
    typed = "\n".join(["town", "city", "north", "gender", "none", "towns", "parity_looser"]) + "\n"
    result = init("--table", "../applicants.csv", typed=typed)
    assert result.exit_code == 0, result.output
    settings = params.load(clone / "params.yaml")
    assert (settings.name, settings.data.target, settings.data.favourable) == ("towns", "city", "north")
    assert (settings.data.row_key, settings.data.protected) == (None, ["gender"])


def test_another_delimiter_is_taken_from_the_header(clone: Path) -> None:
    applicants().to_csv(clone.parent / "applicants.csv", sep=";", index=False)
    assert init(*TABLE).exit_code == 0
    assert params.load(clone / "params.yaml").source.delimiter == ";"


@pytest.mark.parametrize("pack", ["demo", *(path.stem for path in (ROOT / "policies/packs").glob("*.yaml"))])
@pytest.mark.parametrize("protected", [("a",), ("a", "b"), ("age band", "b", "c")])
def test_every_pack_fits_any_attributes(pack: str, protected: tuple[str, ...]) -> None:
    text = policy_text.fit(ROOT, pack, name="m", target="t", favourable="yes", protected=protected)
    live = Policy.model_validate(yaml.safe_load(text)).monitoring
    assert live is not None, "who releases a model has to watch it"
    read = {part.strip() for rule in live.rules for name in rule.read_for for part in name.split("&")}
    assert read == set(protected), "live rules are about these attributes and no others"
    policy = yaml.safe_load(text)
    assert policy["attributes"] == list(protected)
    read = {name for rule in policy["rules"] for name in rule.get("attributes", ())}
    assert not {"race", "sex", "race & sex"} & read
    assert set(protected) <= read
    assert "To use it" not in text


def test_the_line_stands_once_in_the_list_of_authorised_policies() -> None:
    entry = "  m: {policy: policies/m.yaml, tier: high}"
    for listed in ("models:\n  a: {policy: p, tier: t}\n", "# why\nmodels: {}\n"):
        text = policy_text.authorise(listed, "m", entry)
        assert yaml.safe_load(text)["models"]["m"] == {"policy": "policies/m.yaml", "tier": "high"}
        assert policy_text.authorise(text, "m", entry) == text


def test_another_tier_replaces_the_line_and_the_same_one_keeps_what_it_pins() -> None:
    listed = (
        "models:\n  m: {policy: policies/m.yaml, tier: low, contracts: [ab]}\n  n: {policy: p, tier: t}\n"
    )
    same = policy_text.authorise(listed, "m", "  m: {policy: policies/m.yaml, tier: low}")
    assert same == listed
    other = yaml.safe_load(policy_text.authorise(listed, "m", "  m: {policy: policies/m.yaml, tier: high}"))
    assert other["models"] == {
        "m": {"policy": "policies/m.yaml", "tier": "high"},
        "n": {"policy": "p", "tier": "t"},
    }


def column(name: str, *values: tuple[str, int], kind: Any = "text") -> ColumnProfile:
    rows = sum(number for _, number in values)
    return ColumnProfile(name=name, kind=kind, rows=rows, nulls=0, distinct=len(values), values=tuple(values))


@pytest.mark.parametrize(
    ("name", "values", "good"),
    [
        ("approved", ("0", "1"), "1"),
        ("default", ("0", "1"), "0"),
        ("loan_status", ("Charged Off", "Fully Paid"), "Fully Paid"),
        ("invited", ("no", "yes"), "yes"),
        ("credit", ("bad", "good"), "good"),
        ("colour", ("blue", "red"), None),
        ("grade", ("a", "b", "c"), None),
    ],
)
def test_the_favourable_value_is_proposed_only_where_words_say_it(
    name: str, values: tuple[str, ...], good: str | None
) -> None:
    assert answers.favourable(column(name, *((value, 5) for value in values))) == good


@pytest.mark.parametrize(
    ("name", "mentions"),
    [("Sex", True), ("personGender", True), ("race_ethnicity", True), ("average", False), ("sexton", False)],
)
def test_a_name_mentions_a_protected_attribute_by_whole_words(name: str, mentions: bool) -> None:
    assert column_words.mentions(name, column_words.PROTECTED) is mentions


def test_a_target_of_many_values_becomes_one_of_two(profile: TableProfile) -> None:
    limit, value = derived_columns.target(profile["years"], ">= 10")
    assert (limit is not None and limit.replaces, value) == (True, "yes")
    assert derived_columns.target(profile["invited"], "no") == (None, "no")
    with raises("drafting.favourable_absent"):
        derived_columns.target(profile["invited"], "maybe")


def test_bands_of_an_age_have_enough_rows(profile: TableProfile) -> None:
    bands = derived_columns.bands(profile, profile["age"])
    assert bands is not None and bands.column == "age_band"
    assert "under 25" in bands.sql and "60 and over" in bands.sql
    assert derived_columns.bands(profile, profile["gender"]) is None


def test_the_select_is_one_that_the_pipeline_runs(profile: TableProfile, template: Path) -> None:
    bands = derived_columns.bands(profile, profile["age"])
    codes = derived_columns.codes(profile, profile["years"])
    assert bands is not None and codes is not None
    select = derived_columns.select([bands, codes], "invited")
    source = Source(kind="file", path="applicants.csv", select=select)
    seen = table_profile.read(template.parent, source)
    assert seen["age_band"].distinct == 4
    assert seen["years"].high is not None and seen["years"].high < 999 and seen["years"].nulls > 0
    assert derived_columns.select([], None) is None


def profiled(root: Path, table: pd.DataFrame) -> TableProfile:
    table.to_csv(root / "t.csv", index=False)
    return table_profile.read(root, Source(kind="file", path="t.csv"))


@pytest.mark.parametrize(
    "name", ["Name", "Vorname", "surname", "E-Mail", "applicant_surname", "Phone number"]
)
def test_a_column_named_like_a_person_is_left_out_whatever_its_values(tmp_path: Path, name: str) -> None:
    table = applicants()[["skill", "gender", "invited"]]
    profile = profiled(
        tmp_path, table.assign(**{name: np.resize(["Kim", "Lee", "Zoe"], N), "has_email": "y"})
    )
    roles = column_roles.propose(profile, "invited", ["gender"], None, {})
    assert "persons" in roles.left_out[name]
    assert "persons" not in roles.left_out["has_email"]
    assert not column_words.names_persons("telephone", 2)
    assert not column_words.names_persons("product_name", 40)


@pytest.mark.parametrize("name", ["fnlwgt", "weight", "pweight"])
def test_a_sampling_weight_is_left_out_and_asked(tmp_path: Path, name: str) -> None:
    table = applicants()[["skill", "gender", "invited"]]
    profile = profiled(tmp_path, table.assign(**{name: RNG.integers(1, 10**6, N)}))
    roles = column_roles.propose(profile, "invited", ["gender"], None, {})
    assert name in roles.left_out
    assert any(f"`{name}`" in question and "data.weight" in question for question in roles.questions)


def test_dates_are_called_dates_and_what_one_outcome_fills_is_known_afterwards(tmp_path: Path) -> None:
    table = applicants()[["skill", "gender", "invited"]]
    days = [f"{n % 28 + 1:02}.{n % 12 + 1:02}.{1970 + n % 30}" for n in range(N)]
    table = table.assign(day=days, seldom=np.where(np.arange(N) % 90, None, days))
    table["interview"] = np.where(table["invited"] == "yes", days, None)
    profile = profiled(tmp_path, table)
    found = draft.disguised(draft.table(tmp_path, "t.csv"))
    roles = column_roles.propose(profile, "invited", ["gender"], None, {}, disguises=found)
    assert roles.after_outcome == {"interview": "is only filled when the outcome is yes"}
    for name in ("day", "seldom"):
        assert f"strptime(\"{name}\", '%d.%m.%Y')" in roles.left_out[name]


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"E-Mail": "p{}@mail.example", "Bewerbernr": "0{}"}, "Bewerbernr"),
        ({"email": "p{}@mail.example"}, "email"),
        ({"Name": "Kim {}"}, None),
        ({"respondent": "r{}"}, "respondent"),
        ({"letter": "I am number {}"}, None),
        ({"wage": "{},5"}, None),
        ({"Unnamed: 0": "{}"}, None),
    ],
)
def test_the_row_key_is_a_code_rather_than_a_name_or_a_position(
    tmp_path: Path, columns: dict[str, str], key: str | None
) -> None:
    table = pd.DataFrame({name: [form.format(n) for n in range(N)] for name, form in columns.items()})
    assert answers.row_key(profiled(tmp_path, table.assign(same=1)), ()) == key


def test_every_value_is_examined_and_not_a_sample_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_profile, "SAMPLE", 60)
    wage = [f"{n},5" for n in range(N)]
    wage[-1] = "12.5"
    profiled(tmp_path, pd.DataFrame({"wage": wage, "same": 1}))
    found = draft.disguised(draft.table(tmp_path, "t.csv"))
    assert (found["wage"].sql, found["wage"].others) == (None, ("12.5",))


def test_a_position_in_a_data_frame_is_asked_about(tmp_path: Path) -> None:
    table = applicants()[["skill", "gender", "invited"]]
    profile = profiled(tmp_path, table.assign(__index_level_0__=range(N)))
    roles = column_roles.propose(profile, "invited", ["gender"], answers.row_key(profile, ()), {})
    assert "position" in roles.left_out["__index_level_0__"]
    assert any("`__index_level_0__`" in question for question in roles.questions)


def test_roles_are_proposed_with_their_reasons(profile: TableProfile) -> None:
    roles = column_roles.propose(profile, "invited", ["gender"], "applicant_id", {})
    assert set(roles.encodings) == {"title"}
    assert set(roles.after_outcome) == {"start salary"}
    assert set(roles.left_out) == {"email", "applied", "same", "age"}
    assert roles.features == ("skill", "years", "city")


def drafted(root: Path, table: pd.DataFrame, *words: str) -> params.Data:
    """The roles that `init` drafts for a table of its own."""
    table.to_csv(root.parent / "other.csv", index=False)
    result = init("--table", "../other.csv", "--yes", *words)
    assert result.exit_code == 0, result.output
    assert beside_the_card(root) == []
    return params.load(root / "params.yaml").data


def test_words_for_missing_values_are_nulls(clone: Path) -> None:
    table = applicants()
    table.loc[:60, "gender"] = "None"
    table.loc[:30, "city"] = "?"
    data = drafted(clone, table)
    assert data.columns["gender"].values == ["man", "woman"]
    assert 0.05 <= (data.columns["gender"].nulls or 0) <= 0.1
    assert data.columns["city"].values == ["north", "south"]


def test_numbers_in_disguise_and_impossible_ones(clone: Path) -> None:
    table = applicants()
    table["wage"] = [f"CHF {number // 10 + 1}'{number % 10}00.50" for number in range(N)]
    table.loc[:2, "skill"] = -1.797e308
    data = drafted(clone, table)
    assert data.columns["wage"].type == "number"
    low, high = data.columns["skill"].numbers
    assert low is not None and high is not None and -100 < low < high < 100


def test_a_number_that_does_not_fit_the_others_keeps_the_column_text_and_is_asked(clone: Path) -> None:
    table = applicants()
    table["wage"] = [f"{number},25" for number in range(N)]
    table.loc[:1, "wage"] = ["12.5", "10k"]
    assert "wage" not in drafted(clone, table).features
    text = (clone / "params.yaml").read_text()
    assert "CAST" not in text
    assert any("question" in line and "`12.5`, `10k`" in line for line in text.splitlines())


def test_a_column_that_names_somebody_is_no_feature_even_where_it_repeats(clone: Path) -> None:
    table = applicants().assign(customer=np.arange(N) // 4)
    assert "customer" not in drafted(clone, table).features


def test_a_boolean_outcome_and_rows_without_one(clone: Path) -> None:
    table = applicants().assign(granted=lambda frame: frame["invited"] == "yes").drop(columns="invited")
    table["granted"] = table["granted"].astype(object)
    table.loc[:9, "granted"] = None
    data = drafted(clone, table, "--target", "granted", "--favourable", "true")
    assert (data.favourable, data.columns["granted"].nulls) == (1, 0)
    select = params.load(clone / "params.yaml").source.select
    assert select is not None and select.endswith('WHERE "granted" IS NOT NULL\n')


def test_a_number_as_outcome_and_columns_with_difficult_names(clone: Path) -> None:
    table = applicants().rename(columns={"skill": 'the "skill", %', "city": "no"})
    data = drafted(clone, table, "--target", "years", "--favourable", ">= 10")
    assert (data.favourable, data.columns["years"].values) == ("yes", ["no", "yes"])
    assert {'the "skill", %', "no"} <= set(data.features)


def test_texts_that_yaml_or_an_editor_would_read_otherwise(clone: Path) -> None:
    table = applicants().replace({"city": {"north": "nor\u2028th: #1", "south": 'so"uth\u202e'}})
    table.loc[::3, "gender"] = "no, 'yes'"
    table["gender"] = table["gender"].replace("man", "m\u00e4nnlich\nline")
    data = drafted(clone, table)
    assert set(data.columns["gender"].values or ()) == {"no, 'yes'", "m\u00e4nnlich\nline", "woman"}
    assert set(data.columns["city"].values or ()) == {"nor\u2028th: #1", 'so"uth\u202e'}


@pytest.mark.parametrize(
    "words",
    [
        ("--target", "invited", "--favourable", "yes", "--protected", "gender,branch"),
        (
            "--target",
            " invited",
            "--favourable",
            " yes",
            "--protected",
            " gender, branch",
            "--row-key",
            " id",
        ),
    ],
)
def test_spaces_after_commas_are_taken_off_and_said(clone: Path, words: tuple[str, ...]) -> None:
    table = applicants()[["skill", "gender", "city", "years", "invited"]]
    table.insert(1, "id", [f"0{n}" for n in range(N)])
    table["branch"] = np.resize(["1.1", "1.10", "1.2"], N)
    table["rank"] = np.resize(np.arange(9), N)
    lines = table.to_csv(index=False).splitlines()
    (clone.parent / "applicants.csv").write_text("\n".join(line.replace(",", ", ") for line in lines))
    result = init(*TABLE, *words)
    assert result.exit_code == 0, result.output
    assert beside_the_card(clone) == []
    settings = params.load(clone / "params.yaml")
    data = settings.data
    assert (data.row_key, data.target, data.favourable) == ("id", "invited", "yes")
    assert data.protected == ["gender", "branch"]
    assert data.columns["gender"].values == ["man", "woman"]
    assert sorted(map(str, data.columns["branch"].values or [])) == ["1.1", "1.10", "1.2"]
    assert '" gender" AS "gender"' in (settings.source.select or "")
    assert "spaces around" in result.output
    seen = table_profile.read(clone, settings.source, ColumnUses.of(settings.source, data))
    assert dict(seen["gender"].values).keys() == {"man", "woman"}
    kinds = {"id": "text", "skill": "number", "years": "number", "rank": "integer"}
    assert {name: seen[name].kind for name in kinds} == kinds


def test_what_is_typed_is_fitted_to_the_table_up_to_spaces() -> None:
    assert padding.fitted(" b", ["a", "b"]) == "b"
    assert padding.fitted("b", ["a", " b"]) == " b"
    assert padding.fitted("c", ["a", "b"]) == "c"


@pytest.mark.parametrize(
    ("name", "content", "words", "code"),
    [
        ("t.xlsx", b"PK", (), "data.spreadsheet"),
        ("t.csv", "id,name\n1,Zo\xeb\n".encode("latin-1"), (), "data.not_utf8"),
        ("t.csv", b"id,gender,x,ok\n1,f,1,yes\n2,m,2,no\n", ("--target", "nope"), "drafting.unknown_column"),
        (
            "t.csv",
            b"gender,x,ok\nf,1,yes\nm,2,no\n",
            ("--target", "ok", "--name", "a b"),
            "drafting.name_not_usable",
        ),
    ],
)
def test_a_draft_that_fails_leaves_nothing_behind(
    clone: Path, name: str, content: bytes, words: tuple[str, ...], code: str
) -> None:
    (clone.parent / name).write_bytes(content)
    result = init("--table", f"../{name}", "--project", "../made", "--yes", *words)
    fault = result.exception.__cause__
    assert getattr(fault, "code", None) == code
    assert "drafting" in code or f"../{name}" in str(fault)
    assert not (clone.parent / "made").exists() and not (clone / "data").exists()


def test_without_a_column_to_learn_from_it_says_so(clone: Path) -> None:
    applicants()[["gender", "invited"]].to_csv(clone.parent / "applicants.csv", index=False)
    assert init(*TABLE).exception.__cause__.code == "drafting.no_features"


def test_the_row_key_is_a_column_that_names_rows(profile: TableProfile) -> None:
    assert answers.row_key(profile, ()) == "applicant_id"
    assert answers.target(profile) == "invited"
    assert answers.protected(profile, "invited") == ("gender", "age")


def test_groups_are_drafted_as_the_run_will_read_them(clone: Path) -> None:
    rng = np.random.default_rng(2)
    table = applicants().assign(
        race_code=rng.choice(["1.0", "2.0"], N),
        branch=rng.choice(["1.1", "1.2", "1.10"], N),
        age=rng.uniform(18, 70, N).round(1),
    )
    table.to_csv("../applicants.csv", index=False)
    assert init(*TABLE, "--protected", "race_code,branch,age").exit_code == 0
    settings = params.load(clone / "params.yaml")
    assert settings.source.types == {"age": "number", "race_code": "integer"}
    assert sorted(settings.data.columns["race_code"].values or [], key=str) == [1, 2]
    assert sorted(settings.data.columns["branch"].values or [], key=str) == ["1.1", "1.10", "1.2"]
    assert beside_the_card(clone) == []
