"""How often test rows have judged is told when somebody asks, as a warning only where the policy says so."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clearance import cli, files, paths
from clearance.documents.split_document import SplitDocument
from clearance.documents.verdict_document import PolicyReport
from clearance.errors import IntegrityError
from clearance.reporting import test_set_notice
from tests.support import evidence, judged

LIMIT = {
    "warn_from": 3,
    "kind": "engineering",
    "source": "our risk board",
    "certainty": None,
    "valid_from": "2026-01-01",
    "valid_until": "2026-12-31",
}


def policy(as_of: str = "2026-11-22", **changes: Any) -> PolicyReport:
    """What a verdict says of its policy."""
    return evidence.policy_report(as_of=as_of, **({"test_uses": LIMIT} | changes))


@pytest.mark.parametrize(
    ("uses", "of", "warns"),
    [
        (1, policy(), False),
        (2, policy(), False),
        (3, policy(), True),
        (40, policy(), True),
        (40, policy(test_uses=None), False),
        (40, policy("2025-12-31"), False),
        (40, policy("2026-12-31"), True),
        (40, policy("2027-01-01"), False),
    ],
)
def test_from_the_policys_limit_on_the_count_is_a_warning_while_it_is_in_force(
    uses: int, of: PolicyReport, warns: bool
) -> None:
    sentence, warned = test_set_notice.notice(uses, of)
    assert warned == warns
    assert sentence.startswith(
        f"this test set has now been used to judge {uses} model{'' if uses == 1 else 's'}"
    )
    assert ("use fresh test rows" in sentence) == warns
    assert ("from use 3 on (engineering limit, from 2026-01-01; source: our risk board)" in sentence) == warns


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A judged project under a policy with the limit, as the working folder."""
    return judged.settle(tmp_path / "project", monkeypatch, policy={"test_uses": LIMIT})


def rows(project: Path) -> str:
    split = SplitDocument.read(project)
    assert isinstance(split, SplitDocument)
    return split.row_digests["test"]


def said(*options: str) -> str:
    result = CliRunner().invoke(cli.main, ["verdict", *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("options", [(), ("--markdown",)])
def test_the_verdict_is_printed_with_the_count_and_its_day(project: Path, options: tuple[str, ...]) -> None:
    test_set_notice.record(project, rows(project), 2, dt.date(2026, 11, 24))
    assert "his test set has now been used to judge 2 models (as of 2026-11-24)" in said(*options)
    assert "arning" not in said(*options)
    test_set_notice.record(project, rows(project), 3, dt.date(2026, 11, 25))
    warning = "arning: this test set has now been used to judge 3 models (as of 2026-11-25). Later"
    assert warning in said(*options)


@pytest.mark.parametrize("noted", [None, "cd" * 32], ids=["never counted", "other rows were counted"])
def test_what_was_not_counted_for_these_rows_is_said_so(project: Path, noted: str | None) -> None:
    if noted:
        test_set_notice.record(project, noted, 9, dt.date(2026, 11, 24))
    assert "have not been counted yet: run `clearance track`" in said()
    assert "9 models" not in said()


def test_where_no_rows_judge_nothing_is_said(project: Path) -> None:
    test_set_notice.record(project, rows(project), 3, dt.date(2026, 11, 24))
    evidence.block(project, "validate_raw: a fault", "split")
    assert test_set_notice.latest(project, policy()) is None
    (project / paths.SPLIT).unlink()
    assert test_set_notice.latest(project, policy()) is None


def test_a_note_that_cannot_be_read_is_an_error_not_a_silence(project: Path) -> None:
    files.write_text(project / test_set_notice.RECORD_FILE, "{")
    with pytest.raises(IntegrityError):
        test_set_notice.latest(project, policy())
