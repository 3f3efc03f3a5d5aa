"""The code dependencies of every stage in dvc.yaml, computed from the imports: `make deps` writes them.

A stage depends on each first-party module that its command imports, directly or not. An import that a stage
did not declare would keep an old result, and with it an old approval, after its code changed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import yaml

ROOMS = ("clearance", "expectations", "tasks")
OTHER_BOUNDARY = {
    "validate_raw": "expectations.prepared_boundary",
    "validate_prepared": "expectations.raw_boundary",
}
"""`tasks.validate` serves two boundaries; the suite of the one is not a dependency of the other."""

_STAGE = re.compile(r"^  (\w+):$")
_CODE = re.compile(rf"^      - ({'|'.join(ROOMS)})/.*\.py$")


def import_graph() -> grimp.ImportGraph:
    """The imports between the modules of the rooms, as they stand on disk."""
    return grimp.build_graph(*ROOMS, cache_dir=None)


def closure(module: str, graph: grimp.ImportGraph) -> set[str]:
    """The modules that importing `module` loads: what it imports, and each package on the way there."""
    loaded: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        loaded.add(name)
        parents = {name.rpartition(".")[0]} - {""}
        waiting |= (parents | graph.find_modules_directly_imported_by(name)) - loaded
    return loaded


def code_of(stage: str, command: str, graph: grimp.ImportGraph, root: Path) -> list[str]:
    """The files that a stage's command runs, sorted. Raises ValueError unless it is `python -m MODULE`."""
    words = command.split()
    if words[:2] != ["python", "-m"]:
        raise ValueError(f"the command of stage {stage} is not `python -m MODULE`: {command}")
    modules = closure(words[2], graph) - {OTHER_BOUNDARY.get(stage, "")}
    return sorted(_file(module, root) for module in modules)


def _file(module: str, root: Path) -> str:
    path = Path(*module.split("."))
    return (path / "__init__.py" if (root / path).is_dir() else path.with_suffix(".py")).as_posix()


def written(text: str, graph: grimp.ImportGraph, root: Path) -> str:
    """dvc.yaml's `text` with the code dependencies of each stage replaced by the computed ones."""
    commands = {name: stage["cmd"] for name, stage in yaml.safe_load(text)["stages"].items()}
    return "\n".join(_lines(text.split("\n"), commands, graph, root))


def _lines(lines: list[str], commands: dict[str, str], graph: grimp.ImportGraph, root: Path) -> Iterator[str]:
    stage, in_deps = "", False
    for line in lines:
        if in_deps and not line.startswith("      - "):
            yield from (f"      - {file}" for file in code_of(stage, commands[stage], graph, root))
            in_deps = False
        if match := _STAGE.match(line):
            stage = match[1]
        in_deps = in_deps or line == "    deps:"
        if not (in_deps and _CODE.match(line)):
            yield line


def main() -> None:
    """Write dvc.yaml; with `--check`, exit with 1 when it is not as it would be written."""
    root = Path(__file__).parent.parent
    path = root / "dvc.yaml"
    text = path.read_text(encoding="utf-8")
    computed = written(text, import_graph(), root)
    if "--check" in sys.argv[1:]:
        sys.exit(0 if computed == text else "dvc.yaml is out of date: run `make deps`")
    path.write_text(computed, encoding="utf-8")


if __name__ == "__main__":
    main()
