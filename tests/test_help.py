"""Every module that is started with `python -m` says what it does before it does anything."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from clearance import stage

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("tasks", "flows")
    for path in (ROOT / folder).glob("*.py")
    if "stage.run(main" in path.read_text(encoding="utf-8")
)


def test_they_are_all_steps_of_the_pipeline() -> None:
    assert {"tasks.train", "tasks.release", "tasks.validate", "flows.ui"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_printed_and_nothing_is_done(
    name: str,
    option: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    module = importlib.import_module(name)
    monkeypatch.setattr(sys, "argv", [name, option])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ending:
        stage.run(module.main)
    assert ending.value.code == 0
    text = capsys.readouterr().out
    assert re.match(rf"Usage: python -m {re.escape(name)}\n\n\S", text)
    assert not list(tmp_path.iterdir())
