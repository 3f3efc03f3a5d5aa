"""A newcomer's own table, drafted by `init` alone: it passes, becomes champion, and bad tables are refused.

Each fault below has one message that names it and its mend, and the right exit code; the champion stays.
"""

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from clearance import cli, files
from clearance.errors import ExitCode
from tests.support import projects, terminal_run
from tests.support.projects import Done, Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
]
SOURCE = "data/source/applicants.csv"


def applicants(rows: int = 6000) -> pd.DataFrame:
    """Two groups of equal merit and equal treatment."""
    rng = np.random.default_rng(5)
    skill, years = rng.normal(size=rows), rng.integers(0, 20, rows)
    invited = rng.random(rows) < 1 / (1 + np.exp(-1.5 * skill - 0.1 * (years - 10)))
    return pd.DataFrame(
        {
            "applicant": np.arange(rows),
            "gender": rng.choice(["woman", "man"], rows),
            "skill": skill.round(3),
            "years": years,
            "city": rng.choice(["north", "south"], rows),
            "invited": np.where(invited, "yes", "no"),
        }
    )


def champions(project: Project) -> list[tuple[str, str, int]]:
    with sqlite3.connect(project.root / "mlflow.db") as store:
        return list(store.execute("SELECT name, alias, version FROM registered_model_aliases"))


@pytest.fixture(scope="module")
def hiring(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = projects.copy(tmp_path_factory.mktemp("hiring"))
    applicants().to_csv(project.root / SOURCE, sep=";", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        for command in (["init", "--table", SOURCE, "--name", "hiring", "--yes"], ["check"]):
            result = CliRunner().invoke(cli.main, command)
            assert result.exit_code == ExitCode.PASS, result.output
    state_everything(project.root / "card.yaml")
    return project


def state_everything(card: Path) -> None:
    """Fill each section of a drafted card: without it, the drafted policy promotes nothing."""
    sentence = '[{text: "For practice.", by: "A. Person", on: 2026-11-01}]'
    card.write_text(card.read_text().replace("[]", sentence))


def run(project: Project) -> Done:
    """The pipeline there."""
    return terminal_run.in_project(project)


@pytest.fixture(scope="module")
def passed(hiring: Project) -> Done:
    return run(hiring)


def test_a_fair_model_on_new_data_passes_and_becomes_champion(hiring: Project, passed: Done) -> None:
    assert passed.code == ExitCode.PASS, passed.out
    assert champions(hiring) == [("hiring", "champion", 1)]
    assert "Pass: hiring" in passed.out


def with_faults(table: pd.DataFrame) -> pd.DataFrame:
    """A third outcome, a key twice, an empty feature, and hardly any rows."""
    few = table.head(60).assign(skill=None)
    few.loc[3, "invited"] = "maybe"
    return pd.concat([few, few.head(2)])


def test_a_bad_table_is_refused_by_name_and_the_champion_stays(hiring: Project, passed: Done) -> None:
    faults = {"invited": "3 values", "applicant": "", "skill": ""}
    with_faults(applicants()).to_csv(hiring.root / SOURCE, sep=";", index=False)
    result = run(hiring)
    assert result.code == ExitCode.REFUSED, result.out
    assert "Traceback" not in result.out
    assert champions(hiring) == [("hiring", "champion", 1)]
    expectations = files.read_json(hiring.root / "reports/validation_raw.json")["expectations"]
    for column, cell in faults.items():
        details = [
            expectation["detail"]
            for expectation in expectations
            if expectation["column"] == column and not expectation["success"]
        ]
        assert details
        assert cell in " ".join(details)


def test_an_unreadable_table_is_a_fault_and_the_last_good_outputs_stay(hiring: Project, passed: Done) -> None:
    before = projects.files(hiring.root, ("reports/verdict.json", "dvc.lock"))
    Path(hiring.root / SOURCE).write_bytes(applicants(50).to_csv(index=False).encode())
    result = run(hiring)
    assert result.code == ExitCode.ERROR, result.out
    assert "delimiter" in result.out
    assert "hint:" in result.out
    assert "Traceback" not in result.out
    assert projects.files(hiring.root, tuple(before)) == before
