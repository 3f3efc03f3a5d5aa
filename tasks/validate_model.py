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
from pathlib import Path
from typing import Any

from clearance import params, paths, stage, yaml
from clearance.documents.verdict_document import VerdictDocument
from clearance.params.external import SUFFIXES
from clearance.preflight import check
from clearance.reporting import summary
from tasks import faults

ARGUMENTS = (
    "--data FILE --model FILE [--params FILE] [--policy FILE] [--threshold NUMBER] "
    "[--trained-on none|unknown] [--score COLUMN] [--decision COLUMN] [--json]"
)
_KEPT = (paths.DVC_YAML, paths.REQUIREMENTS_LOCK, Path("policies"), paths.EXTERNAL)
_DECLARED_BY = "the command line (tasks.validate_model)"
_TUNE = 0.2


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
    external |= {key: getattr(options, key) for key in ("score", "decision") if getattr(options, key)}
    is_table = SUFFIXES.get(Path(options.model).suffix.lower()) == "table"
    if is_table and "score" not in external and "decision" not in external:
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
        return own | ({"trained_on": options.trained_on} if options.trained_on else {})
    chooses = "threshold" not in train and "decision" not in train["external"]
    tune = _TUNE if chooses and Path(options.model).suffix.lower() != ".skops" else 0.0
    time = {"time": own["time"]} if "time" in own else {}
    return {"trained_on": options.trained_on or "unknown", "tune": tune, "test": 1 - tune} | time


def judge(root: Path, folder: Path, options: argparse.Namespace) -> VerdictDocument:
    """The verdict on the model, made in the empty `folder` by the stages of the project at `root`.

    Raises ConfigurationError with everything that keeps a run from beginning, and what the stages raise.
    """
    content = settings_for(options, params.read_yaml(Path(options.params or root / paths.PARAMS)))
    for name in _KEPT:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True)
        elif source.is_file():
            shutil.copy2(source, folder / name)
    _bring(Path(options.model), folder / content["train"]["external"]["file"])
    if options.policy:
        _bring(root / options.policy, folder / options.policy)
    (folder / paths.PARAMS).write_text(yaml.dumps(content), encoding="utf-8")
    with contextlib.chdir(folder):
        check.refuse_blocking(check.check_content(folder, content, str(options.params or paths.PARAMS)))
        for words in _commands(folder / paths.DVC_YAML):
            _run(words)
        return VerdictDocument.read(folder)


def _bring(source: Path, target: Path) -> None:
    """Copy what is to be judged to where the stages read it; a link stays one, and is refused there."""
    if not source.exists() and not source.is_symlink():
        raise faults.NO_SUCH_FILE(path=source)
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


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options among these words of a command line; ends the process on a wrong one, as argparse does."""
    parser = argparse.ArgumentParser(prog="python -m tasks.validate_model", add_help=False)
    for name in ("--data", "--model"):
        parser.add_argument(name, required=True)
    for name in ("--params", "--policy", "--score", "--decision", "--trained-on"):
        parser.add_argument(name)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def main() -> None:
    """Print the verdict on the model and end with its exit status, as `clearance run` does."""
    options = parse(sys.argv[1:])
    root = Path.cwd()
    logging.getLogger().setLevel(logging.ERROR)  # the stages' lines would drown the verdict
    with tempfile.TemporaryDirectory(prefix="clearance-validate-") as place:
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
