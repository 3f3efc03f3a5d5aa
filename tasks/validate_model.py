"""Judge a model file, or a table of a model's answers, on a table: what a CI job asks before it merges one.

The project's own stages run in a temporary folder, under its parameters and policy. The project stays as it
is: nothing is tracked, registered, signed or promoted, and the verdict counts as no attempt.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clearance import params, paths, stage, yaml
from clearance.data import faults as data_faults
from clearance.data.sources import keyed_table
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import ClearanceError
from clearance.params.external import FOLDER, format_by_name
from clearance.preflight import check
from clearance.reporting import summary
from tasks import command_line, faults

_THRESHOLD = "a score between 0 and 1"
ARGUMENTS = (
    "--data FILE --model FILE [--params FILE] [--policy FILE] [--threshold NUMBER] "
    "[--trained-on none|unknown|FILE] [--score COLUMN] [--decision COLUMN] [--delimiter MARK] [--json]"
)
_KEPT = (
    paths.DVC_YAML,
    paths.REQUIREMENTS_LOCK,
    paths.REASON_TEXTS,
    paths.CARD_TEXT,
    Path("policies"),
    paths.EXTERNAL,
)
_DECLARED_BY = "the command line (tasks.validate_model)"
_TUNE = 0.2
_OF_TABLES = ("score", "decision", "delimiter")
_HINTS = {
    "data.external_columns_missing": "give `--score` or `--decision` one of its columns",
    "models.external_unknown_format": "rename the file of `--model` so that its name ends in one of them",
    "models.external_threshold_needs_tune_rows": "give the maker's threshold with `--threshold`",
    "models.external_threshold_undeclared": "give the maker's threshold with `--threshold`; these decisions "
    "fit {fitting}",
    "models.external_threshold_contradicted": "correct `--threshold`, or ask the maker which of the two is "
    "in use",
    "models.external_threshold_not_of_the_file": "leave `--threshold` out, or bring the model with the "
    "threshold that is meant",
    "models.external_threshold_without_scores": "leave `--threshold` out, or name the column of the scores "
    "with `--score`",
}
"""What to do about a fault where the setting it is about was given, or can be given, as an option."""
_DELIMITER_HINTS = {
    keyed_table.OF_ANSWERS: "give `--delimiter {likely}`",
    "source.delimiter": "save the table of `--data` with commas, or name in `--params` a file that sets "
    "`source.delimiter: {likely}`",
}


def settings_for(options: argparse.Namespace, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of params.yaml for this model and this table: the project's own, with what was asked for.

    Without `train.external` of the project's own, nobody declared which rows trained the model: it is unknown
    unless `--trained-on` says it.
    """
    changed = dict(content)
    source = dict(content.get("source") or {})
    kept = ("format", "delimiter", "types", "select") if source.get("kind") == "file" else ("types", "select")
    changed["source"] = {"kind": "file", "path": str(Path(options.data).resolve())} | {
        key: source[key] for key in kept if key in source
    }
    changed["train"] = _train(options, dict(content.get("train") or {}))
    changed["split"] = _split(options, dict(content.get("split") or {}), changed["train"])
    if options.policy:
        changed["policy"] = dict(content.get("policy") or {}) | {"file": options.policy}
        changed["overrides"] = {"policy.file": options.policy}
    return changed


def _train(options: argparse.Namespace, own: dict[str, Any]) -> dict[str, Any]:
    external = {"declared_by": _DECLARED_BY} | dict(own.get("external") or {})
    external |= {"file": (paths.EXTERNAL / Path(options.model).name).as_posix()}
    external |= {key: getattr(options, key) for key in _OF_TABLES if getattr(options, key)}
    if format_by_name(options.model) == "table" and "score" not in external and "decision" not in external:
        external["score"] = "score"
    train: dict[str, Any] = {"external": external}
    if "protected_at_decision" in own:
        train["protected_at_decision"] = own["protected_at_decision"]
    if options.threshold is not None:
        train["threshold"] = {"fixed": options.threshold}
    elif "external" in own and "threshold" in own:
        train["threshold"] = own["threshold"]
    return train


def _split(options: argparse.Namespace, own: dict[str, Any], train: Mapping[str, Any]) -> dict[str, Any]:
    if "trained_on" in own:
        if options.trained_on in ("none", "unknown"):
            own.pop("trained_on_delimiter", None)
        return own | ({"trained_on": options.trained_on} if options.trained_on else {})
    chooses = "threshold" not in train and "decision" not in train["external"]
    tune = _TUNE if chooses and Path(options.model).suffix.lower() != ".skops" else 0.0
    time = {"time": own["time"]} if "time" in own else {}
    return {"trained_on": options.trained_on or "unknown", "tune": tune, "test": 1 - tune} | time


def judge(root: Path, folder: Path, options: argparse.Namespace) -> VerdictDocument:
    """The verdict on the model, made in the empty `folder` by the stages of the project at `root`.

    Raises ConfigurationError with everything that keeps a run from beginning, and what the stages raise.
    Hints name the options where they can help.
    """
    refuse_options(options)
    content = settings_for(options, params.read_yaml(Path(options.params or root / paths.PARAMS)))
    for name in _KEPT:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True)
        elif source.is_file():
            shutil.copy2(source, folder / name)
    _bring(Path(options.model), folder / content["train"]["external"]["file"], "--model")
    if options.policy:
        _bring(root / options.policy, folder / options.policy, "--policy")
    (folder / paths.PARAMS).write_text(yaml.dumps(content), encoding="utf-8")
    with contextlib.chdir(folder):
        problems = check.check_content(folder, content, str(options.params or paths.PARAMS))
        check.refuse_blocking([replace(problem, error=_by_option(problem.error)) for problem in problems])
        for words in _commands(folder / paths.DVC_YAML):
            try:
                _run(words)
            except ClearanceError as error:
                raise _by_option(error) from error
        return VerdictDocument.read(folder)


def refuse_options(options: argparse.Namespace) -> None:
    """Raise ConfigurationError on an option that names no file, or whose value cannot be used."""
    for name in ("data", "params"):
        path = getattr(options, name)
        if path is not None and not Path(path).exists():
            raise faults.NO_SUCH_FILE(path=path, option=f"--{name}")
    threshold, trained_on = options.threshold, options.trained_on
    if threshold is not None and not 0 < threshold < 1:
        raise faults.OPTION_VALUE(option="--threshold", value=threshold, expected=_THRESHOLD)
    in_folder = f"{FOLDER}/"
    if trained_on is not None and not (trained_on in ("none", "unknown") or trained_on.startswith(in_folder)):
        expected = f"`none`, `unknown` or a list of row keys below `{in_folder}`"
        raise faults.OPTION_VALUE(option="--trained-on", value=trained_on, expected=expected)
    for name in _OF_TABLES:
        if getattr(options, name) and format_by_name(options.model) not in ("table", None):
            raise faults.OPTION_OF_TABLES(option=f"--{name}", path=options.model)


def _by_option(error: ClearanceError) -> ClearanceError:
    """The error with a hint that names the option, where there is one."""
    hints = _HINTS
    if error.code == data_faults.SINGLE_COLUMN.code:
        hints = {error.code: _DELIMITER_HINTS.get(error.values["setting"], error.hint)}
    if error.code not in hints:
        return error
    hint = hints[error.code].format(**error.values)
    return type(error)(error.fault, hint, code=error.code, values=error.values)


def _bring(source: Path, target: Path, option: str) -> None:
    """Copy what is to be judged to where the stages read it; a link stays one, and is refused there."""
    if not source.exists() and not source.is_symlink():
        raise faults.NO_SUCH_FILE(path=source, option=option)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _commands(graph: Path) -> Iterator[list[str]]:
    """The commands of the stages, in the order of dvc.yaml, without `python -m`."""
    stages = yaml.loads(graph.read_text(encoding="utf-8"))["stages"]
    for content in stages.values():
        words = shlex.split(content["cmd"])
        if words[:2] != ["python", "-m"]:
            raise faults.NOT_A_MODULE(command=content["cmd"])
        yield words[2:]


def _run(words: Sequence[str]) -> None:
    before, sys.argv = sys.argv, list(words)
    try:
        importlib.import_module(words[0]).main()
    finally:
        sys.argv = before


@contextlib.contextmanager
def _errors_only() -> Iterator[None]:
    """Log errors alone for a while: the stages' lines would drown the verdict."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options among these words of a command line. Raises ConfigurationError on a wrong one."""
    parser = command_line.Parser("tasks.validate_model")
    for name in ("--data", "--model"):
        parser.add_argument(name, required=True)
    for name in ("--params", "--policy", "--score", "--decision", "--delimiter", "--trained-on"):
        parser.add_argument(name)
    parser.add_argument("--threshold", type=command_line.number("--threshold", _THRESHOLD))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def main() -> None:
    """Print the verdict on the model and end with its exit status, as `clearance run` does."""
    options = parse(sys.argv[1:])
    root = Path.cwd()
    with _errors_only(), tempfile.TemporaryDirectory(prefix="clearance-validate-") as place:
        folder = Path(place).resolve()
        verdict = judge(root, folder, options)
        lines = [summary.title(verdict), *summary.reasons(verdict), *summary.data_warnings(folder)]
    if options.json:
        sys.stdout.write(json.dumps(verdict.to_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n  ".join(lines) + "\n")
    sys.exit(verdict.verdict.exit_code)


if __name__ == "__main__":
    stage.run(main, ARGUMENTS)
